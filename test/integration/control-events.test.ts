// What hosts tell without being asked, and what several of them answer together: every event in the form strict readers
// demand (protocol.md 4.2, 4.3), heartbeats in time, one answer of a queue group.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buckets } from '../../lattice/subjects.ts';
import { type ControlLattice, type Envelope, type SeenEvent, startControlLattice } from '../support/control-lattice.ts';
import { envelope, eventReaders, hostAnswer, inventory } from '../support/event-readers.ts';
import { eventually } from '../support/eventually.ts';
import { startHost, type TestHost, type TestModule, writeEcho } from '../support/host.ts';
import { freePort } from '../support/platform.ts';
import { subject } from '../support/signed-module.ts';

const typePrefix = 'com.wasmcloud.lattice.';
const nameOf = (event: SeenEvent): string => event.type.slice(typePrefix.length);

describe('every event', () => {
  let lattice: ControlLattice;
  let host: TestHost;
  let module: TestModule;

  beforeAll(async () => {
    lattice = await startControlLattice();
    host = await startHost(lattice.nats.connection, { labels: { zone: 'a' } });
    module = await writeEcho(lattice.directory, { call_alias: 'test/echo', tags: ['a', 'b'] });
  });
  afterAll(async () => {
    await lattice[Symbol.asyncDispose]();
  });

  const ask = async (suffix: string, body: object): Promise<void> => {
    expect(await lattice.ask(suffix, body)).toMatchObject({ success: true });
  };
  const scale = (body: object): Promise<void> => ask(`component.scale.${host.id}`, body);

  test('of a host begins with its start and a first heartbeat', async () => {
    await lattice.event('host_heartbeat');
    expect(lattice.events.slice(0, 2).map(nameOf)).toEqual(['host_started', 'host_heartbeat']);
    expect(lattice.events[0]?.data).toMatchObject({ labels: { zone: 'a' }, uptime_seconds: 0 });
  });

  test('of an actor names it, its host, its image as asked for, and its claims', async () => {
    const annotations = { 'wasmcloud.dev/managed-by': 'wadm' };
    await scale({ component_id: 'echo', component_ref: module.ref, count: 2, annotations });
    const scaled = await lattice.event('component_scaled');
    expect(scaled.data).toMatchObject({
      component_id: 'echo',
      host_id: host.id,
      image_ref: module.ref,
      max_instances: 2,
      annotations,
      public_key: subject.publicKey,
      claims: { call_alias: 'test/echo', tags: ['a', 'b'], name: 'Echo', revision: 4, expires_human: 'never' },
    });
    await scale({ component_id: 'echo', component_ref: module.ref, count: 0, annotations });
    await lattice.event('component_scaled', ({ data }) => data.max_instances === 0);
  });

  test('of an actor that cannot start says why, with the reference that was asked for', async () => {
    await scale({ component_id: 'missing', component_ref: 'file:///nowhere.wasm', count: 3, annotations: { a: 'b' } });
    const failed = await lattice.event('component_scale_failed', ({ data }) => data.component_id === 'missing');
    expect(failed.data).toMatchObject({
      image_ref: 'file:///nowhere.wasm',
      max_instances: 3,
      annotations: { a: 'b' },
      error: expect.stringMatching(/^E_ARTIFACT_NOT_FOUND: /),
    });
    expect(failed.data).not.toHaveProperty('public_key');
  });

  test('of an update that fails names the module that goes on', async () => {
    await scale({ component_id: 'stays', component_ref: module.ref, count: 1 });
    const body = { component_id: 'stays', new_component_ref: 'file:///nowhere.wasm' };
    await ask(`component.update.${host.id}`, body);
    const failed = await lattice.event('component_scale_failed', ({ data }) => data.component_id === 'stays');
    expect(failed.data).toMatchObject({ public_key: subject.publicKey, max_instances: 1 });
  });

  test('of a provider follows its start, its health and its stop', async () => {
    const annotations = { a: 'b' };
    const start = { provider_id: 'kv', provider_ref: 'ghcr.io/wasmcloud/keyvalue-nats:0.3.1', annotations };
    await ask(`provider.start.${host.id}`, start);
    const started = await lattice.event('provider_started');
    expect(started.data).toMatchObject({ provider_id: 'kv', image_ref: start.provider_ref, annotations });
    const ofIt = ({ data }: SeenEvent): boolean => data.provider_id === 'kv';
    await lattice.event('health_check_passed', ofIt);
    await lattice.event('health_check_status', ofIt);
    await ask(`provider.stop.${host.id}`, { provider_id: 'kv' });
    expect((await lattice.event('provider_stopped', ofIt)).data).toMatchObject({ annotations, reason: 'stop' });
  });

  test('of a provider that cannot start or serve says why', async () => {
    await ask(`provider.start.${host.id}`, { provider_id: 'none', provider_ref: 'example.org/none:1' });
    await ask(`provider.start.${host.id}`, {
      provider_id: 'bad',
      provider_ref: 'wattle:http-server',
      config: ['gone'],
    });
    const failures = ['none', 'bad'].map((id) =>
      lattice.event('provider_start_failed', ({ data }) => data.provider_id === id),
    );
    expect((await Promise.all(failures)).map(({ data }) => data.error)).toEqual([
      expect.stringMatching(/^E_PROVIDER_REF/),
      expect.stringMatching(/^E_CONFIG_MISSING/),
    ]);
  });

  test('of a link and a config follows the change', async () => {
    const key = { source_id: 'echo', name: 'default', wit_namespace: 'wasi', wit_package: 'keyvalue' };
    await ask('link.put', { ...key, target: 'redis', interfaces: ['store'], target_config: ['redis'] });
    expect((await lattice.event('linkdef_set')).data).toMatchObject({ ...key, target: 'redis', interfaces: ['store'] });
    await ask('config.put.redis', { url: 'redis://127.0.0.1:1' });
    await ask('config.put.other', { a: 'b' });
    await ask('config.del.other', {});
    await lattice.event('config_set', ({ data }) => data.config_name === 'redis');
    await lattice.event('config_deleted', ({ data }) => data.config_name === 'other');
    await ask(`provider.start.${host.id}`, { provider_id: 'redis', provider_ref: 'wattle:keyvalue-redis' });
    await lattice.event('health_check_failed', ({ data }) => data.provider_id === 'redis');
    await ask('config.put.redis', { url: 'not a url' });
    const failed = await lattice.event('linkdef_set_failed');
    expect(failed.data).toMatchObject({ ...key, target: 'redis', error: expect.stringMatching(/^E_LINK_CONFIG/) });
    await ask('link.del', key);
    expect((await lattice.event('linkdef_deleted')).data).toMatchObject({ ...key, target: 'redis' });
  });

  test('of a label is followed at once by a heartbeat that shows it', async () => {
    const from = lattice.events.length;
    await ask(`label.put.${host.id}`, { key: 'disk', value: 'ssd' });
    const labels = { zone: 'a', disk: 'ssd' };
    expect((await lattice.event('labels_changed')).data).toMatchObject({ host_id: host.id, labels });
    expect((await lattice.event('host_heartbeat', () => true, from)).data).toMatchObject({ labels });
  });

  test('of a host ends with its stop', async () => {
    await host[Symbol.asyncDispose]();
    await lattice.event('host_stopped');
    expect(nameOf(lattice.events.at(-1)!)).toBe('host_stopped');
  });

  test('is a CloudEvent on the subject of its name, with what strict readers require', () => {
    const wrong = lattice.events.flatMap((event) => {
      const name = nameOf(event);
      const subjectIs = event.subject === `wasmbus.evt.${lattice.lattice}.${name}`;
      const problems = [
        envelope.safeParse(event).error?.message,
        eventReaders[name]?.safeParse(event.data).error?.message,
        subjectIs ? undefined : `published on ${event.subject}`,
        event.source === host.id ? undefined : `from ${event.source}`,
      ];
      return problems.filter((problem) => problem !== undefined).map((problem) => `${name}: ${problem}`);
    });
    expect(wrong).toEqual([]);
    expect(new Set(lattice.events.map(({ id }) => id)).size).toBe(lattice.events.length);
    expect([...new Set(lattice.events.map(nameOf))].sort()).toEqual(Object.keys(eventReaders).sort());
  });
});

describe('a heartbeat', () => {
  test('comes in its interval, and at once when something changed', async () => {
    await using lattice = await startControlLattice();
    await using host = await startHost(lattice.nats.connection, { heartbeatMs: 300 });
    const beats = (): SeenEvent[] => lattice.events.filter((event) => nameOf(event) === 'host_heartbeat');
    await eventually(() => beats().length >= 4);
    const times = beats().map(({ time }) => Date.parse(String(time)));
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    expect(Math.max(...gaps)).toBeLessThan(1500);
    await using slow = await startHost(lattice.nats.connection, { heartbeatMs: 3_600_000 });
    const of = (id: string): SeenEvent[] => beats().filter(({ source }) => source === id);
    await eventually(() => of(slow.id).length === 1);
    const { ref } = await writeEcho(lattice.directory);
    await lattice.ask(`component.scale.${slow.id}`, { component_id: 'echo', component_ref: ref, count: 1 });
    await eventually(() => inventory.parse(of(slow.id).at(-1)?.data).components.some(({ id }) => id === 'echo'));
    expect(of(host.id).every(({ data }) => inventory.parse(data).components.length === 0)).toBe(true);
  });
});

describe('two hosts of a lattice', () => {
  let lattice: ControlLattice;
  let hosts: readonly TestHost[];

  beforeAll(async () => {
    lattice = await startControlLattice();
    const { connection } = lattice.nats;
    hosts = [
      await startHost(connection, { labels: { zone: 'a' } }),
      await startHost(connection, { labels: { zone: 'b' } }),
    ];
  });
  afterAll(async () => {
    for (const host of hosts) await host[Symbol.asyncDispose]();
    await lattice[Symbol.asyncDispose]();
  });

  const idsOf = (replies: readonly Envelope[]): string[] =>
    replies.map(({ response }) => hostAnswer.parse(response).id).sort();

  test('answer once what is asked of the lattice', async () => {
    const link = { source_id: 'a', target: 'b', wit_namespace: 'wasi', wit_package: 'keyvalue' };
    const requests: readonly (readonly [string, object?])[] = [
      ['link.get'],
      ['link.put', link],
      ['link.del', link],
      ['claims.get'],
      ['config.get.nothing'],
      ['config.put.something', { a: 'b' }],
      ['config.del.something'],
      ['config.list'],
    ];
    for (const [suffix, body] of requests) {
      const replies = await lattice.askAll(suffix, body);
      expect(replies, suffix).toEqual([expect.objectContaining({ success: true })]);
    }
  });

  test('both answer a ping, and what each of them must know', async () => {
    expect(idsOf(await lattice.askAll('host.ping'))).toEqual(hosts.map(({ id }) => id).sort());
    expect(await lattice.askAll('registry.put', {})).toHaveLength(2);
    const bid = { component_ref: 'file:///x', component_id: 'new', constraints: {} };
    expect(await lattice.askAll('component.auction', bid)).toHaveLength(2);
    const only = await lattice.askAll('component.auction', { ...bid, constraints: { zone: 'b' } });
    expect(only.map(({ response }) => (response as { host_id: string }).host_id)).toEqual([hosts[1]?.id]);
  });

  test('answer for themselves only where a host is named', async () => {
    for (const { id } of hosts) {
      const replies = await lattice.askAll(`host.get.${id}`);
      expect(replies.map(({ response }) => inventory.parse(response).host_id)).toEqual([id]);
    }
  });

  test('know the same links, claims and config, whichever of them was told', async () => {
    const { ref } = await writeEcho(lattice.directory);
    await lattice.ask(`component.scale.${hosts[0]?.id}`, { component_id: 'echo', component_ref: ref, count: 1 });
    await lattice.event('component_scaled');
    await lattice.ask('config.put.shared', { a: 'b' });
    const answers = async (suffix: string): Promise<string[]> => {
      const replies = await Promise.all(Array.from({ length: 20 }, () => lattice.ask(suffix)));
      return [...new Set(replies.map(({ response }) => JSON.stringify(response)))];
    };
    await eventually(async () => (await answers('claims.get')).join().includes(subject.publicKey));
    await eventually(async () => (await answers('claims.get')).length === 1);
    await eventually(async () => (await answers('config.get.shared')).join() === '{"a":"b"}');
    const kv = await lattice.connection.bucket(buckets.latticeData(lattice.lattice));
    expect((await kv.get('COMPONENT_echo'))?.json()).toEqual({ url: ref, links: [] });
    expect((await kv.get(`CLAIMS_${subject.publicKey}`))?.json()).toEqual({
      capabilities: ['wasmcloud:httpserver'],
      issuer: expect.stringMatching(/^A/),
      name: 'Echo',
      revision: '4',
      subject: subject.publicKey,
      tags: [],
      version: '0.3.4',
    });
  });

  test('refuse together a link that one of them could not serve', async () => {
    const http = { wit_namespace: 'wasi', wit_package: 'http', interfaces: ['incoming-handler'] };
    await lattice.ask('config.put.address', { address: `127.0.0.1:${await freePort()}` });
    await lattice.ask(`provider.start.${hosts[1]?.id}`, { provider_id: 'http', provider_ref: 'wattle:http-server' });
    await lattice.event('provider_started');
    await eventually(async () => {
      const replies = await lattice.askAll('config.get.address');
      return replies[0]?.response !== undefined;
    });
    const link = { ...http, source_id: 'http', source_config: ['address'] };
    expect(await lattice.ask('link.put', { ...link, target: 'one' })).toMatchObject({ success: true });
    await eventually(async () => {
      const reply = await lattice.ask('link.put', { ...link, target: 'two', name: 'second' });
      return reply.code === 'E_ROUTE_TAKEN';
    });
  });
});
