// Links, claims and config of this lattice, watched in the JetStream buckets every host shares (protocol.md 6.1, 6.2).
// Resolving a link is a look-up in a map that is rebuilt when a link changes, never a request.
import { z } from 'zod';
import type { Claims } from '../lattice/claims.ts';
import type { LatticeConnection } from '../lattice/connection.ts';
import { findContract, findLinkContract } from '../lattice/contracts/index.ts';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { buckets, dataKeys } from '../lattice/subjects.ts';
import { ClaimsRecord, Link, type LinkKey } from '../lattice/types.ts';
import { WatchedBucket } from './watched-bucket.ts';

/** COMPONENT_{id}: where its bytes come from, and the links it is the source of. */
const ActorRecord = z.object({ url: z.string().default(''), links: z.array(Link).default([]) });
type ActorRecord = z.infer<typeof ActorRecord>;
type DataEntry = { readonly actor: ActorRecord } | { readonly claims: ClaimsRecord };

const stringMap = z.record(z.string(), z.string());
type ConfigValues = Readonly<Record<string, string>>;

/** Our name of a contract where we know it, else `namespace:package` as it stands: what links are compared by. */
const contractName = (id: string): string => findContract(id)?.name ?? id.split(/[/@]/)[0]!;
export const contractNameOf = (link: LinkKey & { readonly interfaces?: readonly string[] }): string =>
  findLinkContract(link)?.name ?? `${link.wit_namespace}:${link.wit_package}`;

const resolveKey = (source: string, contract: string, name: string): string => `${source}\n${contract}\n${name}`;
const sameLink = (link: Link, key: LinkKey): boolean =>
  link.name === key.name && contractNameOf(link) === contractNameOf(key);

const isNamed = (link: Link, key: LinkKey): boolean =>
  link.name === key.name && link.wit_namespace === key.wit_namespace && link.wit_package === key.wit_package;

export interface LatticeDataOptions {
  readonly connection: LatticeConnection;
  readonly log: Log;
  /** Links or config changed: providers compare what they have with what they should have. */
  onLinksChange(): void;
}

export class LatticeData {
  readonly #data: WatchedBucket<DataEntry>;
  readonly #configs: WatchedBucket<ConfigValues>;
  #links: readonly Link[] = [];
  #resolved = new Map<string, Link>();
  #aliases = new Map<string, string>();

  private constructor(data: WatchedBucket<DataEntry>, configs: WatchedBucket<ConfigValues>) {
    this.#data = data;
    this.#configs = configs;
    this.#index();
  }

  static async start(options: LatticeDataOptions): Promise<LatticeData> {
    const { connection, log } = options;
    let ready: LatticeData | undefined;
    const changed = (): void => {
      if (!ready) return;
      ready.#index();
      options.onLinksChange();
    };
    const common = { connection, log, onChange: changed };
    const data = await WatchedBucket.start({
      ...common,
      name: buckets.latticeData(connection.lattice),
      parse: parseData,
      format: formatData,
    });
    const configs = await WatchedBucket.start<ConfigValues>({
      ...common,
      name: buckets.config(connection.lattice),
      parse: (_key, json) => stringMap.parse(json),
      format: (values) => values,
    });
    ready = new LatticeData(data, configs);
    return ready;
  }

  get links(): readonly Link[] {
    return this.#links;
  }

  /** The link that lets `source` use `contract` (any id of it) under this link name. */
  resolve(source: string, contract: string, linkName: string): Link | undefined {
    return this.#resolved.get(resolveKey(source, contractName(contract), linkName === '' ? 'default' : linkName));
  }

  /** The module key behind a call alias; the module that claimed it first keeps it. */
  moduleOfAlias(alias: string): string | undefined {
    return this.#aliases.get(alias);
  }

  claims(): ClaimsRecord[] {
    return this.#data.entries().flatMap(([, entry]) => ('claims' in entry ? [entry.claims] : []));
  }

  config(name: string): ConfigValues | undefined {
    return this.#configs.get(name);
  }

  configs(): Record<string, ConfigValues> {
    return Object.fromEntries(this.#configs.entries());
  }

  /** Configs merged left to right; a later one wins. Throws E_CONFIG_MISSING naming the first that is not there. */
  mergeConfig(names: readonly string[]): ConfigValues {
    const merged: Record<string, string> = {};
    for (const name of names) {
      const values = this.#configs.get(name);
      if (!values) throw new WattleError('E_CONFIG_MISSING', `config "${name}" does not exist`);
      Object.assign(merged, values);
    }
    return merged;
  }

  /** Stores a link. Throws E_CONFLICT when its key names another target already (upstream's text, then the target). */
  async putLink(link: Link): Promise<void> {
    await this.#changeActor(link.source_id, (record) => {
      const others = record.links.filter((known) => !sameLink(known, link));
      const known = record.links.find((candidate) => sameLink(candidate, link));
      if (known && known.target !== link.target)
        throw new WattleError(
          'E_CONFLICT',
          `link already exists with different target, consider deleting the existing link or using a different link name (the target is ${known.target})`,
        );
      return { ...record, links: [...others, link] };
    });
  }

  /** Deletes a link and returns what it was; undefined when there was none. */
  async deleteLink(key: LinkKey): Promise<Link | undefined> {
    let deleted: Link | undefined;
    await this.#changeActor(key.source_id, (record) => {
      // a key has no interfaces, so `wasi:http` alone does not say which direction: as written comes first
      deleted = record.links.find((link) => isNamed(link, key)) ?? record.links.find((link) => sameLink(link, key));
      return deleted ? { ...record, links: record.links.filter((link) => link !== deleted) } : record;
    });
    return deleted;
  }

  /** What an actor runs: where its module comes from, and the claims of that module. */
  async putModule(actorId: string, url: string, claims: Claims | undefined): Promise<void> {
    await this.#changeActor(actorId, (record) => (record.url === url ? record : { ...record, url }));
    if (claims) await this.#putClaims(createClaimsRecord(claims));
  }

  async #putClaims(claims: ClaimsRecord): Promise<void> {
    const next = { claims };
    await this.#data.change(dataKeys.claims(claims.subject), (present) =>
      JSON.stringify(present) === JSON.stringify(next) ? present : next,
    );
    this.#index();
  }

  async putConfig(name: string, values: ConfigValues): Promise<void> {
    await this.#configs.change(name, () => values);
  }

  /** False when there was none. */
  async deleteConfig(name: string): Promise<boolean> {
    const existed = this.#configs.get(name) !== undefined;
    await this.#configs.change(name, () => undefined);
    return existed;
  }

  async #changeActor(id: string, change: (record: ActorRecord) => ActorRecord): Promise<void> {
    await this.#data.change(dataKeys.actor(id), (entry) => {
      const present = entry && 'actor' in entry ? entry.actor : { url: '', links: [] };
      const next = change(present);
      if (next === present) return entry;
      return next.url === '' && next.links.length === 0 ? undefined : { actor: next };
    });
    this.#index();
  }

  #index(): void {
    const entries = this.#data.entries();
    this.#links = entries.flatMap(([, entry]) => ('actor' in entry ? entry.actor.links : []));
    this.#resolved = new Map(
      this.#links.map((link) => [resolveKey(link.source_id, contractNameOf(link), link.name), link]),
    );
    this.#aliases = new Map();
    for (const [, entry] of entries) {
      if (!('claims' in entry) || !entry.claims.call_alias) continue;
      if (!this.#aliases.has(entry.claims.call_alias)) this.#aliases.set(entry.claims.call_alias, entry.claims.subject);
    }
  }

  [Symbol.dispose](): void {
    this.#data[Symbol.dispose]();
    this.#configs[Symbol.dispose]();
  }
}

const createClaimsRecord = (claims: Claims): ClaimsRecord => ({
  ...(claims.callAlias ? { call_alias: claims.callAlias } : {}),
  capabilities: [...claims.capabilities],
  issuer: claims.issuer,
  name: claims.name,
  revision: String(claims.revision),
  subject: claims.subject,
  tags: [...claims.tags],
  version: claims.version,
});

const formatData = (entry: DataEntry): unknown => ('actor' in entry ? entry.actor : entry.claims);

function parseData(key: string, json: unknown): DataEntry | undefined {
  if (key.startsWith(dataKeys.actorPrefix)) return { actor: ActorRecord.parse(json) };
  if (key.startsWith(dataKeys.claimsPrefix)) return { claims: ClaimsRecord.parse(json) };
  return undefined;
}
