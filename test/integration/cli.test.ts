// The command line against a real platform: what it prints, as JSON and as text, what it waits for, how it fails.
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { createKeyPair } from '../../lattice/nkeys.ts';
import type { AppStatus } from '../../lattice/wadm-client.ts';
import { eventually } from '../support/eventually.ts';
import { cacheDir } from '../support/nats.ts';
import { freePort, type Platform, runWattle, startPlatform, startWattle } from '../support/platform.ts';
import { descendantsOf, findProcesses, isAlive } from '../support/processes.ts';
import { buildSample, createManifest } from '../support/sample.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';

let platform: Platform;
let hello: string;
const errorOf = (stdout: string): { code: string; message: string; hint: string } => JSON.parse(stdout).error;

beforeAll(async () => {
  platform = await startPlatform(['--log-level', 'warn']);
  hello = await buildSample(platform.dataDir, 'hello');
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

describe('hosts on the command line', () => {
  test('are listed, and named by id, its beginning or their name', async () => {
    const [host] = (await platform.json('host', 'list')) as { id: string; friendly_name: string }[];
    const names = [host!.id, host!.id.slice(0, 8), host!.friendly_name];
    for (const name of names)
      expect(await platform.json('host', 'inventory', name)).toMatchObject({ host_id: host!.id, components: [] });
    const unknown = await platform.wattle('host', 'inventory', 'nobody');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^E_NOT_FOUND: no host is called "nobody"\n {2}→ .*wattle host list/);
  });

  test('take labels and give them back, but not those of the machine', async () => {
    const [host] = (await platform.json('host', 'list')) as { friendly_name: string }[];
    const name = host!.friendly_name;
    expect(await platform.json('host', 'label', name, 'zone=a')).toMatchObject({ labels: { zone: 'a' } });
    const after = (await platform.json('host', 'label', name, 'zone', '--delete')) as { labels: object };
    expect(after.labels).not.toHaveProperty('zone');
    expect((await platform.wattle('host', 'label', name, 'hostcore.os=beos')).stderr).toContain('E_LABEL');
  });

  test('join with a name, and stop when told', async () => {
    const args = ['host', 'start', '--name', 'second', '--label', 'zone=b', '--data-dir', platform.dataDir];
    await using second = await startWattle(args, /serves lattice/);
    expect(await platform.json('host', 'list')).toHaveLength(2);
    const again = await runWattle(args);
    expect(again.stderr).toMatch(/^E_ALREADY_RUNNING: a host with the key of "second"/m);
    const stopped = await platform.wattle('host', 'stop', 'second');
    expect(stopped.stdout + stopped.stderr).toContain('Stopped N');
    await eventually(() => second.process.exitCode === 0, { what: 'the second host to end' });
    expect(await platform.json('host', 'list')).toHaveLength(1);
  });
});

describe('a key that is none', () => {
  test('in --trust or --cluster-issuer is refused before anything starts, by up and by host start', async () => {
    await using directory = await startTemporaryDirectory();
    const up = ['up', '--data-dir', directory.path, '--nats-port', '0'];
    const start = ['host', 'start', '--name', 'third', '--data-dir', platform.dataDir];
    const cluster = createKeyPair('cluster').publicKey;
    const refused = [
      [[...up, '--trust', 'nonsense'], /^E_KEY: --trust: a public key has 56 characters, not 8$/m],
      [[...start, '--trust', cluster], /^E_KEY: --trust: C\w+ is a key of type cluster, not account \(A…\)$/m],
      [[...start, '--cluster-issuer', 'nonsense'], /^E_KEY: --cluster-issuer: a public key has 56 characters/m],
    ] as const;
    for (const [words, message] of refused) {
      const result = await runWattle(words);
      expect(result).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(message) });
      expect(result.stderr.trim().split('\n')).toHaveLength(2);
    }
    expect(await platform.json('host', 'list')).toHaveLength(1);
  });
});

describe('an actor on the command line', () => {
  test('is started, called, scaled, updated and stopped, each outcome waited for', async () => {
    expect(await platform.json('actor', 'start', hello, 'greeter', '--count', '2')).toMatchObject({ count: 2 });
    const answer = await platform.json('call', 'greeter', 'HttpServer.HandleRequest', '{"path":"/"}');
    expect(answer).toMatchObject({ statusCode: 200, body: { $text: expect.stringContaining('Hello') } });
    await platform.json('actor', 'scale', 'greeter', '7');
    expect(await platform.json('actor', 'list')).toMatchObject([{ id: 'greeter', max_instances: 7, state: 'running' }]);
    const next = await buildSample(platform.dataDir, 'hello', '9.9.9');
    await platform.json('actor', 'update', 'greeter', next);
    expect(JSON.stringify(await platform.json('call', 'greeter', 'HttpServer.HandleRequest'))).toContain('9.9.9');
    await platform.json('actor', 'stop', 'greeter');
    expect(await platform.json('actor', 'list')).toEqual([]);
  });

  test('that cannot be loaded fails with the reason and the exit code', async () => {
    const file = join(platform.dataDir, 'junk.wasm');
    await writeFile(file, 'junk');
    const text = await platform.wattle('actor', 'start', file, 'junk');
    expect(text.code).toBe(1);
    expect(text.stderr).toMatch(/^E_[A-Z_]+: .*\n {2}→ /);
    const json = await platform.wattle('actor', 'start', '/nowhere/x.wasm', 'junk', '-o', 'json');
    expect(json.code).toBe(1);
    expect(json.stderr).toBe('');
    expect(errorOf(json.stdout)).toMatchObject({ code: 'E_ARTIFACT_NOT_FOUND' });
  });

  test('that runs nowhere is named by every command', async () => {
    for (const words of [
      ['actor', 'stop', 'ghost'],
      ['actor', 'scale', 'ghost', '2'],
      ['actor', 'update', 'ghost', hello],
    ])
      expect(errorOf((await platform.wattle(...words, '-o', 'json')).stdout)).toMatchObject({ code: 'E_NOT_FOUND' });
    const called = await platform.wattle('call', 'ghost', 'X.Y', '-o', 'json');
    expect(errorOf(called.stdout)).toMatchObject({ code: 'E_NO_TARGET', message: expect.stringContaining('ghost') });
  });
});

describe('links and configurations on the command line', () => {
  test('serve an actor by hand, and values of --set go with their link', async () => {
    const port = await freePort();
    await platform.json('provider', 'start', 'wattle:http-server', 'web');
    expect(await platform.json('provider', 'list')).toMatchObject([{ id: 'web', state: 'running' }]);
    await platform.json('actor', 'start', hello, 'linked');
    const put = ['link', 'put', 'web', 'linked', 'wasi:http/incoming-handler', '--set', `address=127.0.0.1:${port}`];
    const link = (await platform.json(...put)) as { source_config: string[] };
    const answer = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/`)).status === 200;
    await eventually(answer, { what: 'the linked actor to answer' });
    expect(await platform.json('config', 'get', link.source_config[0]!)).toEqual({ address: `127.0.0.1:${port}` });
    await platform.json('link', 'del', 'web', 'wasi:http');
    expect(await platform.json('link', 'list')).toEqual([]);
    expect(await platform.json('config', 'list')).toEqual({});
    await platform.json('actor', 'stop', 'linked');
    await platform.json('provider', 'stop', 'web');
    expect(await platform.json('provider', 'list')).toEqual([]);
  });

  test('are put from words and files, shown and deleted', async () => {
    const file = join(platform.dataDir, 'values.yaml');
    await writeFile(file, 'size: 3\nfast: true\nname: from file\n');
    await platform.json('config', 'put', 'mixed', 'name=word', '--file', file);
    expect(await platform.json('config', 'get', 'mixed')).toEqual({ size: '3', fast: 'true', name: 'word' });
    await platform.json('config', 'del', 'mixed');
    expect((await platform.wattle('config', 'get', 'mixed')).stderr).toMatch(/^E_NOT_FOUND: there is no config mixed/);
  });

  test('that make no sense are refused before anything is sent', async () => {
    const contract = await platform.wattle('link', 'put', 'a', 'b', 'keyvalue');
    expect(contract.stderr).toMatch(/^E_USAGE: "keyvalue" is not a contract/);
    expect(contract.code).toBe(64);
    expect((await platform.wattle('config', 'put', 'x', 'novalue')).stderr).toContain('novalue');
  });
});

describe('an application on the command line', () => {
  test('is deployed from a folder with a relative image, seen, undeployed and deleted', async () => {
    const folder = join(platform.dataDir, 'app');
    const port = await freePort();
    await mkdir(folder);
    const manifest = createManifest({ app: 'folder', file: hello, port }).replace(
      `file://${hello}`,
      'file:../hello-0.1.0.wasm',
    );
    expect(manifest).toContain('file:../');
    await writeFile(join(folder, 'wadm.yaml'), manifest);
    const deployed = await runWattle(['app', 'deploy', '.', '--data-dir', platform.dataDir], { cwd: folder });
    expect(deployed, deployed.stderr).toMatchObject({ code: 0, stdout: 'Deployed folder version v1\n' });
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect(await platform.json('app', 'list')).toMatchObject([{ name: 'folder', status: 'deployed', version: 'v1' }]);
    expect(await platform.json('app', 'versions', 'folder')).toEqual([{ version: 'v1', deployed: true }]);
    expect(await platform.json('app', 'get', 'folder')).toMatchObject({ metadata: { name: 'folder' } });
    const status = (await platform.json('app', 'status', 'folder')) as AppStatus;
    expect(status.scalers.map((part) => part.status.type)).toEqual(status.scalers.map(() => 'deployed'));
    const again = await runWattle(['app', 'deploy', folder, '--data-dir', platform.dataDir]);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    await platform.json('app', 'undeploy', 'folder');
    expect(await platform.json('actor', 'list')).toEqual([]);
    await platform.json('app', 'deploy', 'folder', 'v1');
    await platform.json('app', 'delete', 'folder');
    expect(await platform.json('app', 'list')).toEqual([]);
  });

  test('whose version is stored with other content is refused', async () => {
    const port = await freePort();
    const file = join(platform.dataDir, 'clash.json');
    const manifest = createManifest({ app: 'clash', file: hello, port });
    await writeFile(file, manifest);
    await platform.json('app', 'put', file);
    expect(await platform.json('app', 'put', file)).toMatchObject({ created: false });
    await writeFile(file, manifest.replace('test application', 'another application'));
    const refused = await platform.wattle('app', 'deploy', file, '-o', 'json');
    expect(refused.code).toBe(1);
    expect(errorOf(refused.stdout)).toMatchObject({
      code: 'E_MANIFEST_VERSION',
      message: expect.stringContaining('v1'),
    });
    await platform.json('app', 'delete', 'clash');
  });

  test('that cannot run ends the wait with the cause and the place in the manifest', async () => {
    const file = join(platform.dataDir, 'broken.yaml');
    await writeFile(file, createManifest({ app: 'broken', file: '/nowhere/x.wasm', port: await freePort() }));
    const failed = await platform.wattle('app', 'deploy', file, '--wait', '30000');
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(new RegExp(`^E_ARTIFACT_NOT_FOUND: broken is failed: .*\\(${file}:1:\\d+\\)`, 'm'));
    expect((await platform.wattle('app', 'status', 'broken')).stdout).toContain('E_ARTIFACT_NOT_FOUND');
    await platform.json('app', 'delete', 'broken');
  });

  test('whose manifest is wrong is refused with every finding, with and without a lattice', async () => {
    const file = join(platform.dataDir, 'wrong.yaml');
    await writeFile(file, createManifest({ app: 'wrong', file: hello, port: 1 }).replace('"component"', '"compnent"'));
    const validated = await runWattle(['app', 'validate', file]);
    expect(validated.code).toBe(1);
    expect(validated.stdout).toMatch(new RegExp(`^${file}:1:\\d+: error: unknown component type "compnent"`));
    expect(JSON.parse((await runWattle(['app', 'validate', file, '-o', 'json'])).stdout)).toMatchObject({
      valid: false,
    });
    expect((await platform.wattle('app', 'deploy', file)).stderr).toMatch(/^E_MANIFEST: /m);
  });
});

describe('a platform in the background', () => {
  test('is ready when up returns, is found by its data directory, and is gone after down', async () => {
    await using directory = await startTemporaryDirectory();
    const { path: natsServer } = await findNatsBinary({ cacheDir });
    const at = ['--data-dir', directory.path];
    const up = ['up', '--detach', '--nats-port', '0', '--nats-server', natsServer, ...at];
    const started = await runWattle([...up, '--lattice', 'shop', '-o', 'json']);
    expect(started, started.stdout).toMatchObject({ code: 0, stderr: '' });
    const { pid, lattice } = JSON.parse(started.stdout) as { pid: number; lattice: string };
    expect(lattice).toBe('shop');
    const hosts = JSON.parse((await runWattle(['host', 'list', '-o', 'json', ...at])).stdout) as { lattice: string }[];
    expect(hosts).toMatchObject([{ lattice: 'shop' }]);
    expect(errorOf((await runWattle([...up, '-o', 'json'])).stdout).message).toContain(`pid ${pid}`);
    const children = descendantsOf(pid);
    expect((await runWattle(['down', ...at])).code).toBe(0);
    for (const child of [pid, ...children])
      await eventually(() => !isAlive(child), { what: `process ${child} to end` });
    expect((await runWattle(['down', ...at])).stderr).toMatch(/^E_NOT_RUNNING: /);
    expect((await runWattle(['app', 'list', ...at])).stderr).toMatch(/^E_NOT_RUNNING: /);
  });

  test('that cannot start passes its error on', async () => {
    await using directory = await startTemporaryDirectory();
    const at = ['--data-dir', directory.path];
    const failed = await runWattle(['up', '--detach', '--nats-server', '/nowhere/nats-server', ...at, '-o', 'json']);
    expect(failed.code).toBe(69);
    expect(errorOf(failed.stdout)).toMatchObject({ code: 'E_NATS_SERVER' });
    expect(findProcesses(directory.path)).toEqual([]);
  });

  test('that cannot deploy says why and stops', async () => {
    await using directory = await startTemporaryDirectory();
    const { path: natsServer } = await findNatsBinary({ cacheDir });
    const file = join(directory.path, 'broken.yaml');
    await writeFile(file, createManifest({ app: 'broken', file: '/nowhere/x.wasm', port: await freePort() }));
    const at = ['--nats-port', '0', '--nats-server', natsServer, '--data-dir', directory.path];
    const failed = await runWattle(['up', '--detach', '--deploy', file, ...at]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/^E_ARTIFACT_NOT_FOUND: broken is failed/m);
    await eventually(() => findProcesses(directory.path).length === 0, { what: 'nothing to be left' });
  });

  test('killed hard leaves nothing that names it', async () => {
    await using directory = await startTemporaryDirectory();
    const { path: natsServer } = await findNatsBinary({ cacheDir });
    const up = ['up', '--detach', '--nats-port', '0', '--nats-server', natsServer, '--data-dir', directory.path];
    await runWattle(up);
    const { pid } = JSON.parse(readFileSync(join(directory.path, 'up.json'), 'utf8')) as { pid: number };
    const children = descendantsOf(pid);
    process.kill(pid, 'SIGKILL');
    for (const child of children) await eventually(() => !isAlive(child), { what: `process ${child} to end` });
    expect((await runWattle(['down', '--data-dir', directory.path])).stderr).toMatch(/^E_NOT_RUNNING: /);
    const again = await runWattle(up);
    expect(again.code, again.stderr).toBe(0);
    await runWattle(['down', '--data-dir', directory.path]);
  });
});

describe('a command line that is wrong', () => {
  test.each([
    [['nonsense'], 'unknown command'],
    [['app', 'list', '--nope'], '--nope'],
    [['actor', 'start', 'x'], 'missing required argument'],
    [['app', 'list', '--output', 'xml'], 'xml'],
    [['actor', 'scale', 'x', 'many'], 'many'],
    [['app'], 'subcommand'],
  ])('%j exits 64, as text and as JSON', async (words, said) => {
    const text = await runWattle(words);
    expect(text.code).toBe(64);
    if (words.length > 1) expect(text.stderr).toMatch(/^E_USAGE: /);
    if (words.includes('xml')) return;
    const json = await runWattle([...words, '-o', 'json']);
    expect(json.code).toBe(64);
    expect(errorOf(json.stdout)).toMatchObject({ code: 'E_USAGE', message: expect.stringContaining(said) });
  });

  test('reaches nothing and says which process is missing', async () => {
    const port = await freePort();
    const result = await runWattle(['app', 'list', '--nats-url', `nats://127.0.0.1:${port}`]);
    expect(result.code).toBe(69);
    expect(result.stderr).toMatch(/^E_LATTICE: cannot reach the lattice at .*\n {2}→ .*wattle up/);
  });
});
