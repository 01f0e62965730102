// The SDK as an actor meets it: a probe actor, compiled from source, runs in the smallest waPC host. Bytes are compared
// with those of msgpackr and of the contracts of the host side. The example of the pages is compiled and run too.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readActorFile } from '../../../actors/build.ts';
import { compileActor } from '../../../actors/compile.ts';
import type { Codec } from '../../../lattice/contracts/contract.ts';
import { handleRequest } from '../../../lattice/contracts/http-server.ts';
import { keyvalueOperations } from '../../../lattice/contracts/keyvalue.ts';
import { writeLog } from '../../../lattice/contracts/logging.ts';
import { randomOperations } from '../../../lattice/contracts/random.ts';
import { decodeMessage, encodeMessage } from '../../../lattice/msgpack.ts';
import { root } from '../../support/sources.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';
import { type AnswerHostCall, type HostCall, startGuest } from '../../support/wapc-host.ts';

const source = new URL('../../fixtures/actors/probe', import.meta.url).pathname;
let probe: Uint8Array;

beforeAll(async () => {
  probe = await compileActor({ source, name: 'probe', version: '1.2.3' });
}, 60_000);

/** One call of a fresh guest, payload and answer as bytes. */
const callRaw = (operation: string, payload: Uint8Array, answer?: AnswerHostCall): Uint8Array =>
  startGuest(probe, answer).call(operation, payload);
const call = (operation: string, payload?: unknown, answer?: AnswerHostCall): unknown =>
  decodeMessage(callRaw(operation, encodeMessage(payload), answer));
const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Runs a call that reaches the host once; gives the host call and the answer of the actor. */
function callThrough(operation: string, payload: unknown, answer: unknown): { seen: HostCall; answer: unknown } {
  let seen: HostCall | undefined;
  const result = call(operation, payload, (hostCall) => {
    seen = hostCall;
    return encodeMessage(answer);
  });
  if (!seen) throw new Error(`${operation} did not reach the host`);
  return { seen, answer: result };
}

describe('the entry', () => {
  test('imports come from wasmbus only, and memory is one page', () => {
    const { module, memory } = startGuest(probe);
    expect(new Set(WebAssembly.Module.imports(module).map((one) => one.module))).toEqual(new Set(['wasmbus']));
    expect(
      WebAssembly.Module.exports(module)
        .map((one) => one.name)
        .sort(),
    ).toEqual(['__guest_call', '__wasmbus_rpc_version', 'memory']);
    expect(memory.buffer.byteLength).toBe(65_536);
  });

  test.each([
    ['an empty map', {}],
    ['nothing', undefined],
  ])('a health request of %s is answered by default', (_what, payload) => {
    expect(call('Actor.HealthRequest', payload)).toEqual({ healthy: true });
  });

  test.each(['No.Such', 'HandleRequest', ''])('an unknown operation %j is refused by its name', (operation) => {
    expect(() => call(operation)).toThrow(`method not handled ${operation} - unknown method`);
  });

  test('a handler that fails gives its reason to the caller', () => {
    expect(() => call('Probe.Fail', 'no such user: Zoë')).toThrow('no such user: Zoë');
  });

  test('a payload of another shape is refused with what was expected where', () => {
    expect(() => call('Probe.Text', 7)).toThrow('Probe.Text: the payload does not fit: expected text at byte 0');
    expect(() => call('Probe.Struct', { first: 'a', second: 'b' })).toThrow('expected a signed 32-bit integer at byte');
  });

  test('the value of a failed result ends the call and is printed with its place', () => {
    const guest = startGuest(probe);
    expect(() => guest.call('Probe.Trap', encodeMessage('gone'))).toThrow(WebAssembly.RuntimeError);
    expect(guest.lines).toEqual([expect.stringMatching(/^gone \(actors\/sdk\/result\.ts:\d+:\d+\)$/)]);
  });

  test('an actor knows its name and version', () => {
    expect(call('Probe.Self')).toBe('probe 1.2.3');
  });
});

describe('MessagePack', () => {
  const integers = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const negatives = [-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, Number.MIN_SAFE_INTEGER];

  test.each([...integers, ...negatives])('the integer %d is read and written as it is', (value) => {
    expect(call('Probe.Integer', value)).toBe(value);
    if (Math.abs(value) < 2 ** 31)
      expect(hex(callRaw('Probe.Integer', encodeMessage(value)))).toBe(hex(encodeMessage(value)));
  });

  test.each([
    ['uint8', bytesOf(0xcc, 5), 5],
    ['uint16', bytesOf(0xcd, 0, 5), 5],
    ['uint32', bytesOf(0xce, 0, 0, 0, 5), 5],
    ['uint64', bytesOf(0xcf, 0, 0, 0, 0, 0, 0, 0, 5), 5],
    ['int8', bytesOf(0xd0, 0xfb), -5],
    ['int16', bytesOf(0xd1, 0xff, 0xfb), -5],
    ['int32', bytesOf(0xd2, 0xff, 0xff, 0xff, 0xfb), -5],
    ['int64', bytesOf(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb), -5],
    ['float32', bytesOf(0xca, 0x40, 0xa0, 0, 0), 5],
    ['float64', bytesOf(0xcb, 0x40, 0x14, 0, 0, 0, 0, 0, 0), 5],
  ])('a small integer may come as %s', (_width, bytes, value) => {
    expect(decodeMessage(callRaw('Probe.I32', bytes))).toBe(value);
  });

  test.each([
    ['Probe.I32', 2 ** 31],
    ['Probe.I32', -(2 ** 31) - 1],
    ['Probe.U32', -1],
    ['Probe.U32', 2 ** 32],
    ['Probe.U16', 65_536],
    ['Probe.Integer', 1.5],
    ['Probe.Integer', Number.NaN],
    ['Probe.Integer', 2n ** 63n],
  ])('%s refuses %d', (operation, value) => {
    expect(() => call(operation, value)).toThrow('does not fit');
  });

  test.each([0, 1.5, -0.25, 1e300, Number.POSITIVE_INFINITY, 3])('the float %d is read and written', (value) => {
    expect(call('Probe.Float', value)).toBe(value);
  });

  test.each([0, 1, 31, 32, 255, 256, 65_535, 65_536])(
    'text and bytes of length %d have the shortest head',
    (length) => {
      const text = 'x'.repeat(length);
      expect(hex(callRaw('Probe.Text', encodeMessage(text)))).toBe(hex(encodeMessage(text)));
      const bytes = new Uint8Array(length).fill(7);
      expect(hex(callRaw('Probe.Binary', encodeMessage(bytes)))).toBe(hex(encodeMessage(bytes)));
    },
  );

  test('text is UTF-8 and may come as bin', () => {
    expect(call('Probe.Text', 'Zoë 🚀 \0')).toBe('Zoë 🚀 \0');
    expect(call('Probe.Text', Buffer.from('Zoë'))).toBe('Zoë');
    expect(call('Probe.Text', '')).toBe('');
  });

  test('bytes may come as text and as an array of numbers', () => {
    expect(call('Probe.Binary', 'abc')).toEqual(utf8('abc'));
    expect(call('Probe.Binary', [1, 255, 0])).toEqual(bytesOf(1, 255, 0));
    expect(call('Probe.Binary', [])).toEqual(bytesOf());
    expect(() => call('Probe.Binary', [256])).toThrow('expected a byte at byte 1');
  });

  test('one text may stand for a list of one', () => {
    expect(call('Probe.Texts', 'a')).toEqual(['a']);
    expect(call('Probe.Texts', ['a', 'b'])).toEqual(['a', 'b']);
    expect(call('Probe.Texts', [])).toEqual([]);
  });

  test.each([true, false])('the boolean %s is read and written', (value) => {
    expect(call('Probe.Boolean', value)).toBe(value);
  });

  test.each([0, 15, 16, 65_535, 65_536])('arrays and maps of %d have the shortest head', (count) => {
    const list = Array.from({ length: count }, (_, index) => index);
    const map = Object.fromEntries(list.map((index) => [`${index}`, null]));
    expect(Buffer.from(callRaw('Probe.Long', encodeMessage(count))).equals(encodeMessage([list, map]))).toBe(true);
  });

  test.each<[string, unknown, [string, number]]>([
    ['a map', { first: 'a', second: 2 }, ['a', 2]],
    ['a map in another order', { second: 2, first: 'a' }, ['a', 2]],
    ['a map with unknown keys', { zero: [{ a: 1.5 }], first: 'a', third: null, second: 2 }, ['a', 2]],
    ['a map with fields left out', { second: 2 }, ['none', 2]],
    ['a map with nil fields', { first: null, second: 2 }, ['none', 2]],
    ['an array', ['a', 2], ['a', 2]],
    ['a longer array', ['a', 2, 'more', [1]], ['a', 2]],
    ['a shorter array', ['a'], ['a', -1]],
    ['an empty map', {}, ['none', -1]],
    [
      'a map with keys that are numbers',
      new Map<unknown, unknown>([
        [1, 'x'],
        ['first', 'a'],
      ]),
      ['a', -1],
    ],
  ])('a struct is read from %s', (_what, value, expected) => {
    expect(call('Probe.Struct', value)).toEqual(expected);
  });

  test.each<[string, Uint8Array]>([
    ['nil', encodeMessage(null)],
    ['a boolean', encodeMessage(true)],
    [
      'each width of integer',
      encodeMessage([1, 200, 40_000, 2 ** 31, 2 ** 40, -5, -100, -20_000, -(2 ** 31), -(2 ** 40)]),
    ],
    ['floats', bytesOf(0x92, 0xca, 0, 0, 0, 0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0)],
    [
      'text and bytes',
      encodeMessage(['a', 'b'.repeat(300), 'c'.repeat(70_000), new Uint8Array(3), new Uint8Array(300)]),
    ],
    ['long arrays and maps', encodeMessage([new Array(20).fill(0), new Array(70_000).fill(0), { a: { b: [] } }])],
    ['extensions', bytesOf(0x94, 0xd4, 1, 0, 0xd6, 1, 0, 0, 0, 0, 0xc7, 2, 1, 0, 0, 0xc8, 0, 1, 9, 9)],
  ])('a value that is skipped may be %s', (_what, bytes) => {
    expect(decodeMessage(callRaw('Probe.Skip', Buffer.concat([bytesOf(0x92), bytes, bytesOf(42)])))).toBe(42);
  });

  test.each<[string, string, Uint8Array]>([
    ['no value at all', 'Probe.Text', bytesOf()],
    ['text longer than the message', 'Probe.Text', bytesOf(0xdb, 0xff, 0xff, 0xff, 0xff)],
    ['text cut off in its head', 'Probe.Text', bytesOf(0xda, 0)],
    ['bytes longer than the message', 'Probe.Binary', bytesOf(0xc6, 0x80, 0, 0, 0)],
    ['an array longer than the message', 'Probe.Texts', bytesOf(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a map longer than the message', 'Probe.Struct', bytesOf(0xdf, 0x80, 0, 0, 0)],
    ['an integer cut off', 'Probe.Integer', bytesOf(0xcf, 0, 0)],
    ['a struct that is none', 'Probe.Struct', bytesOf(0xa1, 0x61)],
    ['the byte that begins no value', 'Probe.Skip', bytesOf(0x92, 0xc1, 1)],
    ['an extension longer than the message', 'Probe.Skip', bytesOf(0x92, 0xc9, 0xff, 0xff, 0xff, 0xff)],
    ['nesting beyond the limit', 'Probe.Skip', new Uint8Array(5000).fill(0x91)],
  ])('%s is refused, and never a trap', (_what, operation, bytes) => {
    const guest = startGuest(probe);
    expect(() => guest.call(operation, bytes)).toThrow(/the payload does not fit: expected /);
    expect(guest.memory.buffer.byteLength).toBe(65_536);
  });

  test('an operation without result answers zero bytes', () => {
    expect(callRaw('Probe.Nothing', bytesOf())).toHaveLength(0);
  });
});

describe('HTTP', () => {
  const request = {
    method: 'POST',
    path: '/a/b',
    queryString: 'q=1&p=a+b%20%C3%AB',
    header: {},
    body: utf8('hé'),
  };
  const callHttp = (message: unknown): unknown => call('HttpServer.HandleRequest', message);

  test('a request arrives field by field, and the response leaves as the contract writes it', () => {
    const header = { Cookie: ['a=1', 'b=2'], accept: ['*/*'] };
    const expected = {
      statusCode: 201,
      header: {
        'x-method': ['POST'],
        'x-path': ['/a/b'],
        'x-query': [request.queryString],
        'x-text': ['hé'],
        'x-parameter': ['"a b ë"'],
        'Set-Cookie': ['a=1', 'b=2'],
      },
      body: request.body,
    };
    const answer = callRaw('HttpServer.HandleRequest', encodeMessage({ ...request, header }));
    expect(hex(answer)).toBe(hex(encodeMessage(expected)));
  });

  test('a request of the contract is understood, and the response is one of the contract', () => {
    const header = ['Cookie', 'a=1', 'Accept', '*/*', 'cookie', 'b=2'];
    const bytes = callRaw('HttpServer.HandleRequest', handleRequest.request.encode({ ...request, header }));
    const response = handleRequest.response.decode(bytes);
    expect(response).toMatchObject({ statusCode: 201, body: request.body });
    expect(response.header.slice(-4)).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']);
  });

  test('a request may come as an array, its body as numbers, its headers as single texts', () => {
    const message = ['PUT', '/x', '', { cookie: 'one' }, [104, 105]];
    expect(callHttp(message)).toMatchObject({
      header: { 'x-method': ['PUT'], 'x-parameter': ['none'], 'Set-Cookie': ['one'] },
      body: utf8('hi'),
    });
  });

  test('a response of the kind "not found" is JSON', () => {
    expect(callHttp({ ...request, path: '/missing' })).toEqual({
      statusCode: 404,
      header: { 'content-type': ['application/json'] },
      body: utf8('{"error":"not found"}\n'),
    });
  });

  test('a request that is none is refused', () => {
    expect(() => callHttp('GET /')).toThrow(
      'HttpServer.HandleRequest: the payload does not fit: expected a map at byte 0',
    );
    expect(() => callHttp({ ...request, method: 1 })).toThrow('expected text');
  });

  test.each([
    ['p=%', '"%"'],
    ['p=%zz%4', '"%zz%4"'],
    ['p', '""'],
    ['pp=1', '"none"'],
    ['%70=1&p=2', '"1"'],
  ])('the query %s holds %s', (queryString, expected) => {
    const { header } = callHttp({ ...request, queryString }) as { header: Record<string, string[]> };
    expect(header['x-parameter']![0]).toBe(expected === '"none"' ? 'none' : expected);
  });

  test('text becomes a JSON string that says the same', () => {
    const all = `${Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join('')}ë🚀`;
    expect(JSON.parse(call('Probe.Quote', all) as string)).toBe(all);
    expect(call('Probe.Quote', 'a"b\\c\n')).toBe(JSON.stringify('a"b\\c\n'));
  });
});

describe('host calls', () => {
  const list = { listName: 'list', value: 'value' };
  const set = { setName: 'set', value: 'value' };
  const methods: [method: string, request: unknown, response: unknown, answer?: unknown][] = [
    ['Get', 'key', { value: 'v', exists: true }, 'v'],
    ['Get', 'key', { value: '', exists: false }, null],
    ['Get', 'key', ['v', true], 'v'],
    ['Set', { key: 'key', value: 'value', expires: 60 }, undefined, true],
    ['Del', 'key', true],
    ['Contains', 'key', false],
    ['Increment', { key: 'key', value: -5 }, 7],
    ['Increment', { key: 'key', value: -5 }, 2 ** 40],
    ['ListAdd', list, 3],
    ['ListDel', list, true],
    ['ListRange', { listName: 'list', start: 0, stop: -1 }, ['a', 'b']],
    ['ListClear', 'list', false],
    ['SetAdd', set, 1],
    ['SetDel', set, 0],
    ['SetQuery', 'set', []],
    ['SetUnion', ['a', 'b'], ['x']],
    ['SetIntersection', ['a', 'b'], ['x', 'y']],
    ['SetClear', 'set', true],
  ];

  test.each(methods)('KeyValue.%s sends %j and reads %j', (method, request, response, answer = response) => {
    const through = callThrough(`Probe.${method}`, 'cache', response);
    expect(through.seen).toMatchObject({
      binding: 'cache',
      namespace: 'wasmcloud:keyvalue',
      operation: `KeyValue.${method}`,
    });
    expect(hex(through.seen.payload)).toBe(hex(encodeMessage(request)));
    expect(through.answer).toEqual(answer);
  });

  test.each(methods.filter(([, , response]) => !Array.isArray(response) || response[0] !== 'v'))(
    'KeyValue.%s sends %j in the bytes of the contract, and reads its %j',
    (method, request, response, answer = response) => {
      const codecs = keyvalueOperations[method as keyof typeof keyvalueOperations];
      let sent: Uint8Array | undefined;
      const result = call(`Probe.${method}`, 'default', ({ payload }) => {
        sent = payload;
        return (codecs.response as Codec<unknown>).encode(response);
      });
      expect(hex(sent!)).toBe(hex((codecs.request as Codec<unknown>).encode(request)));
      expect(codecs.request.decode(sent!)).toEqual(request);
      expect(result).toEqual(answer);
    },
  );

  test.each(methods.map(([method]) => method))('KeyValue.%s that fails is a result the actor can look at', (method) => {
    const refuse = (): never => {
      throw new Error('E_STORE: the store did not answer');
    };
    const error = { error: 'E_STORE: the store did not answer', code: 'E_STORE' };
    expect(call(`Probe.${method}`, 'default', refuse)).toEqual(error);
  });

  test('an answer of another shape is a failure too', () => {
    const { answer } = callThrough('Probe.Increment', 'default', 'seven');
    expect(answer).toMatchObject({ error: expect.stringContaining('the answer of wasmcloud:keyvalue does not fit') });
  });

  test('a call to an actor carries its name and no link name', () => {
    const { seen, answer } = callThrough('Probe.Call', ['wattle/pong', 'Pong.Ping', 'hi'], 'there');
    expect(seen).toEqual({ binding: '', namespace: 'wattle/pong', operation: 'Pong.Ping', payload: seen.payload });
    expect(decodeMessage(seen.payload)).toBe('hi');
    expect(answer).toBe('there');
  });

  test('a failure without text still has a reason', () => {
    const refuse = (): never => {
      throw new Error('');
    };
    expect(call('Probe.Call', ['a', 'B.C', ''], refuse)).toEqual({ error: 'B.C failed without a reason', code: '' });
  });

  test('log lines carry level and text, and a log that fails disturbs nobody', () => {
    const seen: unknown[] = [];
    const answer = callRaw('Probe.Log', encodeMessage('hello'), ({ namespace, operation, payload }) => {
      expect([namespace, operation]).toEqual(['wasmcloud:builtin:logging', 'Logging.WriteLog']);
      seen.push(writeLog.request.decode(payload));
      throw new Error('no log here');
    });
    expect(answer).toHaveLength(0);
    expect(seen).toEqual(['debug', 'info', 'warn', 'error'].map((level) => ({ level, text: 'hello' })));
  });

  test('random numbers are asked for as the contract says', () => {
    const seen: [string, Uint8Array][] = [];
    const { GenerateGuid, Random32, RandomInRange } = randomOperations;
    const answers: Record<string, Uint8Array> = {
      [GenerateGuid.name]: GenerateGuid.response.encode('guid'),
      [Random32.name]: Random32.response.encode(2 ** 32 - 1),
      [RandomInRange.name]: RandomInRange.response.encode(6),
    };
    const values = call('Probe.Random', undefined, ({ namespace, operation, payload }) => {
      expect(namespace).toBe('wasmcloud:builtin:numbergen');
      seen.push([operation, payload]);
      return answers[operation]!;
    });
    expect(values).toEqual(['guid', 2 ** 32 - 1, 6]);
    expect(seen.map(([operation]) => operation)).toEqual(Object.keys(answers));
    expect(seen.map(([, payload]) => decodeMessage(payload))).toEqual([undefined, undefined, { min: 1, max: 6 }]);
  });
});

const pages = ['actors/sdk/README.md', 'docs/actors.md'];
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The first block of code of a language. */
const blockOf = (page: string, language: string): string =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(textOf(page))![1]!;

describe('the pages', () => {
  test('the guest book of the page compiles and keeps its guests', async () => {
    await using directory = await startTemporaryDirectory();
    const folder = join(directory.path, 'guestbook');
    await mkdir(folder);
    await writeFile(join(folder, 'index.ts'), blockOf(pages[0]!, 'ts'));
    await writeFile(join(folder, 'actor.json'), blockOf(pages[0]!, 'json'));
    const module = await compileActor(await readActorFile(folder));

    const guests: string[] = [];
    const { ListAdd, ListRange } = keyvalueOperations;
    const store: AnswerHostCall = ({ operation, payload }) => {
      if (operation === ListRange.name) return ListRange.response.encode(guests);
      if (operation === ListAdd.name)
        return ListAdd.response.encode(guests.push(ListAdd.request.decode(payload).value));
      return new Uint8Array(0);
    };
    const request = (method: string, text: string): string => {
      const message = { method, path: '/', queryString: '', header: [], body: new TextEncoder().encode(text) };
      const answer = startGuest(module, store).call(handleRequest.name, handleRequest.request.encode(message));
      const { statusCode, body } = handleRequest.response.decode(answer);
      return `${statusCode} ${new TextDecoder().decode(body)}`;
    };
    expect(request('POST', 'Zoë')).toBe('201 {"guests":1}\n');
    expect(request('POST', 'the "other"')).toBe('201 {"guests":2}\n');
    expect(request('POST', '')).toBe('400 {"error":"send your name as the body"}\n');
    expect(request('GET', '')).toBe('200 ["Zoë","the \\"other\\""]\n');
  }, 60_000);

  test.each(pages)('%s links only to what exists', (page) => {
    const targets = [...textOf(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!);
    expect(targets.filter((target) => !existsSync(resolve(root, dirname(page), target)))).toEqual([]);
  });

  test('the page of the SDK lists every file of it', () => {
    const rows = [...textOf('actors/sdk/README.md').matchAll(/^\| (`[a-z`, -]+) \|/gm)];
    const listed = rows.flatMap((match) => match[1]!.match(/[a-z-]+/g)!);
    const files = readdirSync(join(root, 'actors', 'sdk')).filter((file) => file.endsWith('.ts'));
    const inner = ['guest.ts', 'cursor.ts', 'headers.ts'];
    expect(listed.map((file) => `${file}.ts`).sort()).toEqual(files.filter((file) => !inner.includes(file)).sort());
  });
});
