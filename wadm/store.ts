// Manifests, versions and what is deployed, in the KV bucket upstream keeps them in (protocol.md 5.6), each change checked
// against the revision it was made from. The bucket is watched: every wadm of the lattice sees what any of them wrote.
import type { KV, KvEntry, KvWatchEntry } from '@nats-io/kv';
import { z } from 'zod';
import type { LatticeConnection } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { buckets } from '../lattice/subjects.ts';
import { LinkKey } from '../lattice/types.ts';

const Owned = z.object({ links: z.array(LinkKey).default([]), configs: z.array(z.string()).default([]) });

/** One application: the fields of upstream, then ours. `manifests` keeps the order versions were put in. */
const StoredApplication = z.object({
  manifests: z.record(z.string(), z.unknown()).default({}),
  deployed_version: z.string().nullish(),
  name: z.string().optional(),
  lattice: z.string().optional(),
  /** The text of each version as it was put, so that positions survive. */
  sources: z.record(z.string(), z.string()).default({}),
  /** Order of the versions: JSON objects lose it for names that look like numbers. */
  order: z.array(z.string()).optional(),
  owned: Owned.default({ links: [], configs: [] }),
  leave_running: z.boolean().default(false),
  /** When the last version was deleted (ms): the record stays a while, so that a host that comes back is cleaned too. */
  deleted_ms: z.number().optional(),
});
export type StoredApplication = z.infer<typeof StoredApplication>;

export interface ApplicationRecord extends StoredApplication {
  readonly name: string;
  readonly revision: number;
}

const emptyApplication = (): StoredApplication => StoredApplication.parse({});
const nameOf = (stored: StoredApplication): string | undefined => {
  const first = Object.values(stored.manifests)[0] as { metadata?: { name?: unknown } } | undefined;
  const named = stored.name ?? first?.metadata?.name;
  return typeof named === 'string' ? named : undefined;
};

export class Store {
  readonly #kv: KV;
  readonly #connection: LatticeConnection;
  readonly #log: Log;
  readonly #records = new Map<string, ApplicationRecord>();
  readonly #onChange: () => void;
  #iterator: { stop(): void } | undefined;

  private constructor(kv: KV, options: { connection: LatticeConnection; log: Log; onChange: () => void }) {
    this.#kv = kv;
    this.#connection = options.connection;
    this.#log = options.log;
    this.#onChange = options.onChange;
  }

  /** Opens the bucket and reads what is in it before it returns. */
  static async start(options: { connection: LatticeConnection; log: Log; onChange: () => void }): Promise<Store> {
    const kv = await options.connection.bucket(buckets.manifests);
    const store = new Store(kv, options);
    await store.#watch();
    return store;
  }

  /** All applications of this lattice, deleted ones that still leave something behind included. */
  records(): ApplicationRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  find(name: string): ApplicationRecord | undefined {
    return this.#records.get(name);
  }

  /**
   * Changes one application; `change` gets the stored one (an empty one when there is none) and returns the next, or
   * undefined to remove it. Runs again when another wadm was quicker. Throws what `change` throws, E_CONFLICT, E_TOO_LARGE.
   */
  async change(
    name: string,
    change: (stored: StoredApplication) => StoredApplication | undefined,
  ): Promise<ApplicationRecord | undefined> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const entry = await this.#kv.get(this.#key(name));
      const stored = entry && entry.operation === 'PUT' ? this.#parse(entry) : undefined;
      if (stored && (stored.lattice ?? this.#connection.lattice) !== this.#connection.lattice)
        throw new WattleError('E_CONFLICT', `the name ${name} is taken by an application of lattice ${stored.lattice}`);
      const next = change(stored ?? emptyApplication());
      if (next === undefined && !stored) return undefined;
      if (next !== undefined && next === stored) return this.#records.get(name);
      const revision = await this.#write(name, next, entry?.revision ?? 0);
      if (revision === undefined) continue;
      return this.#accept(name, next, revision);
    }
    throw new WattleError('E_CONFLICT', `application ${name} is being changed by others without end`);
  }

  /** Undefined when somebody else wrote in between. */
  async #write(name: string, next: StoredApplication | undefined, revision: number): Promise<number | undefined> {
    try {
      if (next === undefined) {
        await this.#kv.delete(this.#key(name), { previousSeq: revision });
        return revision;
      }
      const body = JSON.stringify({ ...next, name, lattice: this.#connection.lattice });
      if (Buffer.byteLength(body) > (this.#connection.nats.info?.max_payload ?? 1_048_576) - 1024)
        throw new WattleError('E_TOO_LARGE', `application ${name} has too many versions to be stored`, {
          hint: 'Delete old versions: `wattle app delete NAME VERSION`.',
        });
      return await this.#kv.put(this.#key(name), body, { previousSeq: revision });
    } catch (thrown) {
      if (isWrongRevision(thrown)) return undefined;
      throw toWattleError(thrown, 'E_LATTICE');
    }
  }

  #accept(name: string, next: StoredApplication | undefined, revision: number): ApplicationRecord | undefined {
    const known = this.#records.get(name);
    if (known && known.revision > revision) return known;
    const record = next && { ...next, name, revision };
    if (record) this.#records.set(name, record);
    else this.#records.delete(name);
    this.#onChange();
    return record;
  }

  #key(name: string): string {
    return `${this.#connection.lattice}-${name}`;
  }

  #parse(entry: KvEntry): StoredApplication | undefined {
    try {
      return StoredApplication.parse(JSON.parse(entry.string()));
    } catch (cause) {
      this.#log.warn({ key: entry.key }, `not an application record, left alone: ${cause}`);
      return undefined;
    }
  }

  async #watch(): Promise<void> {
    const { values } = await this.#kv.status();
    const iterator = await this.#kv.watch();
    this.#iterator = iterator;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (values === 0) resolve();
    const follow = async (): Promise<void> => {
      for await (const entry of iterator) {
        this.#onEntry(entry);
        // with the last of the entries that were there, and with any later one
        if (entry.isUpdate || entry.delta === 0) resolve();
      }
    };
    follow().catch(reject);
    await promise;
  }

  #onEntry(entry: KvWatchEntry): void {
    const prefix = this.#key('');
    if (!entry.key.startsWith(prefix)) return;
    const name = entry.key.slice(prefix.length);
    const stored = entry.operation === 'PUT' ? this.#parse(entry) : undefined;
    // lattice `a` with application `b-c` and lattice `a-b` with application `c` share a key
    if (
      stored &&
      (nameOf(stored) !== name || (stored.lattice ?? this.#connection.lattice) !== this.#connection.lattice)
    )
      return;
    this.#accept(name, stored, entry.revision);
  }

  [Symbol.dispose](): void {
    this.#iterator?.stop();
  }
}

/** JetStream's "wrong last sequence": another writer was faster (error code 10071). */
const isWrongRevision = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (/wrong last sequence/i.test(thrown.message) || (thrown as { code?: unknown }).code === 10071);
