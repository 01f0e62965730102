// What travels on the control interface (protocol.md 3.2): a JSON body in, the envelope {success, message, response?} out,
// with our code beside a refusal. Whatever comes in, what goes out is an envelope that NATS can carry.
import { z } from 'zod';
import { parseJson } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { ControlReply } from '../lattice/types.ts';

/** What a handler answers: a text, a response, or silence (an auction nobody wants to win). */
export type Answer = { readonly message?: string; readonly response?: unknown } | undefined;

/**
 * The JSON of a body, undefined for an empty one. Throws E_CONTROL for what is no JSON, and for a key `__proto__` at any
 * depth: every schema would drop it in silence.
 */
export function parseBody(data: Uint8Array): unknown {
  if (data.length === 0) return undefined;
  const body = parseJson(data);
  const open = [body];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) throw new WattleError('E_CONTROL', 'a key cannot be named __proto__');
    for (const inner of Object.values(value)) open.push(inner);
  }
  return body;
}

export function createReply({ message = '', response }: NonNullable<Answer>): ControlReply {
  return { success: true, message, ...(response === undefined ? {} : { response }) };
}

/** The reply that tells of an error. */
export function createRefusal(error: WattleError): ControlReply {
  return { success: false, message: error.message, code: error.code };
}

/** What a handler threw; a body of the wrong shape is E_CONTROL and names the field. */
export function toControlError(thrown: unknown, subject: string): WattleError {
  if (!(thrown instanceof z.ZodError)) return toWattleError(thrown);
  const issue = thrown.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.').slice(0, 100)}: ` : '';
  const what = issue?.message ?? 'wrong shape';
  return new WattleError('E_CONTROL', `request to ${subject} is not understood: ${where}${what}`);
}

/** The text of a reply; one that is larger than a message may be becomes a refusal that says so. */
export function formatReply(reply: ControlReply, limitBytes: number): string {
  const text = JSON.stringify(reply);
  const bytes = Buffer.byteLength(text);
  if (bytes <= limitBytes) return text;
  const reason = `the answer has ${bytes} bytes, a message at most ${limitBytes} (max_payload of NATS)`;
  return JSON.stringify(createRefusal(new WattleError('E_TOO_LARGE', reason)));
}
