// CONTRACT of the contracts: what one capability is called in each era, who calls whom, and its operations.
// One file a capability lists its operations with typed codecs; index.ts lists the capabilities.

/** Encodes and decodes one message of an operation. `decode` throws E_PAYLOAD; both are hand-written where a call is hot. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** One operation: its wire name (`KeyValue.Get`) and the codecs of request and response. */
export interface Operation<Q, R> {
  readonly name: string;
  readonly request: Codec<Q>;
  readonly response: Codec<R>;
}

export interface Contract {
  /** Our name, and that of its file: `keyvalue`. */
  readonly name: string;
  /** The 0.x contract id, as it stands in claims (`caps`) and in host calls of waPC actors: `wasmcloud:keyvalue`. */
  readonly capability: string;
  /** Every `namespace:package` that means this contract in links of either era: `wasmcloud:keyvalue`, `wasi:keyvalue`. */
  readonly ids: readonly string[];
  /**
   * Who starts the calls. `actor`: the actor calls the provider. `provider`: the provider calls the actor (HTTP server,
   * message subscriptions), so a link of either direction between the two grants it.
   */
  readonly caller: 'actor' | 'provider';
  /** Known interfaces of the 1.x packages, for warnings on misspelled ones: { 'wasi:keyvalue': ['store', 'atomics'] }. */
  readonly interfaces: Readonly<Record<string, readonly string[]>>;
}
