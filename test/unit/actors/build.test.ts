// Building an actor: the claims say what was asked for, an unchanged actor stays the same module, faults name file and line.
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ActorBuild, buildActor, readActorFile } from '../../../actors/build.ts';
import { verifyModule } from '../../../lattice/claims.ts';
import { openKeyring } from '../../../lattice/keyring.ts';
import { startTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts';
import { startGuest } from '../../support/wapc-host.ts';

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
