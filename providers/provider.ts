// CONTRACT of the providers. A provider file exports `defineProvider({...})`; index.ts lists them; only the host starts
// them. A provider sees links with their configuration resolved, answers calls of actors, and may call actors itself.
import type { LatticeConnection } from '../lattice/connection.ts';
import type { Contract } from '../lattice/contracts/contract.ts';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';

export type Configuration = Readonly<Record<string, string>>;

/** A link as its provider sees it: the other end, and the configuration named for the provider's side, merged left to right. */
export interface ProviderLink {
  readonly actorId: string;
  readonly linkName: string;
  readonly interfaces: readonly string[];
  /** Keys as the user wrote them; providers read them without regard to case (`readOption`). */
  readonly config: Configuration;
}

/** A call of an actor to the provider. */
export interface ProviderCall {
  readonly actorId: string;
  readonly linkName: string;
  readonly operation: string;
  readonly payload: Uint8Array;
}

/** What the host gives a provider when it starts it. */
export interface ProviderContext {
  readonly providerId: string;
  readonly hostId: string;
  readonly connection: LatticeConnection;
  /** Start configuration, merged left to right. */
  readonly config: Configuration;
  readonly log: Log;
  /**
   * Calls an actor, wherever it runs. `payload` is not kept after the call. Rejects with a WattleError of the closed list
   * of invocation codes (errors.ts); its `http` status in the table is what an HTTP provider answers.
   */
  invoke(actorId: string, linkName: string, operation: string, payload: Uint8Array): Promise<Uint8Array>;
}

/** A running provider. Every method but `handle` runs one at a time. */
export interface ProviderInstance {
  /**
   * Adds or replaces a link. Throws WattleError when it cannot be served (E_ROUTE_TAKEN, E_PORT, E_LINK_CONFIG, E_STORE);
   * a refused replacement leaves the former one in place.
   */
  putLink(link: ProviderLink): Promise<void>;
  deleteLink(actorId: string, linkName: string): Promise<void>;
  /** Throws what putLink would throw for this link, without doing anything: asked before a link is stored. */
  checkLink?(link: ProviderLink): void;
  /** Answers a call; only for links it was given. Absent where the provider only calls (HTTP server). */
  handle?(call: ProviderCall): Uint8Array | Promise<Uint8Array>;
  /** Facts for people beside its links, keyed `actor/link name`: where a route listens, which bucket a link uses. */
  describe?(): Readonly<Record<string, string>>;
  /** Resolves when it can serve; throws WattleError with the reason when it cannot. */
  checkHealth(): Promise<void>;
  /** Finishes what is in flight, then releases everything. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ProviderDefinition {
  /** Name of the file and of the image `wattle:NAME`. */
  readonly name: string;
  readonly contract: Contract;
  /** One line for `wattle provider list --built-in`. */
  readonly summary: string;
  /** Repository names of the stock wasmCloud images it stands for: `httpserver` in `wasmcloud.azurecr.io/httpserver:0.17.0`. */
  readonly images: readonly string[];
  start(context: ProviderContext): Promise<ProviderInstance>;
}

/** Marks a definition and lets TypeScript check it. */
export const defineProvider = (definition: ProviderDefinition): ProviderDefinition => definition;

/** A configuration value by any spelling of its key: `URL`, `url` and `Url` are one. */
export function readOption(config: Configuration, ...keys: readonly string[]): string | undefined {
  for (const [key, value] of Object.entries(config)) if (keys.includes(key.toLowerCase())) return value;
  return undefined;
}

/** Refuses options a provider does not know, so that nothing is written in vain. `where`: `keyvalue-nats: link`. Throws E_LINK_CONFIG. */
export function checkOptions(config: Configuration, where: string, known: readonly string[]): void {
  const unknown = Object.keys(config).find((key) => !known.includes(key.toLowerCase()));
  if (unknown === undefined) return;
  const list = known.length === 0 ? 'it takes none' : `known are ${known.join(', ')}`;
  throw new WattleError('E_LINK_CONFIG', `${where} has an unknown option "${unknown}"; ${list}`);
}
