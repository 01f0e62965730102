// Restart policy as data: how soon a failed child may start again, and when to stop trying so fast. Pure; whoever owns
// the child keeps the record and the timer.

/** At most this many restarts in the window; beyond it the child is in a crash loop (reliability.md 1.8). */
export const restartBudget = { count: 5, windowMs: 60_000, firstDelayMs: 100, maxDelayMs: 30_000 } as const;

/** Times (monotonic ms) of the restarts inside the window, oldest first. */
export type RestartRecord = readonly number[];

export interface RestartPlan {
  readonly record: RestartRecord;
  readonly delayMs: number;
  /** The budget is used up: tell the user, try again only after the longest delay. */
  readonly crashLoop: boolean;
}

/** What to do after a failure at `nowMs`. */
export function planRestart(record: RestartRecord, nowMs: number): RestartPlan {
  const recent = [...record.filter((time) => nowMs - time < restartBudget.windowMs), nowMs];
  const crashLoop = recent.length > restartBudget.count;
  const backoffMs = restartBudget.firstDelayMs * 2 ** (recent.length - 1);
  return {
    record: recent,
    delayMs: crashLoop ? restartBudget.maxDelayMs : Math.min(backoffMs, restartBudget.maxDelayMs),
    crashLoop,
  };
}
