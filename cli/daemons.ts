// What `up`, `host start` and `wadm start` run: a host and a wadm, each on a connection of its own, made from settings and
// the keys of this machine.
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import { type ConnectionOptions, LatticeConnection } from '../lattice/connection.ts';
import { acquireLock } from '../lattice/data-lock.ts';
import { WattleError } from '../lattice/errors.ts';
import { openKeyring } from '../lattice/keyring.ts';
import { createLog } from '../lattice/log.ts';
import { createKeyPair, type KeyPair } from '../lattice/nkeys.ts';
import type { Settings } from '../lattice/settings.ts';
import type { StopSignal } from './foreground.ts';
import { checkHostKeys, parseClusterSeed } from './host-keys.ts';
import type { hostSettings } from './platform-settings.ts';

export type HostSettings = Settings<(typeof hostSettings)[number] | 'dataDir'>;

/** What all parts of one run share. */
export interface Surroundings {
  readonly connection: ConnectionOptions;
  readonly children: AsyncDisposableStack;
  readonly stop: StopSignal;
  readonly logLevel: string;
}

const startConnection = async ({ connection, children }: Surroundings, name: string): Promise<LatticeConnection> =>
  children.use(await LatticeConnection.start({ ...connection, name: `wattle ${name}` }));

/**
 * The key of a host: the machine's own for the platform, one kept under its name for a named host, else one for this run
 * only. A kept key serves one process at a time. Throws E_ALREADY_RUNNING.
 */
async function takeHostKey(
  dataDir: string,
  name: string | undefined,
  children: AsyncDisposableStack,
): Promise<KeyPair> {
  if (name === undefined) return createKeyPair('host');
  const pair = await openKeyring(dataDir).host(name);
  const lock = acquireLock(join(dataDir, 'run', `host-${name}.lock`));
  if (!lock)
    throw new WattleError('E_ALREADY_RUNNING', `a host with the key of "${name}" runs on this machine`, {
      hint: 'Choose another --name.',
    });
  children.use(lock);
  return pair;
}

/** Starts a host. `keyName` names the key it runs under, which is kept; without one the key lasts for this run. */
export async function startHost(
  around: Surroundings,
  settings: HostSettings,
  keyName: string | undefined,
): Promise<Host> {
  const { dataDir, clusterSeed } = settings;
  const keyring = openKeyring(dataDir);
  checkHostKeys(settings);
  const hostKey = await takeHostKey(dataDir, keyName, around.children);
  const clusterKey = clusterSeed === undefined ? await keyring.cluster() : parseClusterSeed(clusterSeed);
  const { Host } = await import('../host/host.ts');
  const connection = await startConnection(around, 'host');
  const host = await Host.start({
    ...settings,
    connection,
    hostKey,
    clusterKey,
    labels: settings.label,
    friendlyName: settings.name,
    // asked at each load of a module: what is trusted meanwhile counts at once
    trustedIssuers: async () => new Set(await keyring.trusted(settings.trust)),
    log: createLog(around.logLevel, 'host'),
    onStopRequest: () => around.stop.request(),
  });
  around.children.use(host);
  return host;
}

/** Starts a wadm; the connection it runs on serves our own requests as well. */
export async function startWadm(around: Surroundings): Promise<LatticeConnection> {
  const { Wadm } = await import('../wadm/wadm.ts');
  const connection = await startConnection(around, 'wadm');
  around.children.use(await Wadm.start({ connection, log: createLog(around.logLevel, 'wadm') }));
  return connection;
}
