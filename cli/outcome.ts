// The outcome of a command whose acknowledgement precedes the work (protocol.md 3.2): it comes as an event. We listen before
// we send, so that a fast host is not missed.
import type { LatticeConnection } from '../lattice/connection.ts';
import { parseJson } from '../lattice/connection.ts';
import { parseError, WattleError } from '../lattice/errors.ts';
import { type LatticeEvent, parseEvent } from '../lattice/events.ts';
import { eventSubjects } from '../lattice/subjects.ts';

/** What an event means for the command: it is done, it failed, or the event is about something else. */
export type Verdict = 'done' | WattleError | undefined;

export interface Expectation {
  /** For the message when nothing comes: `actor hello on NABC…`. */
  readonly what: string;
  readonly timeoutMs: number;
  judge(event: LatticeEvent): Verdict;
}

function readEvent(data: Uint8Array): LatticeEvent | undefined {
  try {
    return parseEvent(parseJson(data));
  } catch {
    return undefined; // another program's message on our subject is not our failure
  }
}

/** Sends, then waits for the event that settles it. Throws what the host reports, or E_TIMEOUT. */
export async function awaitOutcome(
  connection: LatticeConnection,
  expectation: Expectation,
  send: () => Promise<unknown>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const callback = (error: Error | null, message: { data: Uint8Array }): void => {
    const event = error ? undefined : readEvent(message.data);
    const verdict = event && expectation.judge(event);
    if (verdict === 'done') resolve();
    else if (verdict) reject(verdict);
  };
  const subscription = connection.nats.subscribe(eventSubjects.all(connection.lattice), { callback });
  const { what, timeoutMs } = expectation;
  const late = (): void => reject(new WattleError('E_TIMEOUT', `${what}: no outcome within ${timeoutMs} ms`));
  const timer = setTimeout(late, timeoutMs);
  promise.catch(() => undefined); // it may be settled while `send` is under way
  try {
    await connection.nats.flush();
    await send();
    await promise;
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
}

/** Judges the events of one actor on one host; `done` decides from `max_instances` and the reference that runs. */
export const judgeActor =
  (hostId: string, actorId: string, done: (run: { count: number; ref: string }) => boolean) =>
  (event: LatticeEvent): Verdict => {
    if (event.host !== hostId) return undefined;
    if (event.name === 'component_scale_failed' && event.data.component_id === actorId)
      return parseError(event.data.error, 'E_INTERNAL');
    if (event.name !== 'component_scaled' || event.data.component_id !== actorId) return undefined;
    return done({ count: event.data.max_instances, ref: event.data.image_ref }) ? 'done' : undefined;
  };

/** Judges the events of one provider on one host. */
export const judgeProvider =
  (hostId: string, providerId: string, done: 'provider_started' | 'provider_stopped') =>
  (event: LatticeEvent): Verdict => {
    if (event.host !== hostId) return undefined;
    if (event.name === 'provider_start_failed' && event.data.provider_id === providerId)
      return parseError(event.data.error, 'E_PROVIDER_START');
    return event.name === done && event.data.provider_id === providerId ? 'done' : undefined;
  };
