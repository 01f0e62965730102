// Waits for a condition instead of a time: looks again every few milliseconds until the check passes.
import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by `eventually` when the condition did not come true; tells what was last seen. */
export class NeverHappened extends Error {
  constructor(what: string, timeoutMs: number, last: unknown) {
    const seen = last instanceof Error ? last.message : JSON.stringify(last);
    super(`${what}: not within ${timeoutMs} ms (last seen: ${seen})`, { cause: last });
    this.name = 'NeverHappened';
  }
}

/**
 * The first result of `check` that is neither false, null nor undefined. A throwing check counts as not yet, so a block of
 * `expect(…)` that returns true can wait. Default time-out 10 s.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 10_000, what = 'the condition' }: { timeoutMs?: number; what?: string } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  do {
    try {
      const result = await check();
      if (result !== false && result !== null && result !== undefined)
        return result as Exclude<T, false | null | undefined>;
      last = result;
    } catch (thrown) {
      last = thrown;
    }
    await sleep(20);
  } while (performance.now() < deadline);
  throw new NeverHappened(what, timeoutMs, last);
}
