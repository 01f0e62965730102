// The whole product as a user meets it: up, an application over HTTP, down; what survives and what does not stay behind.
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKeyring } from '../../lattice/keyring.ts';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { signModule } from '../../lattice/signing.ts';
import { eventually } from '../support/eventually.ts';
import { cacheDir } from '../support/nats.ts';
import { freePort, runWattle, startPlatform, startWattle } from '../support/platform.ts';
import { descendantsOf, isAlive } from '../support/processes.ts';
import { buildSample, createManifest, deployCounter, deployManifest } from '../support/sample.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';
import { wat } from '../support/wat.ts';

const natsStore = { image: 'wattle:keyvalue-nats', config: { bucket: 'counts' } };
const get = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
};
const countOf = async (url: string): Promise<number> => (JSON.parse((await get(url)).body) as { value: number }).value;

describe('A platform', () => {
  it('counts over HTTP, keeps the count over a restart and leaves no process behind', async () => {
    await using directory = await startTemporaryDirectory();
    const port = await freePort();
    const { path: natsServer } = await findNatsBinary({ cacheDir });
    const up = ['up', '--data-dir', directory.path, '--nats-port', '0', '--nats-server', natsServer];
    const first = await startWattle(up);
    const platform = {
      ...first,
      natsUrl: '',
      wattle: (...words: string[]) => runWattle([...words, '--data-dir', directory.path]),
      json: async () => undefined,
    };
    await deployCounter(platform, { port, store: natsStore });
    const url = `http://127.0.0.1:${port}/visits`;
    expect([await countOf(url), await countOf(url)]).toEqual([1, 2]);
    const children = descendantsOf(first.process.pid!);
    expect(children.length).toBeGreaterThan(2);
    expect(await first.stop('SIGINT')).toBe(0);
    for (const pid of children) await eventually(() => !isAlive(pid), { what: `process ${pid} to end` });

    await using _second = await startWattle(up);
    await eventually(async () => (await countOf(url)) === 3, { what: 'the application to be back with its count' });
  });

  it('says so in one line when its data directory is in use', async () => {
    await using platform = await startPlatform();
    const second = await runWattle(['up', '--nats-port', '0', '--data-dir', platform.dataDir]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/E_ALREADY_RUNNING: .*\n/);
  });

  it('refuses what it should not run, with the code and what to do', async () => {
    await using platform = await startPlatform();
    await using stranger = await startTemporaryDirectory();
    const foreign = await buildSample(stranger.path, 'hello');
    const refused = await platform.wattle('actor', 'start', `file://${foreign}`, 'hello');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/E_SIG_ISSUER.*A[A-Z2-7]{55}/);
    expect(refused.stderr).toMatch(/--trust|keys trust/);

    const issuer = /A[A-Z2-7]{55}/.exec(refused.stderr)![0];
    expect((await platform.wattle('keys', 'trust', issuer)).code).toBe(0);
    expect(await platform.wattle('actor', 'start', `file://${foreign}`, 'hello')).toMatchObject({ code: 0 });
  });
});

describe('Two applications', () => {
  it('that want the same route are told at link time, and the first keeps serving', async () => {
    await using platform = await startPlatform();
    const port = await freePort();
    const file = await buildSample(platform.dataDir, 'hello');
    await deployManifest(platform, createManifest({ app: 'first', file, port }));
    const second = createManifest({ app: 'second', file, port });
    await expect(deployManifest(platform, second)).rejects.toThrow(/E_ROUTE_TAKEN.*first-actor/s);
    const put = await platform.wattle(
      'link',
      'put',
      'first-http',
      'second-actor',
      'wasi:http/incoming-handler',
      '--name',
      'other',
      '--set',
      `address=127.0.0.1:${port}`,
    );
    expect(put.stderr).toMatch(/E_ROUTE_TAKEN/);
    expect(put.code).toBe(1);
    const links = (await platform.json('link', 'list')) as { name: string }[];
    expect(links.some(({ name }) => name === 'other')).toBe(false);
    expect(await get(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200 });
  });
});

describe('An actor without what it needs', () => {
  it('gets an error it can handle: no link, no provider, then heals', async () => {
    await using platform = await startPlatform();
    const port = await freePort();
    const file = await buildSample(platform.dataDir, 'counter');
    const url = `http://127.0.0.1:${port}/x`;
    await deployManifest(platform, createManifest({ app: 'lonely', file, port }));
    expect(await get(url)).toMatchObject({ status: 503, body: expect.stringContaining('E_NO_LINK') });
    const link = await platform.wattle(
      'link',
      'put',
      'lonely-actor',
      'kv',
      'wasmcloud:keyvalue',
      '--set',
      'bucket=heal',
    );
    expect(link).toMatchObject({ code: 0 });
    await eventually(async () => (await get(url)).body.includes('E_PROVIDER_DOWN'), {
      what: 'the missing provider to be named',
    });
    expect(await platform.wattle('provider', 'start', 'wattle:keyvalue-nats', 'kv')).toMatchObject({ code: 0 });
    await eventually(async () => (await get(url)).status === 200, { what: 'the actor to heal' });
    expect(await platform.wattle('provider', 'stop', 'kv')).toMatchObject({ code: 0 });
    expect(await get(url)).toMatchObject({ status: 503 });
  });
});

const guestCall =
  '(memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))';
/** What is wrong with each, by the code that says so. */
const brokenModules = {
  E_SIG_MISSING: `(module ${guestCall})`,
  E_WASM_EXPORT: '(module (memory (export "memory") 1) (func (export "other")))',
  E_WASM_START: `(module ${guestCall} (func (export "wapc_init") unreachable))`,
};

describe('A live update', () => {
  it('that cannot work changes nothing and says why', async () => {
    await using platform = await startPlatform();
    const port = await freePort();
    const file = await buildSample(platform.dataDir, 'hello');
    await deployManifest(platform, createManifest({ app: 'hello', file, port }));
    const url = `http://127.0.0.1:${port}/`;
    const before = await get(url);
    await using stranger = await startTemporaryDirectory();
    const foreign = join(platform.dataDir, 'foreign.wasm');
    await cp(await buildSample(stranger.path, 'hello', '6.6.6'), foreign);
    const refused = await platform.wattle('actor', 'update', 'hello-actor', `file://${foreign}`);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('E_SIG_ISSUER');
    expect(await platform.wattle('actor', 'update', 'hello-actor', `file://${foreign}.not`)).toMatchObject({
      stderr: expect.stringContaining('E_ARTIFACT_NOT_FOUND'),
    });
    expect(await get(url)).toEqual(before);

    for (const [code, text] of Object.entries(brokenModules)) {
      const broken = join(platform.dataDir, `${code}.wasm`);
      const keyring = openKeyring(platform.dataDir);
      const issuer = await keyring.account();
      const subject = await keyring.module('hello');
      const claims = { name: 'hello', version: '9', capabilities: ['wasmcloud:httpserver'] };
      await writeFile(
        broken,
        code === 'E_SIG_MISSING' ? wat(text) : await signModule(wat(text), { issuer, subject, claims }),
      );
      const answer = await platform.wattle('actor', 'update', 'hello-actor', `file://${broken}`);
      expect(answer.stderr).toContain(code);
      expect(answer.code).not.toBe(0);
      expect(await get(url)).toEqual(before);
    }

    const next = await buildSample(platform.dataDir, 'hello', '7.7.7');
    await deployManifest(platform, createManifest({ app: 'hello', file: next, port, version: 'v2' }));
    expect((await get(url)).body).toContain('7.7.7');
  });
});
