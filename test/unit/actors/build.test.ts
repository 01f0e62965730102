// Building actors, and the samples that are built: the claims say what was asked for, an unchanged actor stays the same module,
// faults name file and line, and each sample does for its users what its source says. One file, because a process pays
// seconds for its first compilation.
import { readFileSync } from 'node:fs';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ActorBuild, buildActor, readActorFile } from '../../../actors/build.ts';
import { compileActor } from '../../../actors/compile.ts';
import { verifyModule } from '../../../lattice/claims.ts';
import { openKeyring } from '../../../lattice/keyring.ts';
import { decodeMessage, encodeMessage } from '../../../lattice/msgpack.ts';
import { parseManifest } from '../../../wadm/manifest.ts';
import { startTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts';
import { type AnswerHostCall, startGuest } from '../../support/wapc-host.ts';

const hello = new URL('../../../actors/hello', import.meta.url).pathname;

/** Hello, to be built into a directory by the account that lives there. */
const helloIn = (directory: TemporaryDirectory, changes: Partial<ActorBuild> = {}): ActorBuild => ({
  source: hello,
  name: 'hello',
  version: '0.1.0',
  revision: 1,
  capabilities: ['wasmcloud:httpserver'],
  out: join(directory.path, 'build', 'hello.wasm'),
  keyring: openKeyring(directory.path),
  ...changes,
});

const verified = async (build: ActorBuild) => {
  const { publicKey } = await build.keyring.account();
  const bytes = new Uint8Array(await readFile(build.out));
  return { bytes, ...(await verifyModule(bytes, { trustedIssuers: new Set([publicKey]) })) };
};

describe('a built actor', () => {
  test('carries verified claims that say what was asked for', async () => {
    await using directory = await startTemporaryDirectory();
    const build = helloIn(directory, { callAlias: 'wattle/hello', tags: ['sample'] });
    expect(await buildActor(build)).toBe(true);
    const { claims } = await verified(build);
    expect(claims).toMatchObject({
      name: 'hello',
      version: '0.1.0',
      revision: 1,
      capabilities: ['wasmcloud:httpserver'],
      callAlias: 'wattle/hello',
      tags: ['sample'],
      issuer: (await build.keyring.account()).publicKey,
      subject: (await build.keyring.module('hello')).publicKey,
    });
  }, 60_000);

  test('is left alone when it says already what it should', async () => {
    await using directory = await startTemporaryDirectory();
    await buildActor(helloIn(directory));
    const before = await stat(helloIn(directory).out);
    expect(await buildActor(helloIn(directory))).toBe(false);
    expect((await stat(helloIn(directory).out)).mtimeMs).toBe(before.mtimeMs);
  }, 60_000);

  test.each<[string, Partial<ActorBuild>]>([
    ['revision', { revision: 2 }],
    ['capabilities', { capabilities: [] }],
    ['call alias', { callAlias: 'other' }],
    ['tags', { tags: ['new'] }],
    ['expiry', { expiresAt: new Date('2099-01-01') }],
  ])(
    'is signed again, with the same subject, for another %s',
    async (_what, changes) => {
      await using directory = await startTemporaryDirectory();
      await buildActor(helloIn(directory));
      const before = await verified(helloIn(directory));
      const changed = helloIn(directory, changes);
      expect(await buildActor(changed)).toBe(true);
      const after = await verified(changed);
      expect(after.digest).not.toBe(before.digest);
      expect(after.claims?.subject).toBe(before.claims?.subject);
    },
    60_000,
  );

  test('is signed again by another account, and when its file was changed', async () => {
    await using directory = await startTemporaryDirectory();
    await using other = await startTemporaryDirectory();
    await buildActor(helloIn(directory));
    expect(await buildActor(helloIn(directory, { keyring: openKeyring(other.path) }))).toBe(true);
    await writeFile(helloIn(directory).out, 'no module at all');
    expect(await buildActor(helloIn(directory))).toBe(true);
    await verified(helloIn(directory));
  }, 60_000);

  test('says another version when it is built with one', async () => {
    await using directory = await startTemporaryDirectory();
    const build = helloIn(directory, { version: '2.0.0', revision: 2 });
    await buildActor(build);
    const { bytes } = await verified(build);
    const answer = startGuest(bytes).call('HttpServer.HandleRequest', Uint8Array.of(0x80));
    expect(new TextDecoder().decode(answer)).toContain('Hello from Wattle 2.0.0');
  }, 60_000);
});

describe('a fault', () => {
  test('of the source is told with file and line', async () => {
    await using directory = await startTemporaryDirectory();
    const source = join(directory.path, 'broken');
    await cp(hello, source, { recursive: true });
    await writeFile(join(source, 'index.ts'), "export const count: i32 = 'one';\n");
    const build = helloIn(directory, { source, name: 'broken' });
    await expect(buildActor(build)).rejects.toMatchObject({
      code: 'E_BUILD',
      message: expect.stringMatching(/broken does not compile:\n[\s\S]*broken\/index\.ts\(1,27\)/),
    });
  }, 60_000);

  test.each<[string, string, string]>([
    ['missing field', '{"name": "a"}', 'version: '],
    ['unknown field', '{"name": "a", "version": "1", "caps": []}', 'Unrecognized key: "caps"'],
    ['wrong revision', '{"name": "a", "version": "1", "revision": 0}', 'revision: '],
    ['syntax error', '{"name": ', 'JSON'],
  ])('of actor.json is told: %s', async (_what, text, expected) => {
    await using directory = await startTemporaryDirectory();
    await writeFile(join(directory.path, 'actor.json'), text);
    await expect(readActorFile(directory.path)).rejects.toMatchObject({
      code: 'E_BUILD',
      message: expect.stringMatching(new RegExp(`actor\\.json: .*${expected}`)),
    });
  });

  test('of the folder is told: there is no actor.json', async () => {
    await expect(readActorFile('/nowhere')).rejects.toMatchObject({ code: 'E_BUILD' });
  });
});

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

test.each(['hello/wadm.yaml', 'counter/wadm.yaml', 'counter/wadm-0.x.yaml', 'ping/wadm.yaml'])(
  '%s is a manifest without faults, of modules the build writes',
  (path) => {
    const file = new URL(`../../../actors/${path}`, import.meta.url);
    const { application, findings } = parseManifest(readFileSync(file, 'utf8'));
    expect(findings).toEqual([]);
    const images = application!.components.flatMap(({ kind, image }) => (kind === 'actor' ? [image] : []));
    expect(images.length).toBeGreaterThan(0);
    expect(images.filter((image) => !names.some((name) => image === `file:../build/${name}.wasm`))).toEqual([]);
  },
);

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
