// The answer of anything that can fail. AssemblyScript has no exceptions, so a failed host call is a value: look at `ok`
// and handle `error`, or take `value` and let the call end with that error.

/**
 * Either a value or the reason why there is none.
 *
 *     const stored = new KeyValue().increment('visits', 1);
 *     if (!stored.ok) return HttpResponse.unavailable(stored.error);
 *     return HttpResponse.text(stored.value.toString());
 */
export class Result<T> {
  private readonly held: T;
  private readonly problem: string | null;

  /** Use `success(value)` and `failure<T>(error)`. */
  constructor(held: T, problem: string | null) {
    this.held = held;
    this.problem = problem;
  }

  get ok(): bool {
    return this.problem === null;
  }

  /** Why it failed, as the host put it: `E_STORE: the store did not answer`. Empty when it did not fail. */
  get error(): string {
    const problem = this.problem;
    return problem === null ? '' : problem;
  }

  /** The code in front of the error: `E_STORE`, `E_NO_LINK`, `E_TIMEOUT` …; empty when there is none. */
  get code(): string {
    const error = this.error;
    const colon = error.indexOf(': ');
    return error.startsWith('E_') && colon > 0 ? error.substring(0, colon) : '';
  }

  /** The value. Of a failed result it ends the call: the caller of this actor gets the error. */
  get value(): T {
    const problem = this.problem;
    if (problem !== null) throw new Error(problem);
    return this.held;
  }

  /** The value, or `fallback` of a failed result. */
  or(fallback: T): T {
    return this.ok ? this.held : fallback;
  }
}

export function success<T>(value: T): Result<T> {
  return new Result<T>(value, null);
}

/** A failed result. The type cannot be inferred: `failure<string>('no such user')`. */
export function failure<T>(error: string): Result<T> {
  if (isReference<T>()) return new Result<T>(changetype<T>(<usize>0), error);
  return new Result<T>(<T>0, error);
}
