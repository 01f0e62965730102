import { describe, expect, it } from 'vitest';
import type { GuestInstance, GuestWorld, IncomingCall, OutgoingCall } from '../../../../host/engine/abi/abi.ts';
import { wapc } from '../../../../host/engine/abi/wapc.ts';
import { answerNumbers, createLogging } from '../../../../host/engine/builtins.ts';
import { instrumentModule } from '../../../../host/engine/instrument.ts';
import { LogLines } from '../../../../host/engine/log-lines.ts';
import { WattleError } from '../../../../lattice/errors.ts';
import { decodeMessage, encodeMessage } from '../../../../lattice/msgpack.ts';
import { type ActorText, actor, countActor, echoActor, relayActor } from '../../../support/wat.ts';

interface Bench {
  readonly instance: GuestInstance;
  readonly logged: string[];
  readonly hostCalls: string[];
  /** What the guest answered, or the error text. */
  call(operation: string, payload?: string | Uint8Array): Promise<string>;
  last: { broken: boolean };
}

type Answer = (call: string, instance: GuestInstance) => void;

async function start(bytes: Uint8Array, answer: Answer = () => undefined, memoryBytes = 4 << 20): Promise<Bench> {
  const logged: string[] = [];
  const hostCalls: string[] = [];
  let done = Promise.withResolvers<string>();
  const last = { broken: false };
  const text = ({ bytes: from, start: at, end }: OutgoingCall['payload']): string => from.toString('utf8', at, end);
  const lines = new LogLines((level, line) => logged.push(`${level} ${line}`));
  const world: GuestWorld = {
    lines,
    builtin: (namespace) =>
      ({
        'wasmcloud:builtin:numbergen': answerNumbers,
        'wasmcloud:builtin:logging': createLogging(lines),
        forbidden: 'not in claims',
      })[namespace],
    sendHostCall: (call, caller) => {
      const said = [call.binding, call.namespace, call.operation, call.payload].map(text).join('|');
      hostCalls.push(said);
      setImmediate(() => answer(said, caller));
    },
    onResult: (_instance, from, length) => done.resolve(from.toString('utf8', 0, length)),
    onError: (_instance, message, broken) => {
      last.broken = broken;
      done.resolve(message);
    },
  };
  const instrumented = instrumentModule(bytes, memoryBytes);
  const factory = wapc.load(await WebAssembly.compile(instrumented.bytes), instrumented, world);
  const instance = factory.create();
  await instance.start();
  instance.takeImage();
  const call = (operation: string, payload: string | Uint8Array = ''): Promise<string> => {
    done = Promise.withResolvers();
    const [name, body] = [Buffer.from(operation), Buffer.from(payload)];
    const request: IncomingCall = {
      id: 1,
      bytes: Buffer.concat([name, body]),
      start: 0,
      payloadStart: name.length,
      end: name.length + body.length,
    };
    instance.call(request);
    return done.promise;
  };
  return { instance, logged, hostCalls, call, last };
}

const run = async (text: ActorText): Promise<string> => (await start(actor(text))).call('Test.Run', 'payload');
const span = (text: string): { bytes: Buffer; start: number; end: number } => {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
};

describe('a waPC call', () => {
  it('carries operation and payload in and the response out', async () => {
    const bench = await start(echoActor());
    expect(await bench.call('Test.Echo', 'hello')).toBe('hello');
    expect(await bench.call('Test.Echo', '')).toBe('');
    expect(await bench.call('Test.Echo', 'x'.repeat(50_000))).toBe('x'.repeat(50_000));
  });

  it('starts from the same state after a reset', async () => {
    const bench = await start(countActor());
    expect(await bench.call('Test.Count')).toBe('\x01\x01');
    expect(await bench.call('Test.Count')).toBe('\x02\x02');
    expect(bench.instance.reset()).toBe(true);
    expect(await bench.call('Test.Count')).toBe('\x01\x01');
  });

  it('fails with the guest error, else the host error, else the code', async () => {
    const data = '(data (i32.const 0) "because")';
    expect(await run({ fields: data, call: '(call $fail (i32.const 0) (i32.const 7)) (i32.const 0)' })).toBe(
      'E_ACTOR_ERROR: because',
    );
    expect(await run({ call: '(i32.const 5)' })).toBe('E_ACTOR_ERROR: __guest_call returned 5');
    const host =
      '(drop (call $host (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))';
    const forbidden = '(data (i32.const 0) "forbidden")';
    expect(await run({ host: true, fields: forbidden, call: `${host} (i32.const 0)` })).toBe(
      'E_ACTOR_ERROR: E_NO_CAPABILITY: not in claims',
    );
    expect(
      await run({
        host: true,
        fields: `${forbidden} (data (i32.const 20) "mine")`,
        call: `${host} (call $fail (i32.const 20) (i32.const 4)) (i32.const 0)`,
      }),
    ).toBe('E_ACTOR_ERROR: mine');
  });

  it('that traps names the operation and the functions', async () => {
    const bench = await start(actor({ fields: '(func $deep unreachable)', call: '(call $deep) (i32.const 1)' }));
    expect(await bench.call('Test.Run')).toBe('E_ACTOR_TRAP: Test.Run: unreachable (in deep < guest_call)');
    expect(bench.last.broken).toBe(true);
    expect(await run({ call: '(i32.div_u (i32.const 1) (i32.const 0))' })).toMatch(
      /E_ACTOR_TRAP: Test.Run: divide by zero/,
    );
    expect(await run({ fields: '(func $f (call $f))', call: '(call $f) (i32.const 1)' })).toMatch(
      /E_ACTOR_TRAP.*call stack/,
    );
  });

  it('that cannot grow its memory and gives up is E_ACTOR_MEMORY', async () => {
    const grow = '(if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) (i32.const 1)';
    expect(await run({ call: grow })).toMatch(/^E_ACTOR_MEMORY: Test.Run/);
    expect(await run({ call: '(drop (memory.grow (i32.const 1000))) (i32.const 1)' })).toBe('');
  });
});

describe('a host call', () => {
  it('suspends the guest and resumes it with the answer', async () => {
    const bench = await start(relayActor(), (_said, caller) => caller.onReply(true, span('answer')));
    expect(await bench.call('Test.Run', 'question')).toBe('answer');
    expect(bench.hostCalls).toEqual(['default|test:contract|Test.Relay|question']);
  });

  it('that fails gives its text to the guest', async () => {
    const bench = await start(relayActor(), (_said, caller) => caller.onReply(false, span('E_NO_LINK: none')));
    expect(await bench.call('Test.Run', 'question')).toBe('E_ACTOR_ERROR: E_NO_LINK: none');
  });

  it.each([
    [6, '(param i32 i32 i32 i32 i32 i32)', '|default|test|load'],
    [4, '(param i32 i32 i32 i32)', '||test|load'],
  ])('of an older guest with %i parameters leaves the leading names empty', async (count, params, expected) => {
    const spans = ['(i32.const 0) (i32.const 7)', '(i32.const 7) (i32.const 4)', '(i32.const 11) (i32.const 4)'].slice(
      3 - count / 2,
    );
    const bytes = actor({
      imports: `(import "wapc" "__host_call" (func $old ${params} (result i32)))`,
      fields: '(data (i32.const 0) "defaulttestload")',
      call: `(call $old ${spans.join(' ')})`,
    });
    const bench = await start(bytes, (_said, caller) => caller.onReply(true, span('')));
    expect(await bench.call('Test.Run')).toBe('');
    expect(bench.hostCalls).toEqual([expected]);
  });

  it('that is abandoned never answers', async () => {
    const bench = await start(relayActor());
    let answered = false;
    void bench.call('Test.Run', 'x').then(() => {
      answered = true;
    });
    bench.instance.abandon();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(answered).toBe(false);
  });
});

describe('the guest start code', () => {
  const text = (fields: string): ActorText => ({
    fields: `(global $n (mut i32) (i32.const 0)) ${fields}`,
    call: '(i32.store8 (i32.const 0) (global.get $n)) (call $respond (i32.const 0) (i32.const 1)) (i32.const 1)',
  });
  const set = (value: string): string =>
    `(global.set $n (i32.add (i32.mul (global.get $n) (i32.const 2)) (i32.const ${value})))`;

  it('runs once, start function first, then _initialize, wapc_init and _start', async () => {
    const bench = await start(
      actor(
        text(
          `(func (export "_start") ${set('1')}) (func (export "wapc_init") ${set('1')}) (func $s ${set('3')}) (start $s)`,
        ),
      ),
    );
    expect(await bench.call('Test.Run')).toBe(String.fromCharCode((3 * 2 + 1) * 2 + 1));
    bench.instance.reset();
    expect(await bench.call('Test.Run')).toBe(String.fromCharCode(15));
  });

  it('that traps is E_WASM_START', async () => {
    await expect(start(actor(text('(func (export "wapc_init") unreachable)')))).rejects.toMatchObject({
      code: 'E_WASM_START',
      message: expect.stringMatching(/wapc_init: unreachable/),
    });
  });

  it('may exit with 0, as WASI commands do', async () => {
    const exit = (code: number): Uint8Array =>
      actor({
        ...text(`(func (export "_start") (call $exit (i32.const ${code})))`),
        imports: '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))',
      });
    expect(await (await start(exit(0))).call('Test.Run')).toBe('\0');
    await expect(start(exit(3))).rejects.toMatchObject({ code: 'E_WASM_START' });
  });
});

describe('pointers of a guest', () => {
  const edges = ['0', '1', '65535', '65536', '2147483647', '2147483648', '4294967295'];
  const functions: readonly [string, (pointer: string, length: string) => string][] = [
    ['__guest_response', (pointer, length) => `(call $respond (i32.const ${pointer}) (i32.const ${length}))`],
    ['__guest_error', (pointer, length) => `(call $fail (i32.const ${pointer}) (i32.const ${length}))`],
    ['__guest_request', (pointer, length) => `(call $request (i32.const ${pointer}) (i32.const ${length}))`],
    ['__console_log', (pointer, length) => `(call $log (i32.const ${pointer}) (i32.const ${length}))`],
    [
      '__host_call',
      (pointer, length) =>
        `(drop (call $host (i32.const 0) (i32.const 0) (i32.const ${pointer}) (i32.const ${length}) (i32.const 0) (i32.const 0) (i32.const ${pointer}) (i32.const ${length})))`,
    ],
  ];
  it.each(functions)('of %s never reach outside of its memory', async (name, call) => {
    for (const pointer of edges)
      for (const length of edges) {
        const size = name === '__guest_request' ? 8 : Number(length);
        const inside = Number(pointer) + size <= 65_536 && (name !== '__guest_request' || Number(length) + 7 <= 65_536);
        const bench = await start(
          actor({ host: true, call: `${call(pointer, length)} (i32.const 1)` }),
          (_said, caller) => caller.onReply(true, span('')),
        );
        const answer = await bench.call('Test.Run', 'payload');
        if (inside) expect(answer, `${pointer}+${length}`).not.toMatch(/^E_ACTOR_TRAP/);
        else expect(answer, `${pointer}+${length}`).toMatch(/^E_ACTOR_TRAP: Test.Run: \d+ bytes at \d+ are outside/);
      }
  });

  it('stay valid when memory grows between calls of the host', async () => {
    const call = `(call $request (i32.const 1024) (i32.const 4096)) (drop (memory.grow (i32.const 2)))
      (i32.store8 (i32.const 150000) (i32.load8_u (i32.const 4096))) (call $respond (i32.const 150000) (i32.const 1)) (i32.const 1)`;
    expect(await run({ call })).toBe('p');
  });
});

describe('AssemblyScript guests', () => {
  it('abort with their message', async () => {
    const utf16 = (text: string): string => [...text].map((letter) => `${letter}\\00`).join('');
    const string = (text: string): string =>
      `\\${(text.length * 2).toString(16).padStart(2, '0')}\\00\\00\\00${utf16(text)}`;
    const bytes = actor({
      imports: '(import "env" "abort" (func $abort (param i32 i32 i32 i32)))',
      fields: `(data (i32.const 12) "${string('oh no')}") (data (i32.const 60) "${string('a.ts')}")`,
      call: '(call $abort (i32.const 16) (i32.const 64) (i32.const 3) (i32.const 9)) (i32.const 1)',
    });
    expect(await (await start(bytes)).call('Test.Run')).toMatch(/^E_ACTOR_TRAP: Test.Run: oh no in a.ts:3:9/);
  });
});

describe('builtins', () => {
  const request = (value: unknown): ReturnType<typeof span> => {
    const bytes = Buffer.from(encodeMessage(value));
    return { bytes, start: 0, end: bytes.length };
  };

  it('answer random numbers in the shapes of the contract', () => {
    expect(decodeMessage(answerNumbers('NumberGen.GenerateGuid', span('')))).toMatch(/^[0-9a-f-]{36}$/);
    expect(decodeMessage(answerNumbers('NumberGen.Random32', span('')))).toBeTypeOf('number');
    for (const range of [{ min: 3, max: 3 }, [3, 3], { max: 3, min: 3 }])
      expect(decodeMessage(answerNumbers('NumberGen.RandomInRange', request(range)))).toBe(3);
  });

  it.each([[{ min: 4, max: 3 }], [{ min: 'a', max: 3 }], [{}], ['x'], [undefined], [{ min: 0, max: 2 ** 33 }]])(
    'refuse the range %j',
    (range) => {
      expect(() => answerNumbers('NumberGen.RandomInRange', request(range))).toThrow(
        expect.objectContaining({ code: 'E_PAYLOAD' }),
      );
    },
  );

  it('write log lines with their level, and refuse what is no log message', () => {
    const logged: string[] = [];
    const log = createLogging(new LogLines((level, text) => logged.push(`${level} ${text}`)));
    log('Logging.WriteLog', request({ level: 'warn', text: 'one\ntwo' }));
    log('Logging.WriteLog', request({ level: 'odd', text: 'three' }));
    expect(logged).toEqual(['warn one', 'warn two', 'info three']);
    expect(() => log('Logging.WriteLog', request({ level: 1 }))).toThrow(WattleError);
    expect(() => log('Logging.Other', request({}))).toThrow(expect.objectContaining({ code: 'E_OPERATION' }));
  });

  it('bound the log in rate and length and say what they left out', () => {
    const logged: string[] = [];
    const lines = new LogLines((level, text) => logged.push(`${level} ${text}`));
    const line = Buffer.alloc(10_000, 'x');
    for (let count = 0; count < 100; count++) lines.add('info', line, 0, line.length);
    expect(logged.length).toBeLessThan(30);
    expect(Math.max(...logged.map((text) => text.length))).toBeLessThan(8300);
  });
});
