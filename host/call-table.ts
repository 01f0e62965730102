// The calls of one isolate that have no answer yet, in the order they were sent. One timer looks at all their deadlines:
// a caller hears of its deadline at once; the call itself stays known until the isolate is done with it, or is overdue.
import { WattleError } from '../lattice/errors.ts';

export interface Pending {
  readonly id: number;
  readonly operation: string;
  readonly deadlineMs: number;
  readonly endsAt: number;
  /** It has made a host call, so it has had an effect. */
  touched: boolean;
  resolve(response: Uint8Array): void;
  reject(error: Error): void;
}

export interface CallTableOptions {
  readonly actorId: string;
  /** How long after its deadline a call may go on before it is overdue. */
  readonly graceMs: number;
  /** The caller was told; the isolate should stop the call. */
  readonly onExpired: (id: number) => void;
  readonly onOverdue: (call: Pending) => void;
  /** The isolate is done with a call, or is gone itself. */
  readonly onLeft: () => void;
}

const sweepMs = 20;
const lastId = 0xffff_ffff;

export class CallTable {
  readonly #options: CallTableOptions;
  readonly #pending = new Map<number, Pending>();
  /** Past their deadline, not yet stopped. */
  readonly #expired = new Map<number, Pending>();
  readonly #drains = new Set<() => void>();
  #sweep: NodeJS.Timeout | undefined;
  #id = 0;

  constructor(options: CallTableOptions) {
    this.#options = options;
  }

  /** Calls whose callers wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Those, and the ones that were given up but still run. */
  get unanswered(): number {
    return this.#pending.size + this.#expired.size;
  }

  get(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** Ids begin at 1 and wrap; 0 stands for none. */
  add(call: Pick<Pending, 'operation' | 'deadlineMs' | 'resolve' | 'reject'>): number {
    this.#id = this.#id === lastId ? 1 : this.#id + 1;
    const id = this.#id;
    const { operation, deadlineMs, resolve, reject } = call;
    const endsAt = performance.now() + deadlineMs;
    this.#pending.set(id, { id, operation, deadlineMs, endsAt, touched: false, resolve, reject });
    this.#sweep ??= setInterval(() => this.#onSweep(), sweepMs);
    return id;
  }

  /** Removes a call that was answered; undefined when its caller does not wait any more. */
  take(id: number): Pending | undefined {
    const call = this.#pending.get(id);
    if (call) this.#pending.delete(id);
    else if (!this.#expired.delete(id)) return undefined;
    this.#options.onLeft();
    this.#answered();
    return call;
  }

  #answered(): void {
    if (this.#pending.size === 0) for (const done of this.#drains) done();
  }

  #onSweep(): void {
    const now = performance.now();
    for (const call of this.#pending.values()) if (call.endsAt <= now) this.#expire(call);
    const { graceMs, onOverdue } = this.#options;
    for (const call of this.#expired.values()) if (call.endsAt + graceMs <= now) onOverdue(call);
    if (this.unanswered > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #expire(call: Pending): void {
    this.#pending.delete(call.id);
    this.#expired.set(call.id, call);
    const { actorId, onExpired } = this.#options;
    call.reject(
      new WattleError('E_ACTOR_DEADLINE', `${actorId} ${call.operation} took longer than ${call.deadlineMs} ms`),
    );
    onExpired(call.id);
    this.#answered();
  }

  /** Answers every call that is left and forgets the others. */
  rejectAll(errorOf: (call: Pending) => WattleError): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    const calls = [...this.#pending.values()];
    const left = this.unanswered;
    this.#expired.clear();
    this.#pending.clear();
    for (let count = 0; count < left; count++) this.#options.onLeft();
    for (const call of calls) call.reject(errorOf(call));
    this.#answered();
  }

  /** Resolves with 0 when no caller waits, or after `timeoutMs` with how many still do. */
  drained(timeoutMs: number): Promise<number> {
    if (this.#pending.size === 0) return Promise.resolve(0);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#drains.delete(done);
        resolve(this.#pending.size);
      };
      const timer = setTimeout(done, timeoutMs);
      this.#drains.add(done);
    });
  }
}
