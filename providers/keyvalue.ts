// What the keyvalue providers share: the store they implement, how an operation reaches it, and links that each have one.

import type { Operation } from '../lattice/contracts/contract.ts';
import { keyvalueOperations } from '../lattice/contracts/keyvalue.ts';
import { WattleError } from '../lattice/errors.ts';
import type { ProviderCall } from './provider.ts';

type Operations = typeof keyvalueOperations;
type Name = keyof Operations;
type RequestOf<O> = O extends Operation<infer Q, infer _R> ? Q : never;
type ResponseOf<O> = O extends Operation<infer _Q, infer R> ? R : never;

/**
 * One method an operation of the contract. All throw E_STORE when the store does not answer, E_STORE_TYPE when the key
 * holds a value of another type. Every method is atomic, also against other hosts.
 */
export type KeyValueStore = {
  readonly [N in Name]: (request: RequestOf<Operations[N]>) => Promise<ResponseOf<Operations[N]>>;
};

const names = new Map<string, Name>(
  (Object.keys(keyvalueOperations) as Name[]).map((name) => [keyvalueOperations[name].name, name]),
);

async function answerOperation<N extends Name>(
  store: KeyValueStore,
  name: N,
  payload: Uint8Array,
): Promise<Uint8Array> {
  const operation = keyvalueOperations[name] as unknown as Operation<
    RequestOf<Operations[N]>,
    ResponseOf<Operations[N]>
  >;
  return operation.response.encode(await store[name](operation.request.decode(payload)));
}

/** The stores of a provider's links. */
export class StoreLinks<S extends KeyValueStore> {
  readonly #stores = new Map<string, S>();

  get stores(): readonly S[] {
    return [...this.#stores.values()];
  }

  /** A fact about the store of each link, keyed `actor/link name`. */
  describe(fact: (store: S) => string): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#stores].map(([key, store]) => [key.replace('\n', '/'), fact(store)]));
  }

  set(actorId: string, linkName: string, store: S): void {
    this.#stores.set(`${actorId}\n${linkName}`, store);
  }

  /** Forgets a link and returns the store it used. */
  delete(actorId: string, linkName: string): S | undefined {
    const key = `${actorId}\n${linkName}`;
    const store = this.#stores.get(key);
    this.#stores.delete(key);
    return store;
  }

  /** Answers a call of a linked actor. Throws E_NO_LINK, E_OPERATION, or what the store throws. */
  answer(call: ProviderCall): Promise<Uint8Array> {
    const store = this.#stores.get(`${call.actorId}\n${call.linkName}`);
    if (!store)
      throw new WattleError(
        'E_NO_LINK',
        `actor ${call.actorId} has no link "${call.linkName}" to this keyvalue provider`,
      );
    const name = names.get(call.operation);
    if (!name) throw new WattleError('E_OPERATION', `keyvalue does not know ${call.operation}`);
    return answerOperation(store, name, call.payload);
  }
}
