// What an actor answers, as a table from operation to handler, and how it calls other actors.
import { Reader } from './reader';
import { Result, success } from './result';
import { callHost } from './wapc';
import { Writer } from './writer';

/** Answers one operation: gets the payload, gives the payload of the answer (an empty writer for "no value") or fails. */
export type Handler = (payload: Reader) => Result<Writer>;

const operations = new Array<string>();
const handlers = new Array<Handler>();

/**
 * Answers an operation. Called at the top level of the actor's source; the last handler of an operation wins.
 *
 *     onCall('Pong.Ping', (payload: Reader): Result<Writer> => success(new Writer().text(`pong ${payload.text()}`)));
 *
 * Reads of a payload of the wrong shape give zero values, and the call fails after the handler returned; a handler that
 * changes something outside looks at `payload.failed` first.
 */
export function onCall(operation: string, handler: Handler): void {
  const known = operations.indexOf(operation);
  if (known >= 0) {
    handlers[known] = handler;
    return;
  }
  operations.push(operation);
  handlers.push(handler);
}

/** Calls another actor by its call alias (`wattle/pong`), its key (`M…`) or its id, on this host or any other. */
export function callActor(target: string, operation: string, payload: Writer): Result<Reader> {
  return callHost('', target, operation, payload);
}

// Every actor is asked now and then whether it is well; one that knows better answers this itself.
onCall('Actor.HealthRequest', (_payload: Reader): Result<Writer> => {
  return success(new Writer().map(1).text('healthy').boolean(true));
});

/** The handler of an operation, null when there is none. */
export function handlerOf(operation: string): Handler | null {
  const place = operations.indexOf(operation);
  return place < 0 ? null : handlers[place];
}
