// The keyvalue suite over both stores, and what is particular to each: real nats-server, real redis-server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LatticeConnection } from '../../lattice/connection.ts';
import { keyvalueOperations } from '../../lattice/contracts/keyvalue.ts';
import { createLog } from '../../lattice/log.ts';
import { NatsServer } from '../../lattice/nats-server.ts';
import { buckets } from '../../lattice/subjects.ts';
import { keyvalueNatsProvider } from '../../providers/keyvalue-nats.ts';
import { keyvalueRedisProvider } from '../../providers/keyvalue-redis.ts';
import type { ProviderInstance } from '../../providers/provider.ts';
import { call, describeKeyValue } from '../conformance/keyvalue.ts';
import { eventually } from '../support/eventually.ts';
import { cacheDir, startNats } from '../support/nats.ts';
import { linkTo, offlineConnection, startProvider } from '../support/provider.ts';
import { startRedis } from '../support/redis.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';

const { Get, Set: Put, Increment, ListAdd } = keyvalueOperations;
const resources = new AsyncDisposableStack();
let nats: LatticeConnection;
let second: LatticeConnection;
let redisUrl = '';
const started: Record<string, { provider: ProviderInstance; other: ProviderInstance }> = {};

const startNatsStore = async (connection: LatticeConnection, config = {}): Promise<ProviderInstance> => {
  const provider = await startProvider(keyvalueNatsProvider, { connection });
  await provider.putLink(linkTo('actor', config));
  return provider;
};
const startRedisStore = async (config: Record<string, string>): Promise<ProviderInstance> => {
  const provider = await startProvider(keyvalueRedisProvider, { connection: offlineConnection('test') });
  await provider.putLink(linkTo('actor', config));
  return provider;
};

beforeAll(async () => {
  const server = resources.use(await startNats());
  const redis = resources.use(await startRedis());
  redisUrl = redis.url;
  nats = resources.use(await LatticeConnection.start(server.connection));
  second = resources.use(await LatticeConnection.start(server.connection));
  started.nats = {
    provider: resources.use(await startNatsStore(nats)),
    other: resources.use(await startNatsStore(second)),
  };
  started.redis = {
    provider: resources.use(await startRedisStore({ URL: redisUrl })),
    other: resources.use(await startRedisStore({ url: redisUrl })),
  };
});
afterAll(() => resources.disposeAsync());

describeKeyValue('keyvalue-nats', () => started.nats!);
describeKeyValue('keyvalue-redis', () => started.redis!);

describe('keyvalue-nats', () => {
  it('plain texts stand in the bucket as they are, for other tools to read and write', async () => {
    const { provider } = started.nats!;
    await call(provider, Put, { key: 'visits', value: 'ü 1', expires: 0 });
    const bucket = await nats.bucket(buckets.keyvalue(nats.lattice));
    expect((await bucket.get('visits'))?.string()).toBe('ü 1');
    await bucket.put('visits', '41');
    expect(await call(provider, Increment, { key: 'visits', value: 1 })).toBe(42);
  });
  it('links with different buckets do not see each other, and the store survives the provider', async () => {
    await using apart = await startNatsStore(nats, { Bucket: 'apart' });
    await call(apart, Put, { key: 'k', value: 'apart', expires: 0 });
    expect((await call(started.nats!.provider, Get, 'k')).exists).toBe(false);
    await using again = await startNatsStore(second, { bucket: 'apart' });
    expect(await call(again, Get, 'k')).toEqual({ value: 'apart', exists: true });
    expect(again.describe!()).toEqual({ 'actor/default': 'bucket apart' });
  });
  it('buckets of the platform, names that are none and unknown options are refused', async () => {
    await using provider = await startProvider(keyvalueNatsProvider, { connection: nats });
    for (const config of [
      { bucket: 'LATTICEDATA_default' },
      { bucket: 'wadm_manifests' },
      { bucket: 'a.b' },
      { buckets: 'x' },
    ])
      await expect(provider.putLink(linkTo('actor', config))).rejects.toMatchObject({ code: 'E_LINK_CONFIG' });
  });
  it('a value too large for one message is refused by size, and nothing is lost', async () => {
    const { provider } = started.nats!;
    const value = 'x'.repeat(600_000);
    await call(provider, ListAdd, { listName: 'large', value });
    await expect(call(provider, ListAdd, { listName: 'large', value })).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    expect(await call(provider, ListAdd, { listName: 'large', value: 'y' })).toBe(2);
  });
});

describe('keyvalue-nats without its server', () => {
  it('fails by name in bounded time, and goes on with what was stored when the server is back', async () => {
    await using directory = await startTemporaryDirectory();
    const options = { dataDir: directory.path, cacheDir, log: createLog('silent', 'nats') };
    const server = await NatsServer.start({ ...options, port: 0 });
    await using connection = await LatticeConnection.start({ url: server.url, lattice: 'down', name: 'test' });
    await using provider = await startNatsStore(connection);
    expect(await call(provider, Increment, { key: 'n', value: 1 })).toBe(1);
    await server[Symbol.asyncDispose]();
    const since = performance.now();
    const attempts = [
      call(provider, Get, 'n'),
      call(provider, Increment, { key: 'n', value: 1 }),
      provider.checkHealth(),
    ];
    const outcomes = await Promise.allSettled(attempts);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'E_STORE' } });
    expect(performance.now() - since).toBeLessThan(3000);
    await using _again = await NatsServer.start({ ...options, port: server.port });
    const { value } = await eventually(() => call(provider, Get, 'n'));
    // the increment that got no answer may have been stored, once
    expect(['1', '2']).toContain(value);
    expect(await call(provider, Increment, { key: 'n', value: 10 })).toBe(Number(value) + 10);
  });
});

describe('keyvalue-redis', () => {
  it('calls fail at once by name while Redis is down, and work again when it is back', async () => {
    const first = await startRedis();
    await using provider = await startRedisStore({ url: `redis://:secret@127.0.0.1:${first.port}/` });
    await call(provider, Put, { key: 'k', value: 'v', expires: 0 });
    await first[Symbol.asyncDispose]();
    const since = performance.now();
    const failed = await eventually(() =>
      call(provider, Get, 'k').then(
        () => undefined,
        (error: Error) => error,
      ),
    );
    expect(failed).toMatchObject({
      code: 'E_STORE',
      message: expect.stringContaining(`redis://127.0.0.1:${first.port}`),
    });
    expect(failed.message).not.toContain('secret');
    expect(performance.now() - since).toBeLessThan(2500);
    await expect(provider.checkHealth()).rejects.toMatchObject({ code: 'E_STORE' });
    await using _back = await startRedis(first.port);
    await eventually(() => call(provider, Put, { key: 'k', value: 'w', expires: 0 }).then(() => true));
    expect(await call(provider, Get, 'k')).toEqual({ value: 'w', exists: true });
    await provider.checkHealth();
  });
  it('a url that is none and unknown options are refused', async () => {
    await using provider = await startProvider(keyvalueRedisProvider, { connection: offlineConnection('test') });
    for (const config of [{ url: 'http://x' }, { url: 'nonsense' }, { url: redisUrl, prefix: 'x' }])
      await expect(provider.putLink(linkTo('actor', config))).rejects.toMatchObject({ code: 'E_LINK_CONFIG' });
  });
});
