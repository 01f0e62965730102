// Ten swaps of an actor at 1,000 requests a second: how many requests were lost, how many ran twice. Both should be 0.
import { runTenSwaps } from '../support/swap-load.ts';
import { type Figure, figure } from './figure.ts';

export async function measureSwap(): Promise<Figure[]> {
  const account = await runTenSwaps();
  return [
    figure('swap.lost', account.failed.length, `of ${account.sent} requests`),
    figure('swap.twice', account.twice.length, `of ${account.sent} requests`),
    figure('swap.stale', account.stale.length, `of ${account.sent} requests`),
    figure('swap.p99.ms', account.p99Ms, 'ms'),
  ];
}
