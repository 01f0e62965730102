// The wadm API on the wire: every documented example of both eras is understood, every refusal is one clear line.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LatticeConnection } from '../../lattice/connection.ts';
import { createLog } from '../../lattice/log.ts';
import { buckets, wadmSubjects } from '../../lattice/subjects.ts';
import { AppStatus, ModelSummary } from '../../lattice/wadm-client.ts';
import { Wadm } from '../../wadm/wadm.ts';
import { eventually } from '../support/eventually.ts';
import { startNats } from '../support/nats.ts';
import { SharedData, SimulatedHost } from '../support/simulated-host.ts';

const stack = new AsyncDisposableStack();
let connection: LatticeConnection;
beforeAll(async () => {
  const nats = stack.use(await startNats());
  connection = stack.use(await LatticeConnection.start(nats.connection));
  stack.use(await Wadm.start({ connection, log: createLog('silent', 'wadm') }));
  stack.use(await SimulatedHost.start({ connection: nats.connection, id: 'NAAA', data: new SharedData() }));
});
afterAll(() => stack.disposeAsync());

async function ask(operation: string, name?: string, body?: unknown) {
  const data = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const reply = await connection.nats.request(wadmSubjects.api(connection.lattice, operation, name), data);
  return reply.json() as Record<string, unknown>;
}

const shared = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url)), 'utf8');
const app = (name: string, version?: string, id = name): string =>
  JSON.stringify({
    apiVersion: 'core.oam.dev/v1beta1',
    kind: 'Application',
    metadata: { name, annotations: { description: 'My cool model', ...(version ? { version } : {}) } },
    spec: { components: [{ name: 'echo', type: 'component', properties: { id, image: 'echo:1' } }] },
  });

interface Example {
  subject: string;
  heading: string;
  json: Record<string, unknown> | null;
}
const { examples } = JSON.parse(shared('vectors/control-examples.json')) as { examples: Example[] };
const documented = examples.filter((one) => /^wadm\.api\.\{lattice(-id)?\}\.model\./.test(one.subject));

it('every documented manifest can be put and read back', async () => {
  const manifests = documented.flatMap((one) => (one.json && 'manifest' in one.json ? [one.json.manifest] : []));
  expect(manifests.length).toBeGreaterThan(1);
  for (const manifest of manifests) {
    const put = await ask('put', undefined, manifest);
    expect(put).toMatchObject({ result: 'created', current_version: 'v0.0.1', total_versions: 1 });
    const got = await ask('get', String(put.name), { version: 'v0.0.1' });
    expect(got).toMatchObject({ result: 'success', manifest });
  }
});

it('every documented request is answered in the documented words', async () => {
  const requests = documented.filter(
    (one) => one.json && /Request/.test(one.heading) && !('result' in one.json) && !('manifest' in one.json),
  );
  expect(requests.length).toBeGreaterThan(6);
  for (const { subject, json } of requests) {
    await ask('put', undefined, app('foobar', '1.0'));
    const operation = subject.split('.')[4]!;
    const reply = await ask(operation, 'foobar', json);
    expect(reply.result, `${operation} ${JSON.stringify(json)}`).toMatch(
      /^(success|acknowledged|deleted|noop|ok|notfound)$/,
    );
    expect(reply.message).not.toBe('');
  }
  await ask('del', 'foobar', { delete_all: true });
});

it('versions are counted, listed, and never put twice', async () => {
  expect(await ask('put', undefined, app('ver', '1'))).toMatchObject({ result: 'created', name: 'ver' });
  expect(await ask('put', undefined, app('ver', '2'))).toMatchObject({ result: 'newversion', total_versions: 2 });
  expect(await ask('put', undefined, app('ver', '2'))).toMatchObject({
    result: 'error',
    code: 'E_MANIFEST_VERSION',
    message: 'Manifest version 2 already exists',
  });
  const third = await ask('put', undefined, app('ver'));
  expect(third.current_version).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(await ask('deploy', 'ver', { version: '1' })).toMatchObject({
    result: 'acknowledged',
    name: 'ver',
    version: '1',
  });
  expect((await ask('versions', 'ver')).versions).toEqual([
    { version: '1', deployed: true },
    { version: '2', deployed: false },
    { version: third.current_version, deployed: false },
  ]);
  expect(await ask('deploy', 'ver', { version: 'latest' })).toMatchObject({ version: third.current_version });
  expect(await ask('del', 'ver', { version: '1' })).toMatchObject({ result: 'deleted', undeploy: false });
  expect(await ask('del', 'ver', { version: '1' })).toMatchObject({ result: 'noop' });
  expect(await ask('del', 'ver', { version: '', delete_all: false })).toMatchObject({ result: 'noop' });
  expect(await ask('del', 'ver', {})).toMatchObject({ result: 'deleted', undeploy: true });
});

it('lists come bare and wrapped, with status', async () => {
  await ask('put', undefined, app('listed', 'v0.1.0'));
  const bare = (await ask('list')) as unknown as unknown[];
  const one = ModelSummary.parse(bare.find((each) => (each as { name: string }).name === 'listed'));
  expect(one).toMatchObject({
    version: 'v0.1.0',
    description: 'My cool model',
    deployed_version: null,
    status: 'undeployed',
  });
  expect(await ask('get')).toMatchObject({ result: 'success', models: expect.arrayContaining([one]) });
});

it('status tells parts, reasons and lines, in the shape of both eras, and is published', async () => {
  const told: string[] = [];
  const subscription = connection.nats.subscribe(wadmSubjects.status(connection.lattice, 'hello-all-hosts'), {
    callback: (_error, message) => void told.push(AppStatus.parse(message.json()).status.type),
  });
  await ask('put', undefined, shared('manifests/verdicts/all_hosts.yaml'));
  await ask('deploy', 'hello-all-hosts');
  const status = await eventually(async () => {
    const found = AppStatus.parse((await ask('status', 'hello-all-hosts')).status);
    return found.status.type === 'failed' && found;
  });
  const spread = status.scalers.find((one) => one.kind === 'SpreadScaler');
  expect(spread).toMatchObject({ name: 'hello', code: 'E_NO_HOST', line: 21 });
  expect(spread?.status.message).toContain('region=us-brooks-east');
  expect(status.components).toContainEqual(
    expect.objectContaining({ name: 'hello', type: 'component', status: expect.objectContaining({ type: 'failed' }) }),
  );
  await eventually(() => told.includes('failed'));
  subscription.unsubscribe();
  await ask('del', 'hello-all-hosts', {});
});

it('a bad manifest is refused with line and column of every error', async () => {
  const reply = await ask('put', undefined, shared('manifests/verdicts/incorrect_component.yaml'));
  expect(reply).toMatchObject({ result: 'error', code: 'E_MANIFEST' });
  expect(reply.message).toMatch(/line \d+:\d+: /);
  expect(reply.message).toContain('Duplicate component name in manifest: ui');
});

it.each([
  ['deploy', 'nobody', undefined, 'notfound'],
  ['status', 'nobody', undefined, 'notfound'],
  ['get', 'nobody', undefined, 'notfound'],
  ['undeploy', 'nobody', {}, 'notfound'],
  ['history', 'nobody', undefined, 'error'],
  ['deploy', 'nobody', '{{{', 'error'],
  ['put', undefined, '\u0000', 'error'],
  ['put', undefined, undefined, 'error'],
])('%s %s %j answers %s…', async (operation, name, body, result) => {
  const reply = await ask(operation, name, body);
  expect(reply.result).toBe(result);
  expect(reply.message).toBeTruthy();
});

it('ids that another deployed application uses cannot be deployed', async () => {
  await ask('put', undefined, app('first', '1', 'same_id'));
  await ask('put', undefined, app('second', '1', 'same_id'));
  await ask('deploy', 'first');
  const reply = await ask('deploy', 'second');
  expect(reply).toMatchObject({ result: 'error', code: 'E_CONFLICT' });
  expect(reply.message).toMatch(
    /line 1:\d+: the id same_id of component "echo" is used by the deployed application first/,
  );
});

it('secrets are refused at deploy, at their line', async () => {
  await ask('put', undefined, shared('manifests/verdicts/simple.wadm.yaml'));
  const reply = await ask('deploy', 'sample');
  expect(reply).toMatchObject({ result: 'error', code: 'E_NOT_SUPPORTED' });
  expect(reply.message).toMatch(/^line 24:13: /);
});

it('shared components: needed while used, refused while missing', async () => {
  for (const file of [
    'shared_http',
    'shared_http_dev',
    'no_matching_app',
    'no_matching_component',
    'notshared_http',
    'notshared_http_dev',
  ])
    expect(await ask('put', undefined, shared(`manifests/verdicts/shared/${file}.yaml`))).toMatchObject({
      result: 'created',
    });
  expect(await ask('deploy', 'shared-http-dev')).toMatchObject({ result: 'error' });
  await ask('deploy', 'shared-http');
  await ask('deploy', 'not-shared-http');
  for (const name of ['some-nonexistant-app', 'no-matching-component', 'not-shared-http-dev'])
    expect(await ask('deploy', name)).toMatchObject({ result: 'error' });
  expect(await ask('deploy', 'shared-http-dev')).toMatchObject({ result: 'acknowledged' });
  await eventually(
    async () => ((await ask('status', 'shared-http-dev')).status as AppStatus).status.type === 'deployed',
  );
  expect(await ask('undeploy', 'shared-http', {})).toMatchObject({ result: 'error', code: 'E_CONFLICT' });
  expect(await ask('undeploy', 'shared-http-dev', {})).toMatchObject({ result: 'acknowledged' });
  expect(await ask('undeploy', 'shared-http', {})).toMatchObject({ result: 'acknowledged' });
});

it('undeploy that is not destructive leaves running what runs', async () => {
  await ask('put', undefined, app('keep', '1'));
  await ask('deploy', 'keep');
  await eventually(async () => ((await ask('status', 'keep')).status as AppStatus).status.type === 'deployed');
  await ask('undeploy', 'keep', { non_destructive: true });
  const kv = await connection.bucket(buckets.state);
  const components = async () => (await kv.get(`component_${connection.lattice}`))?.json() as Record<string, unknown>;
  await eventually(async () => (await components())?.keep !== undefined);
});

it('the state of the lattice stands in the bucket that washboard reads', async () => {
  const kv = await connection.bucket(buckets.state);
  const hosts = await eventually(async () =>
    (await kv.get(`host_${connection.lattice}`))?.json<Record<string, object>>(),
  );
  expect(hosts.NAAA).toMatchObject({ id: 'NAAA', friendly_name: 'naaa', labels: {}, version: '0.1.0' });
});

it('publishing and unpublishing are events of wadm', async () => {
  const seen: { type: string; source: string }[] = [];
  for (const event of ['manifest_published', 'manifest_unpublished'])
    connection.nats.subscribe(wadmSubjects.event(connection.lattice, event), {
      callback: (_error, message) => void seen.push(message.json()),
    });
  await ask('put', undefined, app('events', '1'));
  await ask('deploy', 'events');
  await ask('undeploy', 'events', {});
  await eventually(() => seen.length === 2);
  expect(seen).toMatchObject([
    { type: 'com.wadm.manifest_published', source: 'wadm', data: { metadata: { name: 'events' } } },
    { type: 'com.wadm.manifest_unpublished', source: 'wadm', data: { name: 'events' } },
  ]);
});
