// Bodies too large for one message travel through an object store named like the lattice: written under the id of the
// invocation (answers: `{id}-r`), read once, deleted. Facts: protocol.md 2.5.
import { type ObjectStore, Objm } from '@nats-io/obj';
import type { LatticeConnection } from './connection.ts';
import { WattleError } from './errors.ts';
import { buckets } from './subjects.ts';

/** Bodies beyond this many bytes are sent in chunks. */
export const chunkThresholdBytes = 900 * 1024;
/** What a call gets on top of its timeout when its body goes through the store. */
export const chunkTimeoutMs = 13_000;

/** Nobody reads a body later than this; the store then forgets it, should its reader have died. */
const keptMs = 300_000;

export const responseName = (invocationId: string): string => `${invocationId}-r`;

/** The chunk store of a lattice; opened, and made when missing, at the first large body. */
export class ChunkStore {
  readonly #connection: LatticeConnection;
  #store: Promise<ObjectStore> | undefined;

  constructor(connection: LatticeConnection) {
    this.#connection = connection;
  }

  /** Throws E_LATTICE. */
  async write(name: string, body: Uint8Array): Promise<void> {
    await this.#attempt(`write the body ${name}`, async (store) => {
      await store.putBlob({ name }, body);
    });
  }

  /** Reads and deletes a body. Throws E_INVOCATION when it is not there or not of `length` bytes, E_LATTICE. */
  async take(name: string, length: number): Promise<Uint8Array> {
    return this.#attempt(`read the body ${name}`, async (store) => {
      const info = await store.info(name);
      // a link would have us read an object of another bucket
      if (!info || info.options?.link) throw new WattleError('E_INVOCATION', `there is no body ${name}`);
      if (info.size !== length)
        throw new WattleError('E_INVOCATION', `the body ${name} has ${info.size} bytes, not ${length}`);
      const body = await store.getBlob(name);
      if (!body) throw new WattleError('E_INVOCATION', `there is no body ${name}`);
      await store.delete(name);
      return body;
    });
  }

  async #attempt<T>(what: string, action: (store: ObjectStore) => Promise<T>): Promise<T> {
    try {
      this.#store ??= this.#open();
      return await action(await this.#store);
    } catch (cause) {
      if (cause instanceof WattleError) throw cause;
      this.#store = undefined;
      throw new WattleError('E_LATTICE', `cannot ${what}: ${(cause as Error).message}`, { cause });
    }
  }

  async #open(): Promise<ObjectStore> {
    const name = buckets.chunks(this.#connection.lattice);
    const stores = new Objm(this.#connection.js);
    // an upstream host may have made it with other settings, which `create` would refuse
    return stores.open(name).catch(() => stores.create(name, { ttl: keptMs * 1_000_000 }));
  }
}
