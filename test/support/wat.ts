// Guest modules for tests, written as text: small actors with one behaviour each, named after it. `wabt` turns them into
// bytes; what it does not know is encoded by hand in the tests.
import loadWabt from 'wabt';

const wabt = await loadWabt();
const features = {
  multi_value: true,
  bulk_memory: true,
  reference_types: true,
  simd: true,
  sign_extension: true,
} as const;
const more = { threads: true, tail_call: true, exceptions: true, memory64: true, multi_memory: true } as const;

/** The binary of a module in text format. Not validated, so that bad modules can be made. */
export function wat(text: string): Uint8Array {
  const module = wabt.parseWat('test.wat', text, { ...features, ...more });
  try {
    return new Uint8Array(module.toBinary({ write_debug_names: true }).buffer);
  } finally {
    module.destroy();
  }
}

const imports = `
  (import "wasmbus" "__guest_request" (func $request (param i32 i32)))
  (import "wasmbus" "__guest_response" (func $respond (param i32 i32)))
  (import "wasmbus" "__guest_error" (func $fail (param i32 i32)))`;
const hostImports = `
  (import "wasmbus" "__host_call" (func $host (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasmbus" "__host_response_len" (func $host_len (result i32)))
  (import "wasmbus" "__host_response" (func $host_response (param i32)))
  (import "wasmbus" "__host_error_len" (func $host_error_len (result i32)))
  (import "wasmbus" "__host_error" (func $host_error (param i32)))
  (import "wasmbus" "__console_log" (func $log (param i32 i32)))`;

export interface ActorText {
  /** Body of `__guest_call (param $op i32) (param $len i32) (result i32)`. */
  readonly call: string;
  /** Further fields of the module: functions, globals, data, tables. */
  readonly fields?: string;
  /** Imports before all else, as text. */
  readonly imports?: string;
  /** With `__host_call` and its companions. */
  readonly host?: boolean;
  /** Limits of the memory; one page unless said. */
  readonly memory?: string;
}

/** An actor from the body of its `__guest_call`. Functions at hand: $request $respond $fail, with `host` $host $log …. */
export const actor = ({ call, fields = '', imports: first = '', host = false, memory = '1' }: ActorText): Uint8Array =>
  wat(`(module ${first} ${imports} ${host ? hostImports : ''}
    (memory (export "memory") ${memory})
    ${fields}
    (func $guest_call (export "__guest_call") (param $op i32) (param $len i32) (result i32)
      ${call}))`);

/** Answers with its payload; the operation lies at 1024, the payload at 4096. */
export const echoActor = (): Uint8Array =>
  actor({
    call: `(call $request (i32.const 1024) (i32.const 4096))
      (call $respond (i32.const 4096) (local.get $len)) (i32.const 1)`,
  });

/** Adds one to a counter in memory and one in a global; answers with both bytes: the same each time if state is fresh. */
export const countActor = (): Uint8Array =>
  actor({
    fields: '(global $n (mut i32) (i32.const 0))',
    call: `(global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1)))
      (i32.store8 (i32.const 1) (global.get $n))
      (call $respond (i32.const 0) (i32.const 2)) (i32.const 1)`,
  });

/** Sends its payload on as a host call `Test.Relay` and answers with the answer, or fails with its error. */
export const relayActor = (): Uint8Array =>
  actor({
    host: true,
    fields: '(data (i32.const 0) "defaulttest:contractTest.Relay")',
    call: `(local $n i32)
      (call $request (i32.const 1024) (i32.const 4096))
      (if (result i32) (call $host (i32.const 0) (i32.const 7) (i32.const 7) (i32.const 13) (i32.const 20) (i32.const 10)
          (i32.const 4096) (local.get $len))
        (then (local.set $n (call $host_len)) (call $host_response (i32.const 8192))
          (call $respond (i32.const 8192) (local.get $n)) (i32.const 1))
        (else (local.set $n (call $host_error_len)) (call $host_error (i32.const 8192))
          (call $fail (i32.const 8192) (local.get $n)) (i32.const 0)))`,
  });

/** Computes for ever. */
export const loopActor = (): Uint8Array => actor({ call: '(loop $l (br $l)) (i32.const 1)' });
