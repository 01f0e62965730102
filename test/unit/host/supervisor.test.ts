import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRestart, type RestartRecord, restartBudget } from '../../../host/supervisor.ts';

describe('A restart plan', () => {
  it('waits twice as long after each failure in the window', () => {
    let record: RestartRecord = [];
    const delays: number[] = [];
    for (let failure = 0; failure < restartBudget.count; failure++) {
      const plan = planRestart(record, failure * 1000);
      record = plan.record;
      delays.push(plan.delayMs);
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600]);
  });

  it('is a crash loop beyond the budget, and says so once the window holds one failure too many', () => {
    const record = [0, 1, 2, 3, 4];
    expect(planRestart(record.slice(1), 5).crashLoop).toBe(false);
    expect(planRestart(record, 5)).toMatchObject({ crashLoop: true, delayMs: restartBudget.maxDelayMs });
  });

  it('forgets failures older than the window', () => {
    const plan = planRestart([0, 1, 2, 3, 4], restartBudget.windowMs + 10);
    expect(plan).toMatchObject({ crashLoop: false, delayMs: restartBudget.firstDelayMs });
  });

  it('never waits longer than the longest delay nor keeps more than the window', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { maxLength: 30 }), (times) => {
        let record: RestartRecord = [];
        for (const now of times.sort((left, right) => left - right)) {
          const plan = planRestart(record, now);
          record = plan.record;
          expect(plan.delayMs).toBeLessThanOrEqual(restartBudget.maxDelayMs);
          expect(record.every((time) => now - time < restartBudget.windowMs)).toBe(true);
        }
      }),
    );
  });
});
