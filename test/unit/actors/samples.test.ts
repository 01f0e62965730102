// The samples, compiled from source and run in the smallest waPC host: what their users see, and what they ask of the host.
import { beforeAll, describe, expect, test } from 'vitest';
import { readActorFile } from '../../../actors/build.ts';
import { compileActor } from '../../../actors/compile.ts';
import { decodeMessage, encodeMessage } from '../../../lattice/msgpack.ts';
import { type AnswerHostCall, startGuest } from '../../support/wapc-host.ts';

const names = ['hello', 'counter', 'ping', 'pong'] as const;
const modules = {} as Record<(typeof names)[number], Uint8Array>;

beforeAll(async () => {
  for (const name of names)
    modules[name] = await compileActor(
      await readActorFile(new URL(`../../../actors/${name}`, import.meta.url).pathname),
    );
}, 60_000);

interface Answer {
  readonly statusCode: number;
  readonly header: Record<string, string[]>;
  readonly body: Uint8Array;
}

/** One HTTP request to a fresh guest; the body of the answer as text. */
function request(name: (typeof names)[number], message: object, answer?: AnswerHostCall) {
  const defaults = { method: 'GET', path: '/', queryString: '', header: {}, body: new Uint8Array(0) };
  const guest = startGuest(modules[name], answer);
  const bytes = guest.call('HttpServer.HandleRequest', encodeMessage({ ...defaults, ...message }));
  const { body, ...rest } = decodeMessage(bytes) as Answer;
  return { ...rest, body: new TextDecoder().decode(body), pages: guest.memory.buffer.byteLength / 65_536 };
}

test.each(names)('%s is smaller than 25 KB and keeps the names of its functions', (name) => {
  expect(modules[name].length).toBeLessThan(25 * 1024);
  expect(WebAssembly.Module.customSections(startGuest(modules[name]).module, 'name')).toHaveLength(1);
});

describe('hello', () => {
  test('greets with its version', () => {
    expect(request('hello', {})).toMatchObject({
      statusCode: 200,
      header: { 'content-type': ['text/plain; charset=utf-8'] },
      body: 'Hello from Wattle 0.1.0\n',
    });
  });

  test('answers a request of 50 KB within the memory it starts with', () => {
    expect(request('hello', { method: 'POST', body: new Uint8Array(50 * 1024) }).pages).toBe(1);
  });

  test('answers a request larger than that too', () => {
    expect(request('hello', { body: new Uint8Array(3 * 1024 * 1024) })).toMatchObject({ statusCode: 200 });
  });
});

describe('counter', () => {
  test('adds one to the key of the path', () => {
    const counts = new Map<string, number>();
    const store: AnswerHostCall = ({ binding, namespace, operation, payload }) => {
      expect([binding, namespace, operation]).toEqual(['default', 'wasmcloud:keyvalue', 'KeyValue.Increment']);
      const { key, value } = decodeMessage(payload) as { key: string; value: number };
      counts.set(key, (counts.get(key) ?? 0) + value);
      return encodeMessage(counts.get(key));
    };
    request('counter', { path: '/a"b' }, store);
    expect(request('counter', { path: '/a"b' }, store)).toMatchObject({
      statusCode: 200,
      header: { 'content-type': ['application/json'] },
      body: '{"counter":"/a\\"b","value":2}\n',
    });
    expect([...counts]).toEqual([['/a"b', 2]]);
  });

  test('tells its visitor why the store failed', () => {
    const refuse: AnswerHostCall = () => {
      throw new Error('E_NO_LINK: counter has no link to wasmcloud:keyvalue');
    };
    const answer = request('counter', {}, refuse);
    expect(answer.statusCode).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ error: 'E_NO_LINK: counter has no link to wasmcloud:keyvalue' });
  });

  test('counts no other method than GET', () => {
    const answer = request('counter', { method: 'DELETE' });
    expect(answer).toMatchObject({ statusCode: 405, header: { allow: ['GET'] } });
  });
});

describe('ping and pong', () => {
  test('ping answers with what pong says', () => {
    const pong: AnswerHostCall = ({ binding, namespace, operation, payload }) => {
      expect([binding, namespace]).toEqual(['', 'wattle/pong']);
      return startGuest(modules.pong).call(operation, payload);
    };
    expect(request('ping', { path: '/hi' }, pong)).toMatchObject({ statusCode: 200, body: 'pong 0.1.0 got /hi\n' });
  });

  test('ping says why when pong cannot be reached', () => {
    const refuse: AnswerHostCall = () => {
      throw new Error('E_NO_TARGET: no host runs wattle/pong');
    };
    expect(request('ping', {}, refuse)).toMatchObject({
      statusCode: 503,
      body: '{"error":"E_NO_TARGET: no host runs wattle/pong"}\n',
    });
  });

  test('pong refuses what is no text', () => {
    expect(() => startGuest(modules.pong).call('Pong.Ping', encodeMessage({}))).toThrow('expected text at byte 0');
  });
});
