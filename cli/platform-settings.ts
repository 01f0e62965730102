// Which settings the commands that run something take: one list for what makes a host, one for what is beside it.
import type { SettingName } from '../lattice/settings.ts';

/** Of a host, beside its connection. */
export const hostSettings = [
  'name',
  'label',
  'trust',
  'allowUnsigned',
  'allowLegacyClaims',
  'clusterSeed',
  'clusterIssuers',
  'rpcTimeoutMs',
  'actorDeadlineMs',
  'heartbeatMs',
  'drainMs',
  'cellMemoryMb',
  'logLevel',
] as const satisfies readonly SettingName[];

/** Of the embedded nats-server. */
export const natsServerSettings = ['natsPort', 'natsServer'] as const satisfies readonly SettingName[];
