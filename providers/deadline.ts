// An end to waiting: stores and actors may be slow, a caller must not hang on them.

/** The promise's outcome, or a rejection with what `late` makes once `timeoutMs` have passed. The work itself goes on. */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(late()), timeoutMs);
  try {
    return await Promise.race([promise, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}
