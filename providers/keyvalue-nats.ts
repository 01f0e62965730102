// The embedded keyvalue provider: values live in a JetStream bucket of the lattice itself, so nothing else has to run.
import { keyvalue } from '../lattice/contracts/keyvalue.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { buckets } from '../lattice/subjects.ts';
import { withDeadline } from './deadline.ts';
import { StoreLinks } from './keyvalue.ts';
import { BucketStore } from './keyvalue-bucket.ts';
import {
  checkOptions,
  defineProvider,
  type ProviderCall,
  type ProviderContext,
  type ProviderInstance,
  type ProviderLink,
  readOption,
} from './provider.ts';

/** Buckets of the platform itself: a link must not reach them. */
const reserved = /^(LATTICEDATA_|CONFIGDATA_|wadm_)/i;
const healthTimeoutMs = 2000;

class KeyValueNats implements ProviderInstance {
  readonly #context: ProviderContext;
  readonly #links = new StoreLinks<BucketStore>();
  /** One store a bucket, for changes of one key to meet in one queue. */
  readonly #stores = new Map<string, BucketStore>();

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#bucketOf({});
  }

  checkLink(link: ProviderLink): void {
    checkOptions(link.config, 'keyvalue-nats: link configuration', ['bucket']);
    this.#bucketOf(link.config);
  }

  async putLink(link: ProviderLink): Promise<void> {
    this.checkLink(link);
    const name = this.#bucketOf(link.config);
    const store = this.#stores.get(name) ?? new BucketStore(this.#context.connection, name);
    await store.open();
    this.#stores.set(name, store);
    this.#links.set(link.actorId, link.linkName, store);
  }

  async deleteLink(actorId: string, linkName: string): Promise<void> {
    this.#links.delete(actorId, linkName);
  }

  handle(call: ProviderCall): Promise<Uint8Array> {
    return this.#links.answer(call);
  }

  describe(): Readonly<Record<string, string>> {
    return this.#links.describe((store) => `bucket ${store.name}`);
  }

  async checkHealth(): Promise<void> {
    const { nats } = this.#context.connection;
    const late = (): Error => new WattleError('E_STORE', `NATS does not answer within ${healthTimeoutMs} ms`);
    await withDeadline(nats.rtt(), healthTimeoutMs, late).catch((cause: unknown) => {
      throw toWattleError(cause, 'E_STORE');
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#stores.values()].map((store) => store.settle()));
  }

  #bucketOf(config: ProviderLink['config']): string {
    const { config: start, connection } = this.#context;
    const name = readOption(config, 'bucket') ?? readOption(start, 'bucket') ?? buckets.keyvalue(connection.lattice);
    if (!/^[A-Za-z0-9_-]{1,128}$/.test(name))
      throw new WattleError(
        'E_LINK_CONFIG',
        `keyvalue-nats: "${name}" is no name of a bucket (letters, digits, _ and -)`,
      );
    if (reserved.test(name))
      throw new WattleError('E_LINK_CONFIG', `keyvalue-nats: bucket ${name} is the platform's own`);
    return name;
  }
}

export const keyvalueNatsProvider = defineProvider({
  name: 'keyvalue-nats',
  contract: keyvalue,
  summary: 'keeps texts, counters, lists and sets in a JetStream bucket of the lattice',
  images: ['keyvalue-nats', 'kv-nats'],
  async start(context) {
    checkOptions(context.config, 'keyvalue-nats: start configuration', ['bucket']);
    return new KeyValueNats(context);
  },
});
