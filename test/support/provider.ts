// Starts one built-in provider by itself, without a host around it.
import type { LatticeConnection } from '../../lattice/connection.ts';
import { createLog } from '../../lattice/log.ts';
import type { ProviderContext, ProviderDefinition, ProviderInstance, ProviderLink } from '../../providers/provider.ts';

/** What an HTTP provider needs of a connection: the name of the lattice. */
export const offlineConnection = (lattice: string): LatticeConnection => ({ lattice }) as LatticeConnection;

/** Starts a provider; `invoke` refuses and the log is silent unless given. */
export const startProvider = (
  definition: ProviderDefinition,
  context: Partial<ProviderContext> & Pick<ProviderContext, 'connection'>,
): Promise<ProviderInstance> =>
  definition.start({
    providerId: definition.name,
    hostId: 'host',
    config: {},
    log: createLog('silent', 'provider'),
    invoke: () => Promise.reject(new Error('this test calls no actor')),
    ...context,
  });

/** A link of actor `actorId` under the name `default`. */
export const linkTo = (actorId: string, config: ProviderLink['config'] = {}): ProviderLink => ({
  actorId,
  linkName: 'default',
  interfaces: [],
  config,
});
