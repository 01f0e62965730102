// Several hosts on one lattice: actors that find each other across hosts, a host that dies, and swaps under load.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openKeyring } from '../../lattice/keyring.ts';
import { eventually } from '../support/eventually.ts';
import { runOpenLoop } from '../support/open-loop.ts';
import { freePort, type Platform, startPlatform, startWattle, type WattleProcess } from '../support/platform.ts';
import { buildSample, createManifest, deployManifest } from '../support/sample.ts';
import { runTenSwaps } from '../support/swap-load.ts';
import { wat } from '../support/wat.ts';

interface Inventory {
  readonly host_id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly components: readonly { readonly id: string; readonly max_instances: number; readonly state: string }[];
}

const inventories = async (platform: Platform): Promise<Inventory[]> =>
  (await platform.json('host', 'inventory')) as Inventory[];
const hostWith = async (platform: Platform, label: string, value: string): Promise<Inventory | undefined> =>
  (await inventories(platform)).find((host) => host.labels[label] === value);

const startHost = (platform: Platform, label: string): Promise<WattleProcess> =>
  startWattle([
    'host',
    'start',
    '--data-dir',
    platform.dataDir,
    '--nats-url',
    platform.natsUrl,
    '--name',
    label,
    '--label',
    `zone=${label}`,
  ]);

describe('Actors on different hosts', () => {
  it('reach each other by call alias, and by id from the command line', async () => {
    await using platform = await startPlatform(['--label', 'zone=one']);
    await using _second = await startHost(platform, 'two');
    const port = await freePort();
    const [ping, pong] = [await buildSample(platform.dataDir, 'ping'), await buildSample(platform.dataDir, 'pong')];
    await deployManifest(platform, createManifest({ app: 'ping', file: ping, port, requirements: { zone: 'one' } }));
    const two = await eventually(() => hostWith(platform, 'zone', 'two'), { what: 'the second host to answer' });
    expect(await platform.wattle('actor', 'start', `file://${pong}`, 'pong', '--host', two.host_id)).toMatchObject({
      code: 0,
    });
    const answer = await fetch(`http://127.0.0.1:${port}/across`);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('got /across')]);
    expect(await platform.json('call', 'pong', 'Pong.Ping', '"hi"')).toMatch(/got hi/);
    const { publicKey } = await openKeyring(platform.dataDir).module('pong');
    expect(await platform.json('call', publicKey, 'Pong.Ping', '"by key"')).toMatch(/got by key/);

    // beyond 900 KiB a body travels in chunks, there and back
    const large = join(platform.dataDir, 'large.json');
    await writeFile(large, JSON.stringify('x'.repeat(1_500_000)));
    const answered = (await platform.json('call', 'pong', 'Pong.Ping', `@${large}`)) as string;
    expect(answered.length).toBeGreaterThan(1_500_000);
  });

  it('use providers of other hosts through their links', async () => {
    await using platform = await startPlatform(['--label', 'zone=one']);
    await using _second = await startHost(platform, 'two');
    await eventually(() => hostWith(platform, 'zone', 'two'), { what: 'the second host to answer' });
    const port = await freePort();
    const file = await buildSample(platform.dataDir, 'counter');
    const store = { image: 'wattle:keyvalue-nats', config: { bucket: 'far' } };
    for (const zone of ['one', 'two']) {
      const manifest = createManifest({ app: 'far', file, port, store, requirements: { zone }, version: zone });
      await deployManifest(platform, manifest);
      const answer = await fetch(`http://127.0.0.1:${port}/far`);
      expect(answer.status).toBe(200);
    }
    const running = (await inventories(platform)).flatMap((host) =>
      host.components.map(({ id }) => [host.labels.zone, id]),
    );
    expect(running).toEqual([['two', 'far-actor']]);
    expect(await (await fetch(`http://127.0.0.1:${port}/far`)).json()).toMatchObject({ value: 3 });
  });

  it('that serve one id share its load, and a killed one takes only its calls in flight with it', async () => {
    await using platform = await startPlatform(['--label', 'zone=one']);
    const hosts = [await startHost(platform, 'two'), await startHost(platform, 'three')];
    const port = await freePort();
    const [ping, pong] = [await buildSample(platform.dataDir, 'ping'), await buildSample(platform.dataDir, 'pong')];
    const one = { zone: 'one' };
    await deployManifest(
      platform,
      createManifest({ app: 'ping', file: ping, port, instances: 200, requirements: one, httpRequirements: one }),
    );
    for (const zone of ['two', 'three']) {
      const host = await eventually(() => hostWith(platform, 'zone', zone), { what: `host ${zone} to answer` });
      const started = await platform.wattle(
        'actor',
        'start',
        `file://${pong}`,
        'pong',
        '--host',
        host.host_id,
        '--count',
        '100',
      );
      expect(started).toMatchObject({ code: 0 });
    }
    const load = runOpenLoop({ url: `http://127.0.0.1:${port}`, perSecond: 200, seconds: 4 });
    setTimeout(() => hosts[0]!.process.kill('SIGKILL'), 1500);
    const answers = await load;
    await hosts[1]!.stop();
    const failed = answers.filter(({ status }) => status !== 200);
    // 200 a second, a few milliseconds a call, and the moment until NATS sees the closed connection
    expect(failed.length).toBeLessThan(20);
    expect(answers.slice(-200).every(({ status }) => status === 200)).toBe(true);
  });
});

describe('Ten swaps under load', () => {
  it('lose no request, run none twice, and answer each by exactly one version', async () => {
    const account = await runTenSwaps();
    expect(account.sent).toBe(11_000);
    expect(account.failed.slice(0, 3)).toEqual([]);
    expect(account.twice.slice(0, 3)).toEqual([]);
    expect(account.stale.slice(0, 3)).toEqual([]);
  });
});

describe('A hostile module', () => {
  it('takes at most its own cell down; the others go on answering and the user reads why', async () => {
    await using platform = await startPlatform(['--allow-unsigned']);
    const port = await freePort();
    const hello = await buildSample(platform.dataDir, 'hello');
    await deployManifest(platform, createManifest({ app: 'hello', file: hello, port }));
    const file = join(platform.dataDir, 'hostile.wasm');
    await writeFile(
      file,
      wat(
        '(module (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (loop $l (br $l)) (i32.const 1)))',
      ),
    );
    expect(await platform.wattle('actor', 'start', `file://${file}`, 'hostile')).toMatchObject({ code: 0 });
    const load = runOpenLoop({ url: `http://127.0.0.1:${port}`, perSecond: 100, seconds: 8 });
    const call = await platform.wattle('call', 'hostile', 'Test.Run', '--timeout', '8000');
    expect(call.stderr).toMatch(/E_ACTOR_DEADLINE/);
    expect((await load).filter(({ status }) => status !== 200)).toEqual([]);
    const table = join(platform.dataDir, 'table.wasm');
    await writeFile(
      table,
      wat(
        '(module (table 10000000 funcref) (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))',
      ),
    );
    expect((await platform.wattle('actor', 'start', `file://${table}`, 'table')).stderr).toMatch(/E_WASM_LIMIT.*table/);
  });
});
