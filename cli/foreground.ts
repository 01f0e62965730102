// A process that runs until it is told to stop: the first signal stops its children in order, a second one, or a time
// limit, ends it at once. What ends at once still leaves nothing behind: children watch for the end of their parent.

/** Signals that come this close together are one: a terminal and a launcher may both pass Ctrl-C on. */
const sameSignalMs = 300;

export interface StopSignal {
  /** Aborts with the first request to stop. */
  readonly signal: AbortSignal;
  /** Asks for a stop from inside; with `failure` the process ends with that error. */
  request(failure?: Error): void;
  /** Resolves with the first request; rejects when that came with a failure. */
  readonly requested: Promise<void>;
}

/** Catches SIGINT, SIGTERM and SIGHUP from now on. `limitMs` after the first one the process ends whatever is still open. */
export function createStopSignal(limitMs: number, note: (line: string) => void): StopSignal {
  const controller = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined); // the stop may come before anybody waits for it
  let firstAt: number | undefined;
  const request = (failure?: Error): void => {
    if (firstAt !== undefined) return;
    firstAt = performance.now();
    setTimeout(() => {
      note(`Not stopped within ${limitMs} ms: ending now.`);
      process.exit(1);
    }, limitMs).unref();
    if (failure) reject(failure);
    else resolve();
    controller.abort(failure);
  };
  const onSignal = (): void => {
    if (firstAt !== undefined && performance.now() - firstAt > sameSignalMs) process.exit(130);
    request();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return { signal: controller.signal, requested: promise, request };
}

/**
 * Starts children in order and keeps them until a stop is asked for, then stops them in reverse. A stop during the start
 * ends it at the next `signal.throwIfAborted()`. Throws what the start threw, or the failure the stop came with.
 */
export async function runUntilStopped(
  stop: StopSignal,
  start: (children: AsyncDisposableStack) => Promise<void>,
  onStopping: () => void,
): Promise<void> {
  await using children = new AsyncDisposableStack();
  try {
    await start(children);
  } catch (thrown) {
    // asked to stop while starting: whatever broke by that is no failure
    if (!stop.signal.aborted) throw thrown;
  }
  await stop.requested;
  onStopping();
}
