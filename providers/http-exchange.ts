// One request, from the socket to the actor and back. Everything on this path is plain functions over node's own request
// and response: it runs for every request of the platform.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { handleRequest } from '../lattice/contracts/http-server.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { withDeadline } from './deadline.ts';
import { type AnswerOptions, statusOf, writeAnswer, writeError } from './http-answer.ts';
import { readBody } from './http-body.ts';
import { corsLines, isPreflight, preflightLines } from './http-cors.ts';
import type { HttpRoute } from './http-route.ts';

/** A request as the listener hands it on. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly queryString: string;
  /** True while the listener closes: answers ask the client to leave. */
  readonly closing: boolean;
}

/** Calls the actor of a link with an encoded request. */
export type CallActor = (payload: Uint8Array) => Promise<Uint8Array>;

const noBody = new Uint8Array(0);

/** Answers the request through the actor. Never rejects. */
export async function answerRequest(exchange: HttpExchange, route: HttpRoute, call: CallActor): Promise<void> {
  const { request, response } = exchange;
  const options = answerOptions(exchange, route);
  let fromActor = false;
  try {
    if (answersItself(exchange, route, options)) return;
    const reading = readBody(request, route.maxBodyBytes);
    const body = reading instanceof Uint8Array ? reading : await reading;
    if (body === undefined) return;
    const payload = handleRequest.request.encode({
      method: request.method ?? 'GET',
      path: exchange.path,
      queryString: exchange.queryString,
      header: request.rawHeaders,
      body,
    });
    const answer = await (route.timeoutMs === undefined ? call(payload) : within(call(payload), route.timeoutMs));
    fromActor = true;
    writeAnswer(response, handleRequest.response.decode(answer), options);
  } catch (thrown) {
    const error = toWattleError(thrown);
    // the rest of a body that was refused would be read as the next request
    const close = options.close || error.code === 'E_TOO_LARGE';
    const lines = options.lines === undefined ? {} : { lines: options.lines };
    writeError(response, error, { ...lines, status: statusOf(error, fromActor), head: options.head, close });
  }
}

function answerOptions({ request, closing }: HttpExchange, route: HttpRoute): AnswerOptions {
  const head = request.method === 'HEAD';
  const cacheable = head || request.method === 'GET';
  return {
    head,
    close: closing,
    ...(route.cors ? { lines: corsLines(route.cors, request.rawHeaders) } : {}),
    cacheControl: cacheable ? route.cacheControl : undefined,
  };
}

const readMethods = ['GET', 'HEAD', 'OPTIONS'];

/** What the link's configuration answers without the actor: preflights, and writes to a read-only route. */
function answersItself({ request, response }: HttpExchange, route: HttpRoute, options: AnswerOptions): boolean {
  const method = request.method ?? 'GET';
  if (route.cors && isPreflight(method, request.rawHeaders)) {
    const header = preflightLines(route.cors, request.rawHeaders);
    writeAnswer(response, { statusCode: 204, header, body: noBody }, { head: false, close: options.close });
    return true;
  }
  if (!route.readOnly || readMethods.includes(method)) return false;
  const error = new WattleError('E_OPERATION', `${method} is not allowed here: the link is read-only`);
  writeError(response, error, { status: 405, lines: ['allow', readMethods.join(', ')], head: false, close: true });
  return true;
}

/** The call has a deadline of its own too; this is the one of the link. */
const within = (call: Promise<Uint8Array>, timeoutMs: number): Promise<Uint8Array> =>
  withDeadline(call, timeoutMs, () => new WattleError('E_TIMEOUT', `the actor did not answer within ${timeoutMs} ms`));
