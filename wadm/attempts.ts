// What was sent and what became of it, by command key: nothing is sent twice while it may still take effect, and what
// failed waits longer each time. Forgotten as soon as the plan no longer asks for it: then it has taken effect.
import { type ErrorCode, errorTable, type WattleError } from '../lattice/errors.ts';
import { type Command, commandKey, commandPrint, commandSettleMs } from './commands.ts';

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

interface Attempt {
  /** What exactly was asked for; another wish under the same key is sent at once. */
  readonly print: string;
  /** The answer is outstanding. */
  readonly inFlight: boolean;
  /** When it may be sent again. */
  readonly nextMs: number;
  readonly failures: number;
  readonly failure: Failure | undefined;
}

const longestMs = 30_000;

/** Waits 1, 2, 4 … 30 s; what cannot heal by itself is looked at again every 30 s. */
const backOffMs = (code: ErrorCode, failures: number): number =>
  errorTable[code].retry ? Math.min(longestMs, 1000 * 2 ** (failures - 1)) : longestMs;

export class Attempts {
  readonly #byKey = new Map<string, Attempt>();

  /** Whether to send the command now. */
  isDue(command: Command, nowMs: number): boolean {
    const attempt = this.#byKey.get(commandKey(command));
    if (!attempt) return true;
    if (attempt.inFlight) return false;
    return attempt.print !== commandPrint(command) || nowMs >= attempt.nextMs;
  }

  /** Whether its answer is outstanding. */
  isInFlight(command: Command): boolean {
    return this.#byKey.get(commandKey(command))?.inFlight === true;
  }

  onSent(command: Command, nowMs: number): void {
    const before = this.#byKey.get(commandKey(command));
    const print = commandPrint(command);
    const same = before?.print === print;
    this.#byKey.set(commandKey(command), {
      print,
      inFlight: true,
      nextMs: nowMs + commandSettleMs(command),
      failures: same ? before.failures : 0,
      failure: same ? before.failure : undefined,
    });
  }

  /** It was accepted: its effect shows later, or an event says why not. */
  onAccepted(command: Command, nowMs: number): void {
    const attempt = this.#byKey.get(commandKey(command));
    // the event of a failure can be quicker than the answer
    if (!attempt?.inFlight) return;
    this.#byKey.set(commandKey(command), { ...attempt, inFlight: false, nextMs: nowMs + commandSettleMs(command) });
  }

  /** It was refused, or an event told its failure. Failures of keys that nothing was sent for are not ours. */
  onFailed(key: string, error: WattleError, nowMs: number): void {
    const attempt = this.#byKey.get(key);
    if (!attempt) return;
    const failures = attempt.failures + 1;
    this.#byKey.set(key, {
      ...attempt,
      inFlight: false,
      failures,
      nextMs: nowMs + backOffMs(error.code, failures),
      failure: { code: error.code, message: error.message },
    });
  }

  /** The failure of a command that is still asked for, and when it is sent again. */
  failureOf(command: Command): (Failure & { nextMs: number }) | undefined {
    const attempt = this.#byKey.get(commandKey(command));
    if (!attempt?.failure || attempt.print !== commandPrint(command)) return undefined;
    return { ...attempt.failure, nextMs: attempt.nextMs };
  }

  /** When a command that was accepted and has not shown yet is sent again. */
  nextOf(command: Command): number | undefined {
    return this.#byKey.get(commandKey(command))?.nextMs;
  }

  /** A user asked again, perhaps after mending the cause: what failed is due at once and counts as new. */
  forgetFailures(): void {
    for (const [key, attempt] of this.#byKey)
      if (attempt.failure) this.#byKey.set(key, { ...attempt, failure: undefined, failures: 0, nextMs: 0 });
  }

  /** Forgets what is no longer asked for. */
  keepOnly(commands: readonly Command[]): void {
    const asked = new Set(commands.map(commandKey));
    for (const [key, attempt] of this.#byKey) if (!asked.has(key) && !attempt.inFlight) this.#byKey.delete(key);
  }

  /** When the next command becomes due by time alone. What is due already waits for something else, which will wake the loop. */
  nextMs(nowMs: number): number | undefined {
    const waiting = [...this.#byKey.values()].filter((attempt) => !attempt.inFlight && attempt.nextMs > nowMs);
    return waiting.length > 0 ? Math.min(...waiting.map((attempt) => attempt.nextMs)) : undefined;
  }
}
