// What the host sees of an actor: the exports. The build compiles this file into every actor. A handler that does not
// exist, a payload that does not fit and a failed result are answered as errors, which the caller gets as text.
import { handlerOf } from './actor';
import { printLine, readRequest, writeError, writeResponse } from './wapc';

/** One call: 1 when `__guest_response` has the answer, 0 when `__guest_error` has the reason. */
export function __guest_call(operationLength: i32, payloadLength: i32): i32 {
  const request = readRequest(operationLength, payloadLength);
  const operation = request.operation;
  const handler = handlerOf(operation);
  if (handler === null) return refuse(`method not handled ${operation} - unknown method`);
  const answer = handler(request.payload);
  if (request.payload.failed) return refuse(`${operation}: the payload does not fit: ${request.payload.error}`);
  if (!answer.ok) return refuse(answer.error);
  writeResponse(answer.value);
  return 1;
}

function refuse(reason: string): i32 {
  writeError(reason);
  return 0;
}

/** The version of the calling convention, for hosts that ask. */
export function __wasmbus_rpc_version(): u32 {
  return 1;
}

/** Takes the place of AssemblyScript's abort (`--use abort=…`), so that an actor imports nothing but `wasmbus`. */
function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const where = file === null ? '' : ` (${file}:${line}:${column})`;
  const text = (message === null ? 'abort' : message) + where;
  printLine(text);
  writeError(text);
  unreachable();
}
