// Swaps of an actor under an open-loop load, with an account of every request: the actor increments a key of the
// request's own and answers with its version, so a lost, failed or twice-run request shows.
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadAnswer, latencyAt, runOpenLoop } from './open-loop.ts';
import type { Platform } from './platform.ts';

export interface SwapLoadOptions {
  readonly platform: Platform;
  readonly actorId: string;
  readonly url: string;
  /** Module files, swapped in turn. */
  readonly versions: readonly string[];
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
  readonly p99Ms: number;
}

/** Runs the load and the swaps beside each other; throws when an update command fails. */
export async function runSwapLoad(options: SwapLoadOptions): Promise<SwapAccount> {
  const { platform, actorId, versions, swaps, secondsPerSwap } = options;
  const seconds = (swaps + 1) * secondsPerSwap;
  const run = `/r${Date.now().toString(36)}`;
  const load = runOpenLoop({
    url: options.url,
    perSecond: options.perSecond,
    seconds,
    path: (index) => `${run}/${index}`,
  });
  for (let swap = 0; swap < swaps; swap++) {
    await sleep(secondsPerSwap * 1000);
    const result = await platform.wattle('actor', 'update', actorId, `file://${versions[swap % versions.length]}`);
    if (result.code !== 0) throw new Error(`actor update: exit ${result.code}\n${result.stdout}${result.stderr}`);
  }
  const answers = await load;
  const failed = answers.filter((answer) => answer.status !== 200);
  const twice = answers.filter(
    (answer) => answer.status === 200 && (JSON.parse(answer.body) as { value: number }).value !== 1,
  );
  return { sent: answers.length, failed, twice, p99Ms: latencyAt(answers, 0.99) };
}
