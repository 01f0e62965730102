// wadm against a real nats-server and simulated hosts: applications converge, move when hosts go, tell why they do not.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LatticeConnection } from '../../lattice/connection.ts';
import { createLog } from '../../lattice/log.ts';
import { WadmClient } from '../../lattice/wadm-client.ts';
import { Wadm } from '../../wadm/wadm.ts';
import { eventually } from '../support/eventually.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { SharedData, SimulatedHost } from '../support/simulated-host.ts';

let nats: TestNats;
let latticeCount = 0;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats[Symbol.asyncDispose]());

const log = createLog('silent', 'wadm');

/** A lattice of its own with one wadm and hosts on demand. */
async function startLattice() {
  const stack = new AsyncDisposableStack();
  const options = { ...nats.connection, lattice: `wadm-${process.pid}-${++latticeCount}` };
  const connection = stack.use(await LatticeConnection.start(options));
  const wadm = stack.use(await Wadm.start({ connection, log }));
  const client = new WadmClient(connection);
  const data = new SharedData();
  const status = (name: string) => client.status(name);
  return {
    connection,
    client,
    data,
    wadm,
    startHost: async (id: string, labels?: Record<string, string>) =>
      stack.use(await SimulatedHost.start({ connection: options, id, data, ...(labels ? { labels } : {}) })),
    status,
    become: (name: string, type: string) =>
      eventually(
        async () => {
          const found = await status(name);
          if (found.status.type !== type) throw new Error(JSON.stringify(found.status));
          return found;
        },
        { what: `${name} ${type}` },
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const manifest = (
  version: string,
  edit: { image?: string; address?: string; spread?: string } = {},
): string => `apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: hello
  annotations:
    version: ${version}
spec:
  components:
    - name: http
      type: component
      properties:
        image: ${edit.image ?? 'file:/hello.wasm'}
      traits:
        - type: spreadscaler
          properties:
            instances: 3
${edit.spread ?? ''}
    - name: store
      type: capability
      properties:
        image: ghcr.io/wasmcloud/keyvalue-redis:0.28.1
    - name: server
      type: capability
      properties:
        image: ghcr.io/wasmcloud/http-server:0.23.0
      traits:
        - type: link
          properties:
            target: { name: http }
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source:
              config:
                - name: address
                  properties: { address: "${edit.address ?? '127.0.0.1:8080'}" }
`;

describe('wadm', () => {
  it('an application becomes deployed well under a second, and nothing is sent after that', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    await lattice.client.put(manifest('1'));
    const startedMs = performance.now();
    expect(await lattice.client.deploy('hello')).toBe('1');
    await lattice.become('hello', 'deployed');
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect([...host.commands].sort()).toEqual([
      'put-config hello-address',
      'put-link hello-server/wasi:http/default',
      'scale hello-http 3 file:/hello.wasm',
      'start hello-server ghcr.io/wasmcloud/http-server:0.23.0',
      'start hello-store ghcr.io/wasmcloud/keyvalue-redis:0.28.1',
    ]);
    const sent = host.commands.length;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(host.commands).toHaveLength(sent);
  });

  it('what a lost host ran moves to another within five seconds', async () => {
    await using lattice = await startLattice();
    const first = await lattice.startHost('NAAA');
    const second = await lattice.startHost('NBBB');
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    expect(second.commands.filter((command) => /^(scale|start)/.test(command))).toEqual([]);
    await first.kill();
    const killedMs = performance.now();
    await eventually(() => second.actors[0]?.max_instances === 3 && second.providers.length === 2);
    expect(performance.now() - killedMs).toBeLessThan(5000);
    await lattice.become('hello', 'deployed');
  });

  it('a failure is told with code, manifest line and next try, and heals', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    host.failures.set('file:/hello.wasm', 'E_ARTIFACT_NOT_FOUND: no file /hello.wasm');
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    const failed = await lattice.become('hello', 'failed');
    expect(failed.status.message).toContain('no file /hello.wasm');
    const scaler = failed.scalers.find((one) => one.status.type === 'failed');
    expect(scaler).toMatchObject({ kind: 'SpreadScaler', name: 'http', code: 'E_ARTIFACT_NOT_FOUND', line: 12 });
    expect(scaler?.next).toMatch(/tried again at 20/);
    expect(Date.parse(scaler?.since ?? '')).toBeGreaterThan(0);
    host.failures.clear();
    await lattice.become('hello', 'deployed');
  });

  it('an application waits with a reason while there is no host, and starts with the first', async () => {
    await using lattice = await startLattice();
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    const waiting = await lattice.become('hello', 'waiting');
    expect(waiting.status.message).toContain('E_NO_HOST');
    for (const scaler of waiting.scalers) {
      expect(scaler.status.message).not.toBe('');
      expect(scaler.line).toBeGreaterThan(1);
    }
    await lattice.startHost('NAAA');
    await lattice.become('hello', 'deployed');
  });

  it('undeploy takes away all the application made, and nothing else', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    lattice.data.configs.set('mine', { a: 'b' });
    host.actors.push({ id: 'other', image_ref: 'x', revision: 1, max_instances: 1 });
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    await lattice.client.undeploy('hello');
    await eventually(() => lattice.data.links.size === 0 && lattice.data.configs.size === 1);
    expect(host.actors.map((actor) => actor.id)).toEqual(['other']);
    expect(host.providers).toEqual([]);
    expect((await lattice.status('hello')).status.type).toBe('undeployed');
  });

  it('a deleted application is taken away and forgotten', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    expect(await lattice.client.delete('hello')).toMatchObject({ result: 'deleted', undeploy: true });
    await eventually(() => host.actors.length === 0 && host.providers.length === 0 && lattice.data.configs.size === 0);
    expect(await lattice.client.list()).toEqual([]);
    await expect(lattice.client.status('hello')).rejects.toMatchObject({ code: 'E_APP_NOT_FOUND' });
  });

  it('a new image is swapped in place, new config values are put, nothing is stopped', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    host.commands.length = 0;
    await lattice.client.put(manifest('2', { image: 'file:/hello2.wasm', address: '127.0.0.1:9090' }));
    await lattice.client.deploy('hello', 'latest');
    await eventually(
      async () =>
        (await lattice.status('hello')).version === '2' && (await lattice.status('hello')).status.type === 'deployed',
    );
    expect(host.commands.sort()).toEqual(['put-config hello-address', 'scale hello-http 3 file:/hello2.wasm']);
    expect(lattice.data.configs.get('hello-address')).toEqual({ address: '127.0.0.1:9090' });
  });

  it('a wadm that is started anew takes over what runs without a command', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    await lattice.client.put(manifest('1'));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    await lattice.wadm[Symbol.asyncDispose]();
    host.commands.length = 0;
    await using _next = await Wadm.start({ connection: lattice.connection, log });
    await lattice.become('hello', 'deployed');
    expect(host.commands).toEqual([]);
  });

  it('a host that loses its label loses its instances, after another has them', async () => {
    await using lattice = await startLattice();
    const spread = '            spread: [{ name: east, requirements: { zone: east } }]';
    const first = await lattice.startHost('NAAA', { zone: 'east' });
    const second = await lattice.startHost('NBBB', { zone: 'west' });
    await lattice.client.put(manifest('1', { spread }));
    await lattice.client.deploy('hello');
    await lattice.become('hello', 'deployed');
    expect(first.actors).toHaveLength(1);
    second.labels = { zone: 'east' };
    second.heartbeat();
    first.labels = { zone: 'west' };
    first.heartbeat();
    await eventually(() => second.actors[0]?.max_instances === 3 && first.actors.length === 0);
    await lattice.become('hello', 'deployed');
  });

  it('manifests of the actor era run unchanged', async () => {
    await using lattice = await startLattice();
    const host = await lattice.startHost('NAAA');
    const path = fileURLToPath(new URL('../../../shared/manifests/actor-era/kvcounter.yaml', import.meta.url));
    await lattice.client.put(readFileSync(path, 'utf8'));
    await lattice.client.deploy('kvcounter');
    await lattice.become('kvcounter', 'deployed');
    expect(host.providers.map((provider) => provider.image_ref).sort()).toEqual([
      'wasmcloud.azurecr.io/httpserver:0.16.2',
      'wasmcloud.azurecr.io/kvredis:0.16.3',
    ]);
    const link = [...lattice.data.links.values()].find((one) => one.wit_package === 'keyvalue');
    expect(link).toMatchObject({ source_id: 'kvcounter-kvcounter', target: 'kvcounter-redis', name: 'default' });
    expect(lattice.data.configs.get(link?.target_config[0] ?? '')).toEqual({ URL: 'redis://0.0.0.0:6379/' });
  });
});
