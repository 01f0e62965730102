// A real host inside the test process, on a nats-server of the test: its cells are real processes, its modules are signed.
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Host } from '../../host/host.ts';
import { type ConnectionOptions, LatticeConnection } from '../../lattice/connection.ts';
import { createLog } from '../../lattice/log.ts';
import { createKeyPair, type KeyPair } from '../../lattice/nkeys.ts';
import { issuer, signWith } from './signed-module.ts';
import { startTemporaryDirectory } from './temporary.ts';
import { echoActor } from './wat.ts';

/** Hosts of one lattice share it, as they would a cluster seed. */
const clusterKey = createKeyPair('cluster');

export interface TestHostOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly heartbeatMs?: number;
  readonly hostKey?: KeyPair;
}

export interface TestHost extends AsyncDisposable {
  readonly host: Host;
  readonly id: string;
  /** How often it was asked to stop over the control interface. */
  stopRequests(): number;
}

/** Starts a host that trusts `issuer` of signed-module.ts. */
export async function startHost(connection: ConnectionOptions, options: TestHostOptions = {}): Promise<TestHost> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await startTemporaryDirectory());
  const lattice = stack.use(await LatticeConnection.start({ ...connection, name: 'test host' }));
  let stopRequests = 0;
  const host = await Host.start({
    connection: lattice,
    hostKey: options.hostKey ?? createKeyPair('host'),
    clusterKey,
    clusterIssuers: [],
    dataDir: directory.path,
    labels: options.labels ?? {},
    trustedIssuers: async () => new Set([issuer.publicKey]),
    allowUnsigned: false,
    allowLegacyClaims: false,
    rpcTimeoutMs: 2000,
    actorDeadlineMs: 5000,
    heartbeatMs: options.heartbeatMs ?? 60_000,
    drainMs: 5000,
    cellMemoryMb: 3072,
    log: createLog('silent', 'host'),
    onStopRequest: () => stopRequests++,
  });
  stack.use(host);
  const children = stack.move();
  return {
    host,
    id: host.id,
    stopRequests: () => stopRequests,
    [Symbol.asyncDispose]: () => children.disposeAsync(),
  };
}

export interface TestModule {
  readonly ref: string;
  readonly path: string;
}

/** Writes the echo actor into a directory, signed by `issuer`; `claims` go into the wascap part of its token. */
export async function writeEcho(directory: string, claims: Record<string, unknown> = {}): Promise<TestModule> {
  const path = join(directory, `echo-${randomUUID()}.wasm`);
  const sign = (payload: { wascap: object }): object => ({ ...payload, wascap: { ...payload.wascap, ...claims } });
  await writeFile(path, signWith(sign, { bytes: echoActor() }));
  return { path, ref: `file://${path}` };
}
