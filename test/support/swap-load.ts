// Swaps of an actor under an open-loop load, with an account of every request: the actor increments a key of the
// request's own and answers with its version, so a lost, failed or twice-run request shows.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { type LoadAnswer, latencyAt, runOpenLoop } from './open-loop.ts';
import { freePort, type Platform, startPlatform } from './platform.ts';
import { startRedis } from './redis.ts';
import { buildSample } from './sample.ts';

interface SwapLoadOptions {
  readonly platform: Platform;
  readonly actorId: string;
  readonly url: string;
  /** Module files, swapped in turn. */
  readonly versions: readonly { readonly file: string; readonly version: string }[];
  readonly perSecond: number;
  readonly swaps: number;
  readonly secondsPerSwap: number;
}

export interface SwapAccount {
  readonly sent: number;
  /** Answers that were not 200. */
  readonly failed: readonly LoadAnswer[];
  /** Requests whose key was incremented more than once. */
  readonly twice: readonly LoadAnswer[];
  /** Requests sent after a swap was complete and before the next was asked for, but answered by another version. */
  readonly stale: readonly LoadAnswer[];
  readonly p99Ms: number;
}

/** When one version alone served: from the end of its swap to the beginning of the next. */
interface Period {
  readonly version: string;
  readonly start: number;
  end: number;
}

/** Runs the load and the swaps beside each other; throws when an update command fails. */
async function runSwapLoad(options: SwapLoadOptions): Promise<SwapAccount> {
  const { platform, actorId, versions, swaps, secondsPerSwap } = options;
  const seconds = (swaps + 1) * secondsPerSwap;
  const run = `/r${Date.now().toString(36)}`;
  const load = runOpenLoop({
    url: options.url,
    perSecond: options.perSecond,
    seconds,
    path: (index) => `${run}/${index}`,
  });
  const periods: Period[] = [];
  for (let swap = 0; swap < swaps; swap++) {
    await sleep(secondsPerSwap * 1000);
    const { file, version } = versions[swap % versions.length]!;
    const last = periods.at(-1);
    if (last) last.end = performance.now();
    await must(platform, 'actor', 'update', actorId, `file://${file}`);
    periods.push({ version, start: performance.now(), end: Number.POSITIVE_INFINITY });
  }
  const answers = await load;
  const failed = answers.filter((answer) => answer.status !== 200);
  const twice = answers.filter(
    (answer) => answer.status === 200 && (JSON.parse(answer.body) as { value: number }).value !== 1,
  );
  const stale = answers.filter(({ status, sentAt, version }) =>
    periods.some(
      (period) => status === 200 && sentAt > period.start && sentAt < period.end && version !== period.version,
    ),
  );
  return { sent: answers.length, failed, twice, stale, p99Ms: latencyAt(answers, 0.99) };
}

/** What a command must have done; throws with what it printed. */
async function must(platform: Platform, ...words: string[]): Promise<void> {
  const result = await platform.wattle(...words);
  if (result.code !== 0)
    throw new Error(`wattle ${words.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
}

/** The counter started and linked by hand: nothing declares it, so nothing puts an updated version back. */
async function startCounter(platform: Platform, file: string, port: number, redisUrl: string): Promise<void> {
  await must(platform, 'actor', 'start', `file://${file}`, 'counter', '--count', '50');
  await must(platform, 'provider', 'start', 'wattle:keyvalue-redis', 'store');
  await must(platform, 'provider', 'start', 'wattle:http-server', 'http');
  await must(platform, 'link', 'put', 'counter', 'store', 'wasmcloud:keyvalue', '--set', `url=${redisUrl}`);
  await must(platform, 'link', 'put', 'http', 'counter', 'wasi:http', '--set', `address=127.0.0.1:${port}`);
}

/** Ten swaps between two versions of the counter at 1,000 requests a second, on a platform and a Redis of their own. */
export async function runTenSwaps(): Promise<SwapAccount> {
  await using redis = await startRedis();
  await using platform = await startPlatform();
  const port = await freePort();
  const build = async (version: string) => ({ version, file: await buildSample(platform.dataDir, 'counter', version) });
  const versions = [await build('2.0.0'), await build('3.0.0')];
  await startCounter(platform, versions[1]!.file, port, redis.url);
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(url)).status === 200, { what: 'the counter to answer' });
  const load = { perSecond: 1000, swaps: 10, secondsPerSwap: 1 };
  // awaited here: the platform must outlive the load
  return await runSwapLoad({ platform, actorId: 'counter', url, versions, ...load });
}
