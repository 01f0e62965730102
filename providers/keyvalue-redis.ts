// keyvalue over a real Redis: each operation is the command it was named after. Keys are the actors' own, so several actors
// and other programs may share them.
import { keyvalue } from '../lattice/contracts/keyvalue.ts';
import { WattleError } from '../lattice/errors.ts';
import { type KeyValueStore, StoreLinks } from './keyvalue.ts';
import {
  checkOptions,
  defineProvider,
  type ProviderCall,
  type ProviderContext,
  type ProviderInstance,
  type ProviderLink,
  readOption,
} from './provider.ts';
import { checkRedisUrl, RedisConnection } from './redis-connection.ts';

const defaultUrl = 'redis://127.0.0.1:6379/';

interface RedisStore extends KeyValueStore {
  readonly url: string;
  readonly redis: RedisConnection;
}

function createStore(url: string, redis: RedisConnection): RedisStore {
  const remove = async (key: string): Promise<boolean> => (await redis.run((client) => client.del(key))) > 0;
  return {
    url,
    redis,
    Get: async (key) => {
      const value = await redis.run((client) => client.get(key));
      return { value: value ?? '', exists: value !== null };
    },
    Set: async ({ key, value, expires }) => {
      const options = expires === 0 ? {} : { expiration: { type: 'EX', value: expires } as const };
      await redis.run((client) => client.set(key, value, options));
    },
    Del: remove,
    Contains: async (key) => (await redis.run((client) => client.exists(key))) > 0,
    Increment: async ({ key, value }) => {
      const result = await redis.run((client) => client.incrBy(key, value));
      if (Number.isSafeInteger(result)) return result;
      throw new WattleError('E_STORE_TYPE', `"${key}" has grown beyond what a number holds exactly`);
    },
    ListAdd: ({ listName, value }) => redis.run((client) => client.rPush(listName, value)),
    ListDel: async ({ listName, value }) => (await redis.run((client) => client.lRem(listName, 1, value))) > 0,
    ListRange: ({ listName, start, stop }) => redis.run((client) => client.lRange(listName, start, stop)),
    ListClear: remove,
    SetAdd: ({ setName, value }) => redis.run((client) => client.sAdd(setName, value)),
    SetDel: ({ setName, value }) => redis.run((client) => client.sRem(setName, value)),
    SetQuery: async (setName) => [...(await redis.run((client) => client.sMembers(setName)))],
    // Redis refuses an empty list of names
    SetUnion: async (names) =>
      names.length === 0 ? [] : [...(await redis.run((client) => client.sUnion([...names])))],
    SetIntersection: async (names) =>
      names.length === 0 ? [] : [...(await redis.run((client) => client.sInter([...names])))],
    SetClear: remove,
  };
}

class KeyValueRedis implements ProviderInstance {
  readonly #context: ProviderContext;
  readonly #links = new StoreLinks<RedisStore>();

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#urlOf({});
  }

  checkLink(link: ProviderLink): void {
    checkOptions(link.config, 'keyvalue-redis: link configuration', ['url']);
    this.#urlOf(link.config);
  }

  async putLink(link: ProviderLink): Promise<void> {
    this.checkLink(link);
    const url = this.#urlOf(link.config);
    const store = this.#links.stores.find((each) => each.url === url) ?? this.#open(url);
    const before = this.#links.delete(link.actorId, link.linkName);
    this.#links.set(link.actorId, link.linkName, store);
    if (before) await this.#closeUnused(before);
    await store.redis.settle();
  }

  async deleteLink(actorId: string, linkName: string): Promise<void> {
    const store = this.#links.delete(actorId, linkName);
    if (store) await this.#closeUnused(store);
  }

  handle(call: ProviderCall): Promise<Uint8Array> {
    return this.#links.answer(call);
  }

  describe(): Readonly<Record<string, string>> {
    return this.#links.describe((store) => store.redis.title);
  }

  async checkHealth(): Promise<void> {
    const open = new Set(this.#links.stores);
    await Promise.all([...open].map((store) => store.redis.run((client) => client.ping())));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = new Set(this.#links.stores);
    await Promise.all([...open].map((store) => store.redis[Symbol.asyncDispose]()));
  }

  #open(url: string): RedisStore {
    return createStore(url, new RedisConnection(url, this.#context.log));
  }

  async #closeUnused(store: RedisStore): Promise<void> {
    if (!this.#links.stores.includes(store)) await store.redis[Symbol.asyncDispose]();
  }

  #urlOf(config: ProviderLink['config']): string {
    return checkRedisUrl(readOption(config, 'url') ?? readOption(this.#context.config, 'url') ?? defaultUrl);
  }
}

export const keyvalueRedisProvider = defineProvider({
  name: 'keyvalue-redis',
  contract: keyvalue,
  summary: 'keeps texts, counters, lists and sets in a Redis',
  images: ['keyvalue-redis', 'kvredis'],
  async start(context) {
    checkOptions(context.config, 'keyvalue-redis: start configuration', ['url']);
    return new KeyValueRedis(context);
  },
});
