// The control interface v1 as other tools see it (protocol.md 3.2, row by row): subjects and bodies are spelled out here, a
// real host answers, its actors run in real cells.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { buckets } from '../../lattice/subjects.ts';
import { type ControlLattice, type Envelope, startControlLattice } from '../support/control-lattice.ts';
import { hostAnswer, inventory } from '../support/event-readers.ts';
import { eventually } from '../support/eventually.ts';
import { startHost, type TestHost, type TestModule, writeEcho } from '../support/host.ts';
import { issuer, subject } from '../support/signed-module.ts';

let lattice: ControlLattice;
let host: TestHost;
let first: TestModule;
let second: TestModule;

beforeAll(async () => {
  lattice = await startControlLattice();
  host = await startHost(lattice.nats.connection, { labels: { zone: 'a' } });
  first = await writeEcho(lattice.directory);
  second = await writeEcho(lattice.directory, { rev: 5, ver: '0.4.0' });
});
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await lattice[Symbol.asyncDispose]();
});

const strings = z.record(z.string(), z.string());
const ok = (message: unknown = expect.any(String)): object => ({ success: true, message });
const refused = (code: string, message: unknown = expect.any(String)): object => ({ success: false, message, code });
const describeActor = async (id: string) =>
  inventory.parse((await lattice.ask(`host.get.${host.id}`)).response).components.filter((actor) => actor.id === id);
const providerIds = async (): Promise<string[]> =>
  inventory.parse((await lattice.ask(`host.get.${host.id}`)).response).providers.map(({ id }) => id);

const scale = (body: object): Promise<Envelope> => lattice.ask(`component.scale.${host.id}`, body);
const run = async (id: string, extra: object = {}): Promise<void> => {
  expect(await scale({ component_id: id, component_ref: first.ref, count: 1, ...extra })).toMatchObject(ok());
  await lattice.event('component_scaled', ({ data }) => data.component_id === id);
};
const startProvider = async (id: string): Promise<void> => {
  const body = { provider_id: id, provider_ref: 'wattle:keyvalue-nats', host_id: host.id };
  expect(await lattice.ask(`provider.start.${host.id}`, body)).toEqual(ok());
  await lattice.event('provider_started', ({ data }) => data.provider_id === id);
};
const link = (values: object = {}): object => ({
  source_id: 'front',
  target: 'store',
  name: 'default',
  wit_namespace: 'wasi',
  wit_package: 'keyvalue',
  interfaces: ['store'],
  source_config: [],
  target_config: [],
  ...values,
});

describe('host.*', () => {
  test('ping tells who is there', async () => {
    const replies = await lattice.askAll('host.ping');
    expect(replies).toEqual([{ ...ok(), response: expect.anything() }]);
    const answer = hostAnswer.parse(replies[0]!.response);
    expect(answer).toMatchObject({ id: host.id, lattice: lattice.lattice, labels: { zone: 'a' } });
    expect(Object.keys(answer.labels)).toEqual(
      expect.arrayContaining(['hostcore.arch', 'hostcore.os', 'hostcore.osfamily']),
    );
  });

  test('get tells what it runs, with both lists also when they are empty', async () => {
    const reply = await lattice.ask(`host.get.${host.id}`);
    expect(reply).toEqual({ ...ok(), response: expect.anything() });
    expect(inventory.parse(reply.response)).toMatchObject({
      host_id: host.id,
      components: expect.any(Array),
      providers: expect.any(Array),
    });
  });

  test('stop takes a JSON body for this host, and nothing else', async () => {
    const stop = `host.stop.${host.id}`;
    expect(await lattice.ask(stop)).toEqual(refused('E_CONTROL'));
    expect(await lattice.ask(stop, 'now')).toEqual(refused('E_CONTROL', 'the message is not JSON'));
    expect(await lattice.ask(stop, { host_id: 'NOTHER' })).toEqual(refused('E_CONTROL'));
    expect(await lattice.ask(stop, { host_id: host.id, timeout: 'soon' })).toEqual(refused('E_CONTROL'));
    expect(host.stopRequests()).toBe(0);
    expect(await lattice.ask(stop, { host_id: host.id, timeout: 10_000 })).toEqual(
      ok('successfully handled stop host'),
    );
    expect(await lattice.ask(stop, {})).toEqual(ok('successfully handled stop host'));
    expect(host.stopRequests()).toBe(2);
  });
});

describe('component.*', () => {
  test('auction is answered by a host whose labels match, and met with silence by others', async () => {
    const bid = { component_ref: first.ref, component_id: 'wanted', constraints: { zone: 'a' } };
    expect(await lattice.askAll('component.auction', bid)).toEqual([
      { ...ok(), response: { ...bid, host_id: host.id } },
    ]);
    const bids = [{ zone: 'b' }, { zone: 'a', disk: 'ssd' }, { constructor: 'x' }].map((constraints) =>
      lattice.askAll('component.auction', { ...bid, constraints }),
    );
    expect(await Promise.all(bids)).toEqual([[], [], []]);
  });

  test('auction is met with silence where the id runs already', async () => {
    await run('taken');
    const bid = { component_ref: first.ref, component_id: 'taken', constraints: {} };
    expect(await lattice.askAll('component.auction', bid)).toEqual([]);
  });

  test('scale is acknowledged before the module is fetched', async () => {
    const bytes = await readFile(first.path);
    const release = Promise.withResolvers<void>();
    const server = createServer((_request, response) => void release.promise.then(() => response.end(bytes)));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const ref = `http://127.0.0.1:${(server.address() as AddressInfo).port}/echo.wasm`;
    const id = 'slow-to-fetch';
    expect(await scale({ component_id: id, component_ref: ref, count: 1 })).toEqual(ok());
    expect(await describeActor(id)).toEqual([]);
    const update = { component_id: id, new_component_ref: second.ref };
    expect(await lattice.ask(`component.update.${host.id}`, update)).toEqual(ok());
    release.resolve();
    await lattice.event('component_scaled', ({ data }) => data.component_id === id && data.image_ref === second.ref);
    server.close();
  });

  test('scale counts by `count`; `max_instances` stands in where there is none', async () => {
    await run('counted', { count: 3, max_instances: 7 });
    expect(await describeActor('counted')).toMatchObject([
      { image_ref: first.ref, max_instances: 3, name: 'Echo', revision: 4, annotations: {} },
    ]);
    await run('counted-by-washboard', { count: undefined, max_instances: 7 });
    expect(await describeActor('counted-by-washboard')).toMatchObject([{ max_instances: 7 }]);
  });

  test('scale without a count, or to 0, stops', async () => {
    for (const extra of [{}, { count: 0 }]) {
      await run('short-lived');
      expect(await scale({ component_id: 'short-lived', component_ref: first.ref, ...extra })).toEqual(ok());
      await eventually(async () => (await describeActor('short-lived')).length === 0);
    }
  });

  test('scale keeps a group of instances by annotations, and stops the one it names', async () => {
    const east = { spread: 'east', 'wasmcloud.dev/managed-by': 'wadm' };
    await run('grouped', { count: 2, annotations: east });
    await scale({ component_id: 'grouped', component_ref: first.ref, count: 4, annotations: { spread: 'west' } });
    await eventually(async () => (await describeActor('grouped')).length === 2);
    expect(await describeActor('grouped')).toMatchObject([
      { max_instances: 2, annotations: east },
      { max_instances: 4, annotations: { spread: 'west' } },
    ]);
    await scale({ component_id: 'grouped', component_ref: first.ref, count: 0, annotations: east });
    await eventually(async () => (await describeActor('grouped')).length === 1);
    expect(await describeActor('grouped')).toMatchObject([{ annotations: { spread: 'west' } }]);
  });

  test('scale of a running actor to another reference succeeds with a warning, and changes the count only', async () => {
    await run('stays');
    const reply = await scale({ component_id: 'stays', component_ref: second.ref, count: 5 });
    expect(reply).toEqual(ok(expect.stringMatching(/only its count changes.*allow_update/)));
    await eventually(async () => (await describeActor('stays'))[0]?.max_instances === 5);
    expect(await describeActor('stays')).toMatchObject([{ image_ref: first.ref, revision: 4 }]);
    const allowed = { component_id: 'stays', component_ref: second.ref, count: 5, allow_update: true };
    expect(await scale(allowed)).toEqual(ok('scaling stays to 5'));
    await eventually(async () => (await describeActor('stays'))[0]?.revision === 5);
  });

  test('update replaces the module, and the lattice hears of its new claims', async () => {
    await run('updated', { count: 2 });
    const body = { component_id: 'updated', host_id: host.id, new_component_ref: second.ref, annotations: {} };
    expect(await lattice.ask(`component.update.${host.id}`, body)).toEqual(ok());
    await eventually(async () => (await describeActor('updated'))[0]?.image_ref === second.ref);
    expect(await describeActor('updated')).toMatchObject([{ revision: 5, max_instances: 2 }]);
    const kv = await lattice.connection.bucket(buckets.latticeData(lattice.lattice));
    await eventually(async () => (await kv.get('COMPONENT_updated'))?.json<{ url: string }>().url === second.ref);
    expect((await kv.get(`CLAIMS_${subject.publicKey}`))?.json()).toMatchObject({ revision: '5', version: '0.4.0' });
  });

  test('update of what does not run here is refused', async () => {
    const body = { component_id: 'nobody', new_component_ref: second.ref };
    expect(await lattice.ask(`component.update.${host.id}`, body)).toEqual(
      refused('E_NOT_FOUND', 'component nobody not found'),
    );
  });
});

describe('provider.*', () => {
  test('auction is answered where labels match and the id is free', async () => {
    const bid = { provider_ref: 'wattle:keyvalue-nats', provider_id: 'auctioned', constraints: { zone: 'a' } };
    const answer = { ...ok(), response: { ...bid, host_id: host.id } };
    expect(await lattice.askAll('provider.auction', bid)).toEqual([answer]);
    expect(await lattice.askAll('provider.auction', { ...bid, constraints: { zone: 'b' } })).toEqual([]);
    await startProvider('auctioned');
    expect(await lattice.askAll('provider.auction', bid)).toEqual([]);
  });

  test('start and stop are answered, and shown by the inventory', async () => {
    await startProvider('kv');
    expect(await providerIds()).toContain('kv');
    expect(await lattice.ask(`provider.stop.${host.id}`, { host_id: host.id, provider_id: 'kv' })).toEqual(
      ok('successfully stopped provider'),
    );
    expect(await providerIds()).not.toContain('kv');
  });

  test('start of an id that runs is refused', async () => {
    await startProvider('twice');
    const body = { provider_id: 'twice', provider_ref: 'wattle:keyvalue-nats' };
    expect(await lattice.ask(`provider.start.${host.id}`, body)).toEqual(
      refused('E_CONFLICT', 'provider with that ID is already running'),
    );
  });

  test('stop takes the reference field in the place of the id, and refuses an id that does not run', async () => {
    await startProvider('by-alias');
    expect(await lattice.ask(`provider.stop.${host.id}`, { provider_ref: 'by-alias' })).toMatchObject(ok());
    const unknown = refused('E_NOT_FOUND', 'provider with that ID is not running');
    expect(await lattice.ask(`provider.stop.${host.id}`, { provider_id: 'by-alias' })).toEqual(unknown);
  });

  test('start of an image nobody has is acknowledged, and its failure is an event', async () => {
    const body = { provider_id: 'exotic', provider_ref: 'registry.example.org/exotic:1', config: [] };
    expect(await lattice.ask(`provider.start.${host.id}`, body)).toEqual(ok());
    const { data } = await lattice.event('provider_start_failed', (event) => event.data.provider_id === 'exotic');
    expect(data.error).toMatch(/^E_PROVIDER_REF: /);
    expect(await lattice.ask(`provider.start.${host.id}`, body)).toEqual(ok());
  });
});

describe('link.*', () => {
  test('put stores a link, get lists it in the shape it was put, del deletes it', async () => {
    const { target: _target, ...key } = link({ source_id: 'linked', interfaces: undefined }) as Record<string, unknown>;
    const put = link({ source_id: 'linked', source_config: ['a'], target_config: ['b', 'c.d'] });
    expect(await lattice.ask('link.put', put)).toEqual(ok('successfully set link'));
    const listed = async (): Promise<unknown[]> =>
      ((await lattice.ask('link.get')).response as { source_id: string }[]).filter((one) => one.source_id === 'linked');
    expect(await listed()).toEqual([put]);
    const kv = await lattice.connection.bucket(buckets.latticeData(lattice.lattice));
    expect((await kv.get('COMPONENT_linked'))?.json()).toEqual({ url: '', links: [put] });
    expect(await lattice.ask('link.del', key)).toEqual(ok('successfully deleted link'));
    expect(await listed()).toEqual([]);
    expect(await lattice.ask('link.del', key)).toEqual(ok('successfully deleted link'));
  });

  test('put fills in what may be left out', async () => {
    const body = { source_id: 'brief', target: 'store', wit_namespace: 'wasi', wit_package: 'keyvalue' };
    expect(await lattice.ask('link.put', body)).toMatchObject(ok());
    expect((await lattice.ask('link.get')).response).toContainEqual(link({ source_id: 'brief', interfaces: [] }));
  });

  test('put of another target under the same key is refused, of the same target replaces', async () => {
    const source_id = 'clashing';
    expect(await lattice.ask('link.put', link({ source_id }))).toMatchObject(ok());
    const clash =
      /^link already exists with different target, consider deleting the existing link or using a different link name \(the target is store\)$/;
    expect(await lattice.ask('link.put', link({ source_id, target: 'other' }))).toEqual(
      refused('E_CONFLICT', expect.stringMatching(clash)),
    );
    expect(await lattice.ask('link.put', link({ source_id, target_config: ['new'] }))).toMatchObject(ok());
    const named = { source_id, target: 'other', name: 'second' };
    expect(await lattice.ask('link.put', link(named))).toMatchObject(ok());
    const links = (await lattice.ask('link.get')).response as { source_id: string; target_config: string[] }[];
    expect(links.filter((one) => one.source_id === source_id)).toEqual([
      link({ source_id, target_config: ['new'] }),
      link(named),
    ]);
  });
});

describe('label.*', () => {
  test('put and del change the labels of the host, not those of its machine', async () => {
    const labels = async (): Promise<object> => hostAnswer.parse((await lattice.ask('host.ping')).response).labels;
    const [put, del] = [`label.put.${host.id}`, `label.del.${host.id}`];
    expect(await lattice.ask(put, { key: 'disk', value: 'ssd' })).toEqual(ok('successfully put label'));
    expect(await labels()).toMatchObject({ disk: 'ssd' });
    expect(await lattice.ask(del, { key: 'disk' })).toEqual(ok('successfully deleted label'));
    expect(await labels()).not.toHaveProperty('disk');
    const before = await labels();
    expect(await lattice.ask(put, { key: 'hostcore.os', value: 'beos' })).toEqual(refused('E_LABEL'));
    expect(await lattice.ask(del, { key: 'hostcore.os' })).toEqual(refused('E_LABEL'));
    expect(await lattice.ask(put, { key: 'disk' })).toEqual(refused('E_CONTROL'));
    expect(await labels()).toEqual(before);
  });
});

describe('config.*', () => {
  test('put, get and del carry texts under a name; a name nobody put is no error', async () => {
    const values = { url: 'redis://x', 'with.dot': '' };
    expect(await lattice.ask('config.put.app.store-1', values)).toEqual(ok('successfully put config'));
    expect(await lattice.ask('config.get.app.store-1')).toEqual({ ...ok(), response: values });
    const kv = await lattice.connection.bucket(buckets.config(lattice.lattice));
    expect((await kv.get('app.store-1'))?.json()).toEqual(values);
    expect(await lattice.ask('config.del.app.store-1')).toEqual(ok('successfully deleted config'));
    expect(await lattice.ask('config.get.app.store-1')).toEqual(ok('Configuration not found'));
    expect((await kv.get('app.store-1'))?.operation).toBe('DEL');
  });

  test('put of an empty map is a config, not its absence', async () => {
    await lattice.ask('config.put.empty', {});
    expect(await lattice.ask('config.get.empty')).toEqual({ ...ok(), response: {} });
  });

  test('of a name that is the id of a host is answered once', async () => {
    await lattice.ask(`config.put.${host.id}`, { a: 'b' });
    expect(await lattice.askAll(`config.get.${host.id}`)).toEqual([{ ...ok(), response: { a: 'b' } }]);
  });
});

describe('claims.get and registry.put', () => {
  test('claims are maps of text to text, with the names of both eras', async () => {
    await run('claimed');
    const claims = z.array(strings).parse((await lattice.ask('claims.get')).response);
    expect(claims).toMatchObject([
      { sub: subject.publicKey, iss: issuer.publicKey, name: 'Echo', caps: 'wasmcloud:httpserver', tags: '' },
    ]);
    expect(claims[0]).toMatchObject({ subject: subject.publicKey, issuer: issuer.publicKey, rev: claims[0]?.revision });
  });

  test('credentials of registries are refused by a host that pulls from none', async () => {
    const replies = await lattice.askAll('registry.put', { 'ghcr.io': { registryType: 'oci', username: 'u' } });
    expect(replies).toEqual([refused('E_NOT_SUPPORTED')]);
  });
});

describe('what is no request', () => {
  test.each([
    'host.frob',
    'host.ping',
    'component.auction',
    'component.constructor',
    'provider.__proto__',
    'label.get',
  ])('%s of a host is an unsupported subject', async (name) => {
    expect(await lattice.ask(`${name}.${host.id}`, {})).toEqual(refused('E_CONTROL', 'unsupported subject'));
  });

  test.each([
    'link.frob',
    'link.constructor',
    'link.__proto__',
    'config.frob',
    'config.toString.x',
    'config.hasOwnProperty',
  ])('%s is an unsupported subject', async (name) => {
    expect(await lattice.ask(name, {})).toEqual(refused('E_CONTROL', 'unsupported subject'));
  });

  /** Subjects that take a body, with one they accept. */
  const good: Readonly<Record<string, object>> = {
    'component.auction': { component_ref: 'file:///x', component_id: 'a', constraints: {} },
    'component.scale': { component_id: 'a', component_ref: 'file:///x', count: 0 },
    'component.update': { component_id: 'a', new_component_ref: 'file:///x' },
    'provider.auction': { provider_ref: 'wattle:x', provider_id: 'a', constraints: {} },
    'provider.start': { provider_id: 'a', provider_ref: 'wattle:x' },
    'provider.stop': { provider_id: 'a' },
    'host.stop': {},
    'label.put': { key: 'a', value: 'b' },
    'label.del': { key: 'a' },
    'link.put': link(),
    'link.del': { source_id: 'a', wit_namespace: 'wasi', wit_package: 'keyvalue' },
    'config.put.name': { a: 'b' },
  };
  const shared = /^(link|config)\.|auction$/;
  const suffixOf = (name: string): string => (shared.test(name) ? name : `${name}.${host.id}`);
  const withProto = (body: object): string =>
    `{"__proto__":{"x":1},${JSON.stringify(body).slice(1)}`.replace(',}', '}');

  test.each(Object.entries(good))('%s refuses bodies that are none', async (name, body) => {
    const bodies = ['', '{', 'null', '[]', '"text"', '17', Uint8Array.of(0xff, 0xfe, 0), '['.repeat(200_000)];
    for (const bad of [
      ...bodies,
      withProto(body),
      JSON.stringify(body).replace('{', '{"\\u005f_proto__":{},').replace(',}', '}'),
    ])
      expect(await lattice.ask(suffixOf(name), bad), String(bad).slice(0, 40)).toEqual(refused('E_CONTROL'));
  });

  const badIds = [
    '',
    '*',
    '>',
    'a.b',
    'a b',
    'a\n',
    '../x',
    '__proto__',
    'x'.repeat(129),
    'x'.repeat(500_000),
    7,
    null,
    {},
    ['a'],
  ];
  const idFields: readonly (readonly [string, string])[] = [
    ['component.auction', 'component_id'],
    ['component.scale', 'component_id'],
    ['component.update', 'component_id'],
    ['provider.auction', 'provider_id'],
    ['provider.start', 'provider_id'],
    ['provider.stop', 'provider_id'],
    ['link.put', 'source_id'],
    ['link.put', 'target'],
    ['link.put', 'name'],
    ['link.del', 'source_id'],
  ];
  test.each(idFields)('%s refuses a %s that is no id', async (name, field) => {
    for (const id of badIds) {
      const reply = await lattice.ask(suffixOf(name), { ...good[name], [field]: id });
      expect(reply, JSON.stringify(id)?.slice(0, 40)).toEqual(refused('E_CONTROL', expect.stringContaining(field)));
      expect(reply.message.length).toBeLessThan(300);
    }
  });

  const badFields: readonly (readonly [string, object])[] = [
    ['component.scale', { count: -1 }],
    ['component.scale', { count: 1.5 }],
    ['component.scale', { count: '3' }],
    ['component.scale', { count: 1e300 }],
    ['component.scale', { annotations: { a: 1 } }],
    ['component.scale', { annotations: ['a'] }],
    ['component.scale', { config: ['a b'] }],
    ['component.scale', { config: 'a' }],
    ['component.scale', { allow_update: 'yes' }],
    ['component.scale', { component_ref: '' }],
    ['component.scale', { component_ref: 'x'.repeat(3000) }],
    ['component.auction', { constraints: { a: 1 } }],
    ['provider.start', { provider_ref: 7 }],
    ['provider.start', { config: [{}] }],
    ['host.stop', { timeout: -1 }],
    ['label.put', { key: '' }],
    ['label.put', { key: 'x'.repeat(300) }],
    ['label.put', { value: 7 }],
    ['link.put', { wit_namespace: '' }],
    ['link.put', { wit_package: 'a\nb' }],
    ['link.put', { interfaces: [7] }],
    ['link.put', { source_config: ['*'] }],
    ['link.del', { wit_package: 'a\nb' }],
    ['config.put.name', { a: 7 }],
    ['config.put.name', { a: null }],
  ];
  const named = badFields.map(([name, fields]) => [name, JSON.stringify(fields).slice(0, 40), fields] as const);
  test.each(named)('%s refuses %s', async (name, _text, fields) => {
    expect(await lattice.ask(suffixOf(name), { ...good[name], ...fields })).toEqual(refused('E_CONTROL'));
  });

  test.each(['config.put', 'config.get', 'config.del', 'config.put.__proto__', 'config.get.a$b'])(
    '%s names no config',
    async (name) => {
      expect(await lattice.ask(name, {})).toEqual(refused('E_CONTROL'));
      expect(await lattice.ask(`${name}${'x'.repeat(300)}`, {})).toEqual(refused('E_CONTROL'));
    },
  );

  test('a request that cannot be answered in one message is told so, and the host goes on', async () => {
    for (const name of ['big-one', 'big-two'])
      expect(await lattice.ask(`config.put.${name}`, { text: 'x'.repeat(600_000) })).toMatchObject(ok());
    expect(await lattice.ask('config.list')).toEqual(refused('E_TOO_LARGE'));
    expect((await lattice.ask('config.get.big-one')).success).toBe(true);
  });

  test('a request that wants no answer does its work', async () => {
    const suffix = `wasmbus.ctl.v1.${lattice.lattice}.label.put.${host.id}`;
    lattice.connection.nats.publish(suffix, JSON.stringify({ key: 'quiet', value: 'yes' }));
    await lattice.event('labels_changed', ({ data }) => (data.labels as { quiet?: string }).quiet === 'yes');
  });
});
