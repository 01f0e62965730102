// A KV bucket as a local map that follows it: load what is there, then every change. Readers never wait for the
// network; writers go through compare-and-set so that two hosts changing one key lose nothing.
import type { KV, KvWatchEntry } from '@nats-io/kv';
import type { LatticeConnection } from '../lattice/connection.ts';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';

export interface WatchedBucketOptions<V> {
  readonly connection: LatticeConnection;
  readonly name: string;
  /** Undefined for keys and values that are none of ours: they are left alone. */
  parse(key: string, json: unknown): V | undefined;
  /** The JSON a value is written as. */
  format(value: V): unknown;
  /** After the first load, and after each later change. */
  onChange(key: string): void;
  readonly log: Log;
}

/** Writes that lose the race are tried again this often before the caller hears of it. */
const writeAttempts = 8;

export class WatchedBucket<V> {
  readonly #options: WatchedBucketOptions<V>;
  readonly #kv: KV;
  readonly #entries = new Map<string, { readonly value: V; readonly revision: number }>();
  #iterator: { stop(): void } | undefined;

  private constructor(options: WatchedBucketOptions<V>, kv: KV) {
    this.#options = options;
    this.#kv = kv;
  }

  /** Resolves when everything that was in the bucket is loaded. */
  static async start<V>(options: WatchedBucketOptions<V>): Promise<WatchedBucket<V>> {
    const kv = await options.connection.bucket(options.name);
    const bucket = new WatchedBucket(options, kv);
    await bucket.#follow();
    return bucket;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Keys and values in the order their latest values were written. */
  entries(): [string, V][] {
    return [...this.#entries]
      .sort(([, left], [, right]) => left.revision - right.revision)
      .map(([key, entry]) => [key, entry.value]);
  }

  /**
   * Changes one key by a pure function of its present value, retried when another writer came between. `change` returns
   * undefined to delete the key, and its argument to leave it. Resolves when the local map holds the result too.
   */
  async change(key: string, change: (value: V | undefined) => V | undefined): Promise<void> {
    for (let attempt = 0; attempt < writeAttempts; attempt++) {
      const entry = await this.#kv.get(key);
      const present = entry && entry.operation === 'PUT' ? this.#parse(key, entry.value) : undefined;
      const next = change(present);
      if (next === present) return;
      try {
        const revision = await this.#write(key, next, entry?.revision ?? 0);
        if (next === undefined) this.#entries.delete(key);
        else this.#store(key, next, revision);
        return;
      } catch (cause) {
        if (!isWrongRevision(cause)) throw new WattleError('E_LATTICE', `cannot write ${key}: ${cause}`, { cause });
      }
    }
    throw new WattleError('E_CONFLICT', `${key} is being changed by others; try again`);
  }

  async #write(key: string, value: V | undefined, revision: number): Promise<number> {
    const text = value === undefined ? undefined : JSON.stringify(this.#options.format(value));
    if (text !== undefined) return revision === 0 ? this.#kv.create(key, text) : this.#kv.update(key, text, revision);
    if (revision === 0) return 0;
    await this.#kv.delete(key, { previousSeq: revision });
    return revision;
  }

  async #follow(): Promise<void> {
    const { values } = await this.#kv.status();
    const iterator = await this.#kv.watch();
    this.#iterator = iterator;
    await new Promise<void>((resolve, reject) => {
      if (values === 0) resolve();
      void (async () => {
        for await (const entry of iterator) {
          this.#apply(entry);
          // the last of those that were there is marked as an update already
          if (entry.isUpdate || entry.delta === 0) resolve();
        }
      })().catch(reject);
    });
  }

  #apply(entry: KvWatchEntry): void {
    const value = entry.operation === 'PUT' ? this.#parse(entry.key, entry.value) : undefined;
    if (value !== undefined) this.#store(entry.key, value, entry.revision);
    else this.#entries.delete(entry.key);
    this.#options.onChange(entry.key);
  }

  /** A late echo of an older write must not undo a newer one that is already here. */
  #store(key: string, value: V, revision: number): void {
    const known = this.#entries.get(key);
    if (!known || known.revision <= revision) this.#entries.set(key, { value, revision });
  }

  #parse(key: string, bytes: Uint8Array): V | undefined {
    try {
      return this.#options.parse(key, JSON.parse(new TextDecoder().decode(bytes)));
    } catch (error) {
      this.#options.log.warn(
        { key, error: String(error) },
        `${this.#options.name} holds something unreadable; left alone`,
      );
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#iterator?.stop();
  }
}

/** JetStream's "wrong last sequence": another writer was faster (error code 10071). */
const isWrongRevision = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (/wrong last sequence/i.test(thrown.message) || (thrown as { code?: unknown }).code === 10071);
