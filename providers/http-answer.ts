// Answers on a node response: the actor's, or an error as JSON {error, message} with the status of its code. What an actor
// sends is not trusted: a status or a header that HTTP does not allow becomes 502, never a crash.
import type { ServerResponse } from 'node:http';
import type { HttpResponse } from '../lattice/contracts/http-server.ts';
import { errorTable, WattleError } from '../lattice/errors.ts';

/** Headers about the connection or the framing, which belong to the server (RFC 9110 7.6.1). */
const ownHeaders = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Longest of their names: anything longer needs no look-up. */
const ownNameLength = 17;

/** Bodies up to this size leave in one write with the header, as text of one byte a character (measured: 1.2×). */
const joinedBytes = 4096;
const latin1 = Buffer.prototype.latin1Slice;

/** Statuses that come without a body; node refuses one on 204 and 304. */
const hasNoBody = (status: number): boolean => status === 204 || status === 304 || status === 205;

export interface AnswerOptions {
  /** Further header lines: name, value, name, value … */
  readonly lines?: readonly string[];
  readonly head: boolean;
  /** Ask the client to use another connection from now on. */
  readonly close: boolean;
  readonly cacheControl?: string | undefined;
}

/** The lines to send, and the length a HEAD answer declares. */
function planLines(answer: HttpResponse, options: AnswerOptions): string[] {
  const lines: string[] = [];
  let length = String(answer.body.length);
  let cached = false;
  for (let index = 0; index < answer.header.length; index += 2) {
    const name = answer.header[index]!;
    const lower = name.length <= ownNameLength ? name.toLowerCase() : name;
    if (!ownHeaders.has(lower)) {
      lines.push(name, answer.header[index + 1]!);
      if (lower === 'cache-control') cached = true;
    } else if (
      options.head &&
      lower === 'content-length' &&
      answer.body.length === 0 &&
      /^\d+$/.test(answer.header[index + 1]!)
    )
      length = answer.header[index + 1]!;
  }
  if (options.lines) lines.push(...options.lines);
  if (options.cacheControl !== undefined && !cached && answer.statusCode < 400)
    lines.push('cache-control', options.cacheControl);
  if (!hasNoBody(answer.statusCode)) lines.push('content-length', length);
  if (options.close) lines.push('connection', 'close');
  return lines;
}

/** Sends what the actor answered. Throws E_PAYLOAD, with nothing sent, when HTTP does not allow it. */
export function writeAnswer(response: ServerResponse, answer: HttpResponse, options: AnswerOptions): void {
  const { statusCode, body } = answer;
  if (statusCode < 200 || statusCode > 599)
    throw new WattleError('E_PAYLOAD', `the actor answered with status ${statusCode}`);
  try {
    response.writeHead(statusCode, planLines(answer, options));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WattleError('E_PAYLOAD', `the actor answered with a header that HTTP does not allow: ${reason}`, {
      cause,
    });
  }
  if (options.head || hasNoBody(statusCode) || body.length === 0) response.end();
  else if (body.length <= joinedBytes) response.end(latin1.call(body, 0, body.length), 'latin1');
  else response.end(body);
}

/** The status of an error; what an actor got wrong in its answer is a bad gateway, not a bad request. */
export const statusOf = (error: WattleError, fromActor: boolean): number =>
  fromActor && error.code === 'E_PAYLOAD' ? 502 : errorTable[error.code].http;

const encoder = new TextEncoder();

export interface ErrorAnswer {
  readonly status: number;
  /** Header lines beside the content type. */
  readonly lines?: readonly string[];
  readonly head: boolean;
  readonly close: boolean;
}

/** The error as an answer. 429 and 503 say when to try again. Does nothing when an answer has begun. */
export function writeError(response: ServerResponse, error: WattleError, options: ErrorAnswer): void {
  if (response.headersSent || response.destroyed) return;
  const { status, head, close } = options;
  const retry = status === 429 || status === 503 ? ['retry-after', '1'] : [];
  const header = ['content-type', 'application/json; charset=utf-8', ...retry, ...(options.lines ?? [])];
  const body = encoder.encode(JSON.stringify({ error: error.code, message: error.message }));
  writeAnswer(response, { statusCode: status, header, body }, { head, close });
}
