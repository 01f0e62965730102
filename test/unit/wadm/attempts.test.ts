import { describe, expect, test } from 'vitest';
import { WattleError } from '../../../lattice/errors.ts';
import { Attempts } from '../../../wadm/attempts.ts';
import { type Command, commandKey } from '../../../wadm/commands.ts';

const scale = (count: number): Command => ({
  type: 'scale',
  host: 'H',
  id: 'a',
  ref: 'a:1',
  count,
  annotations: {},
  config: [],
});
const key = commandKey(scale(1));
const retryable = new WattleError('E_ARTIFACT_NOT_FOUND', 'not there');

describe('an attempt', () => {
  test('is made once until it could have taken effect', () => {
    const attempts = new Attempts();
    expect(attempts.isDue(scale(1), 0)).toBe(true);
    attempts.onSent(scale(1), 0);
    expect(attempts.isDue(scale(1), 99_999)).toBe(false);
    attempts.onAccepted(scale(1), 100);
    expect([5000, 5100].map((nowMs) => attempts.isDue(scale(1), nowMs))).toEqual([false, true]);
  });

  test('for another wish is made at once', () => {
    const attempts = new Attempts();
    attempts.onSent(scale(1), 0);
    attempts.onAccepted(scale(1), 0);
    expect(attempts.isDue(scale(2), 1)).toBe(true);
  });

  test('that failed waits 1, 2, 4 … 30 s', () => {
    const attempts = new Attempts();
    const waits: number[] = [];
    for (let nowMs = 0, round = 0; round < 7; round++) {
      attempts.onSent(scale(1), nowMs);
      attempts.onFailed(key, retryable, nowMs);
      const next = attempts.failureOf(scale(1))!.nextMs;
      waits.push((next - nowMs) / 1000);
      nowMs = next;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });

  test('that cannot heal by itself waits 30 s, another wish does not', () => {
    const attempts = new Attempts();
    attempts.onSent(scale(1), 0);
    attempts.onFailed(key, new WattleError('E_SIG_INVALID', 'bad'), 0);
    expect(attempts.failureOf(scale(1))).toMatchObject({ code: 'E_SIG_INVALID', nextMs: 30_000 });
    expect(attempts.failureOf(scale(2))).toBeUndefined();
    expect(attempts.isDue(scale(2), 1)).toBe(true);
  });

  test('whose failure is told before its answer has failed', () => {
    const attempts = new Attempts();
    attempts.onSent(scale(1), 0);
    attempts.onFailed(key, retryable, 1);
    attempts.onAccepted(scale(1), 2);
    expect(attempts.isDue(scale(1), 1001)).toBe(true);
  });

  test('is forgotten when nobody asks for it, and failures of others never count', () => {
    const attempts = new Attempts();
    attempts.onFailed('actor/H/other//', retryable, 0);
    attempts.onSent(scale(1), 0);
    attempts.onFailed(key, retryable, 0);
    attempts.keepOnly([]);
    expect(attempts.failureOf(scale(1))).toBeUndefined();
    expect(attempts.nextMs(0)).toBeUndefined();
  });
});
