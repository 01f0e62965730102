// The keys named in settings of a host, checked before anything starts: a mistyped key is refused with the name of its
// setting, not found out with the first module or the first call from another host.
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { type KeyPair, type KeyType, parseKeyOf, parseSeed } from '../lattice/nkeys.ts';

interface KeySettings {
  readonly trust: readonly string[];
  readonly clusterIssuers: readonly string[];
}

function checkKeys(flag: string, type: KeyType, keys: readonly string[]): void {
  for (const key of keys) {
    try {
      parseKeyOf(type, key);
    } catch (cause) {
      throw new WattleError('E_KEY', `${flag}: ${toWattleError(cause).message}`, { cause });
    }
  }
}

/** Throws E_KEY for what is no account key in --trust, or no cluster key in --cluster-issuer. */
export function checkHostKeys({ trust, clusterIssuers }: KeySettings): void {
  checkKeys('--trust', 'account', trust);
  checkKeys('--cluster-issuer', 'cluster', clusterIssuers);
}

/** The key pair of WATTLE_CLUSTER_SEED. Throws E_KEY for a seed of another type. */
export function parseClusterSeed(seed: string): KeyPair {
  const pair = parseSeed(seed);
  if (pair.type !== 'cluster')
    throw new WattleError('E_KEY', `WATTLE_CLUSTER_SEED is the seed of type ${pair.type}, not cluster (SC…)`);
  return pair;
}
