// keyvalue over one JetStream bucket. A change is a pure function from value to value: changes of one key that arrive
// together are applied together, and one compare-and-set writes them all. If another host was quicker, the value is read
// again and the same functions are applied to it; a write whose outcome is unknown is never repeated.

import { setTimeout as sleep } from 'node:timers/promises';
import type { KV, KvEntry } from '@nats-io/kv';
import type { LatticeConnection } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { withDeadline } from './deadline.ts';
import type { KeyValueStore } from './keyvalue.ts';
import * as change from './keyvalue-change.ts';
import { decodeValue, encodeKey, encodeValue, isExpired, type StoredValue } from './keyvalue-value.ts';

/** What one key held at a revision of the bucket; revision 0: it was never written. */
interface Known {
  readonly revision: number;
  readonly value: StoredValue | undefined;
}

interface Waiting {
  readonly change: change.Change<unknown>;
  /** It does not look at the former value, which need not be read then. */
  readonly overwrites: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

const storeTimeoutMs = 2000;
/** Lost races before a change gives up; each waits a little longer. */
const attempts = 100;
/** How many keys, and how large values, are remembered to save the read before a write. */
const knownKeys = 1000;
const knownBytes = 16 * 1024;

/** The error codes of JetStream for a compare-and-set that lost. */
const wrongSequence = new Set([10071, 10164]);
const lostRace = (thrown: unknown): boolean => wrongSequence.has((thrown as { code?: number }).code ?? 0);

const expecting = (revision: number | undefined): { previousSeq?: number } =>
  revision === undefined ? {} : { previousSeq: revision };

export class BucketStore implements KeyValueStore {
  readonly name: string;
  readonly #connection: LatticeConnection;
  /** Changes waiting for a key; a key is here while its changes are being written. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #known = new Map<string, Known>();

  constructor(connection: LatticeConnection, name: string) {
    this.#connection = connection;
    this.name = name;
  }

  async open(): Promise<KV> {
    return this.#connection.bucket(this.name);
  }

  /** Resolves when every change that was asked for is written or refused. */
  async settle(): Promise<void> {
    while (this.#waiting.size > 0) await sleep(5);
  }

  Get = async (key: string): Promise<{ value: string; exists: boolean }> => {
    const value = await this.#read(key);
    return { value: change.itemsOf(value, 'text', key)[0] ?? '', exists: value !== undefined };
  };

  Set = async (request: { key: string; value: string; expires: number }): Promise<void> => {
    const expiresMs = request.expires === 0 ? undefined : Date.now() + request.expires * 1000;
    return this.#change(request.key, change.setText(request.value, expiresMs), true);
  };

  Contains = async (key: string): Promise<boolean> => (await this.#read(key)) !== undefined;
  Del = (key: string): Promise<boolean> => this.#change(key, change.removeValue);
  ListClear = this.Del;
  SetClear = this.Del;

  Increment = ({ key, value }: { key: string; value: number }): Promise<number> =>
    this.#change(key, change.increment(key, value));

  ListAdd = ({ listName, value }: { listName: string; value: string }): Promise<number> =>
    this.#change(listName, change.addToList(listName, value));
  ListDel = ({ listName, value }: { listName: string; value: string }): Promise<boolean> =>
    this.#change(listName, change.removeFromList(listName, value));
  ListRange = async (request: { listName: string; start: number; stop: number }): Promise<readonly string[]> =>
    change.rangeOf(await this.#items(request.listName, 'list'), request.start, request.stop);

  SetAdd = ({ setName, value }: { setName: string; value: string }): Promise<number> =>
    this.#change(setName, change.addToSet(setName, value));
  SetDel = ({ setName, value }: { setName: string; value: string }): Promise<number> =>
    this.#change(setName, change.removeFromSet(setName, value));
  SetQuery = (setName: string): Promise<readonly string[]> => this.#items(setName, 'set');

  SetUnion = async (names: readonly string[]): Promise<readonly string[]> => [
    ...new Set((await this.#sets(names)).flat()),
  ];
  SetIntersection = async (names: readonly string[]): Promise<readonly string[]> => {
    const [first = [], ...others] = await this.#sets(names);
    return first.filter((item) => others.every((set) => set.includes(item)));
  };

  #sets(names: readonly string[]): Promise<(readonly string[])[]> {
    return Promise.all(names.map((name) => this.#items(name, 'set')));
  }

  async #items(key: string, kind: StoredValue['kind']): Promise<readonly string[]> {
    return change.itemsOf(await this.#read(key), kind, key);
  }

  async #read(key: string): Promise<StoredValue | undefined> {
    const bucket = await this.open();
    const entry = await this.#entry(bucket, encodeKey(key));
    if (!entry.value || !isExpired(entry.value, Date.now())) return entry.value;
    // nobody else removes it; if it was written again meanwhile, the revision differs and nothing happens
    bucket.delete(encodeKey(key), { previousSeq: entry.revision }).catch(() => undefined);
    return undefined;
  }

  async #entry(bucket: KV, encodedKey: string): Promise<Known> {
    let entry: KvEntry | null;
    try {
      entry = await this.#answer(bucket.get(encodedKey));
    } catch (cause) {
      throw this.#storeError(cause);
    }
    if (!entry) return { revision: 0, value: undefined };
    return { revision: entry.revision, value: entry.operation === 'PUT' ? decodeValue(entry.value) : undefined };
  }

  #change<R>(key: string, apply: change.Change<R>, overwrites = false): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const waiting: Waiting = { change: apply, overwrites, resolve: resolve as Waiting['resolve'], reject };
      const encodedKey = encodeKey(key);
      const queue = this.#waiting.get(encodedKey);
      if (queue) {
        queue.push(waiting);
        return;
      }
      this.#waiting.set(encodedKey, [waiting]);
      void this.#drain(encodedKey);
    });
  }

  async #drain(key: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(key)!;
      if (batch.length === 0) break;
      this.#waiting.set(key, []);
      try {
        await this.#apply(key, batch);
      } catch (thrown) {
        this.#known.delete(key);
        for (const { reject } of batch) reject(thrown);
      }
    }
    this.#waiting.delete(key);
  }

  /** Applies a batch to the value and writes the outcome, again from the start as long as others are quicker. */
  async #apply(key: string, batch: readonly Waiting[]): Promise<void> {
    const bucket = await this.open();
    const blind = batch[0]!.overwrites ? fold(undefined, batch) : undefined;
    if (blind?.value) {
      await this.#write(bucket, key, undefined, blind.value);
      return blind.settle();
    }
    for (let attempt = 0; attempt < attempts; attempt++) {
      const remembered = this.#known.get(key);
      const before = remembered ?? (await this.#entry(bucket, key));
      const outcome = fold(before.value, batch);
      if (outcome.value !== before.value) {
        if (await this.#write(bucket, key, before.revision, outcome.value)) return outcome.settle();
        await sleep(Math.random() * Math.min(attempt, 20));
      } else if (!remembered) return outcome.settle();
      // what was remembered is proved only by a write that succeeds
      this.#known.delete(key);
    }
    throw new WattleError('E_STORE', `too many writers change the same key of bucket ${this.name}`);
  }

  /** False when the key was changed since `revision`; without one the value is written whatever is there. */
  async #write(
    bucket: KV,
    key: string,
    revision: number | undefined,
    value: StoredValue | undefined,
  ): Promise<boolean> {
    try {
      if (!value) {
        await this.#answer(bucket.delete(key, expecting(revision)));
        this.#known.delete(key);
        return true;
      }
      const bytes = encodeValue(value);
      this.#checkSize(bytes.length);
      const written = await this.#answer(bucket.put(key, bytes, expecting(revision)));
      this.#remember(key, { revision: written, value }, bytes.length);
      return true;
    } catch (thrown) {
      if (lostRace(thrown)) return false;
      throw this.#storeError(thrown);
    }
  }

  #remember(key: string, known: Known, size: number): void {
    this.#known.delete(key);
    if (size > knownBytes || known.value?.expiresMs !== undefined) return;
    if (this.#known.size >= knownKeys) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(key, known);
  }

  #checkSize(size: number): void {
    // the server counts the headers of the message too
    const most = (this.#connection.nats.info?.max_payload ?? 1024 * 1024) - 1024;
    if (size > most)
      throw new WattleError('E_TOO_LARGE', `a value of ${size} bytes; bucket ${this.name} holds ${most} at most`);
  }

  #answer<T>(asked: Promise<T>): Promise<T> {
    return withDeadline(asked, storeTimeoutMs, () => new Error(`no answer within ${storeTimeoutMs} ms`));
  }

  #storeError(cause: unknown): WattleError {
    if (cause instanceof WattleError) return cause;
    return new WattleError('E_STORE', `bucket ${this.name}: ${toWattleError(cause).message}`, { cause });
  }
}

/** The changes one after the other; a change that throws is refused alone and changes nothing. */
function fold(
  start: StoredValue | undefined,
  batch: readonly Waiting[],
): { value: StoredValue | undefined; settle(): void } {
  const answers: (() => void)[] = [];
  let value = start && isExpired(start, Date.now()) ? undefined : start;
  const alive = value;
  for (const waiting of batch) {
    try {
      const changed = waiting.change(value);
      value = changed.value;
      answers.push(() => waiting.resolve(changed.result));
    } catch (thrown) {
      answers.push(() => waiting.reject(thrown));
    }
  }
  // an expired value that stays away needs no write
  return { value: value === alive ? start : value, settle: () => answers.forEach((answer) => void answer()) };
}
