// The door of the sandbox: the functions a waPC host gives a guest (module `wasmbus`), as typed calls. Everything an actor
// reaches goes through `callHost`; everything that reaches it comes through `readRequest`.
import { Reader } from './reader';
import { failure, Result, success } from './result';
import { Writer } from './writer';

@external('wasmbus', '__guest_request')
declare function guestRequest(operation: usize, payload: usize): void;
@external('wasmbus', '__guest_response')
declare function guestResponse(start: usize, length: i32): void;
@external('wasmbus', '__guest_error')
declare function guestError(start: usize, length: i32): void;
@external('wasmbus', '__host_call')
declare function hostCall(
  binding: usize,
  bindingLength: i32,
  namespace: usize,
  namespaceLength: i32,
  operation: usize,
  operationLength: i32,
  payload: usize,
  payloadLength: i32,
): i32;
@external('wasmbus', '__host_response_len')
declare function hostResponseLength(): i32;
@external('wasmbus', '__host_response')
declare function hostResponse(start: usize): void;
@external('wasmbus', '__host_error_len')
declare function hostErrorLength(): i32;
@external('wasmbus', '__host_error')
declare function hostError(start: usize): void;
@external('wasmbus', '__console_log')
declare function consoleLog(start: usize, length: i32): void;

/** One call of this actor: what is asked, and with which payload. */
export class Request {
  constructor(
    readonly operation: string,
    readonly payload: Reader,
  ) {}
}

/** Fetches the call whose sizes the host gave to `__guest_call`. */
export function readRequest(operationLength: i32, payloadLength: i32): Request {
  const operation = new ArrayBuffer(operationLength);
  const payload = new ArrayBuffer(payloadLength);
  guestRequest(changetype<usize>(operation), changetype<usize>(payload));
  return new Request(String.UTF8.decode(operation), new Reader(payload));
}

export function writeResponse(payload: Writer): void {
  guestResponse(payload.start, payload.length);
}

export function writeError(text: string): void {
  const bytes = String.UTF8.encode(text);
  guestError(changetype<usize>(bytes), bytes.byteLength);
}

/** Prints a line to the log of the host, whatever the actor may use. For the last words of a failing actor. */
export function printLine(text: string): void {
  const bytes = String.UTF8.encode(text);
  consoleLog(changetype<usize>(bytes), bytes.byteLength);
}

/**
 * Calls something outside. For a capability `binding` is the link name and `namespace` the contract
 * (`default`, `wasmcloud:keyvalue`); for an actor they are empty and its call alias or key.
 */
export function callHost(binding: string, namespace: string, operation: string, payload: Writer): Result<Reader> {
  const first = String.UTF8.encode(binding);
  const second = String.UTF8.encode(namespace);
  const third = String.UTF8.encode(operation);
  const code = hostCall(
    changetype<usize>(first),
    first.byteLength,
    changetype<usize>(second),
    second.byteLength,
    changetype<usize>(third),
    third.byteLength,
    payload.start,
    payload.length,
  );
  if (code !== 1) return failure<Reader>(readHostError(operation));
  const answer = new ArrayBuffer(hostResponseLength());
  hostResponse(changetype<usize>(answer));
  return success(new Reader(answer));
}

function readHostError(operation: string): string {
  const text = new ArrayBuffer(hostErrorLength());
  hostError(changetype<usize>(text));
  return text.byteLength === 0 ? `${operation} failed without a reason` : String.UTF8.decode(text);
}
