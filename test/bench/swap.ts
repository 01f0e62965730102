// Ten swaps of an actor at 1,000 requests a second: how many requests were lost, how many ran twice. Both should be 0.
import { freePort, startPlatform } from '../support/platform.ts';
import { startRedis } from '../support/redis.ts';
import { buildSample, deployCounter } from '../support/sample.ts';
import { runSwapLoad } from '../support/swap-load.ts';
import { type Figure, figure } from './figure.ts';

export async function measureSwap(): Promise<Figure[]> {
  await using redis = await startRedis();
  await using platform = await startPlatform();
  const port = await freePort();
  await deployCounter(platform, { port, store: { image: 'wattle:keyvalue-redis', config: { url: redis.url } } });
  const versions = [
    await buildSample(platform.dataDir, 'counter', '2.0.0'),
    await buildSample(platform.dataDir, 'counter', '3.0.0'),
  ];
  const account = await runSwapLoad({
    platform,
    actorId: 'counter-actor',
    url: `http://127.0.0.1:${port}`,
    versions,
    perSecond: 1000,
    swaps: 10,
    secondsPerSwap: 1,
  });
  return [
    figure('swap.lost', account.failed.length, `of ${account.sent} requests`),
    figure('swap.twice', account.twice.length, `of ${account.sent} requests`),
    figure('swap.p99.ms', account.p99Ms, 'ms'),
  ];
}
