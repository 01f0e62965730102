// CONTRACT of an ABI: how bytes enter and leave one kind of wasm module. An instance serves one call at a time; the world
// around it (the isolate) hears of host calls, log lines and the end of each call.

import type { Builtin, Span } from '../builtins.ts';
import type { InstrumentedModule } from '../instrument.ts';
import type { LogLines } from '../log-lines.ts';

/** A host call on its way out; the three names and the payload are spans of guest memory, valid during the call. */
export interface OutgoingCall {
  readonly callId: number;
  readonly binding: Span;
  readonly namespace: Span;
  readonly operation: Span;
  readonly payload: Span;
}

/** What an instance may ask of the isolate around it. */
export interface GuestWorld {
  readonly lines: LogLines;
  /** The contract answered in the isolate under this id: a builtin, an error text why not, or undefined when it goes to the host. */
  builtin(namespace: string): Builtin | string | undefined;
  /** Sends a host call; the answer comes through GuestInstance.onReply. */
  sendHostCall(call: OutgoingCall, instance: GuestInstance): void;
  /** The call ended well: `bytes` up to `length` is the response, valid during the call. */
  onResult(instance: GuestInstance, bytes: Buffer, length: number): void;
  /** The call ended badly; `broken` when the instance must not be used again. `text` is as formatError writes it. */
  onError(instance: GuestInstance, text: string, broken: boolean): void;
}

/** One call on its way in: the operation lies before the payload in one span of bytes. */
export interface IncomingCall extends Span {
  readonly id: number;
  readonly payloadStart: number;
}

export interface GuestInstance {
  /** Id of the call it serves; meaningless when it serves none. */
  readonly callId: number;
  /** Runs the guest's own start code. Throws WattleError E_WASM_START; a promise where the ABI needs one. */
  start(): Promise<void> | void;
  /** Begins a call. Its end may be told before this returns. `call.bytes` is reused after that unless copied. */
  call(call: IncomingCall): void;
  /** The answer to its host call: bytes, or an error text. */
  onReply(succeeded: boolean, answer: Span): void;
  /** Stops serving its suspended call without telling its end; it must not be used again. */
  abandon(): void;
  /** Puts it back to the state of `image`; false when that cannot be done. */
  reset(): boolean;
  /** Remembers the present state as the one `reset` goes back to, for itself and instances made later. */
  takeImage(): void;
}

/** Makes instances of one compiled module. */
export interface GuestFactory {
  /** A new instance; with an image taken it needs no `start`. Throws WattleError E_WASM_START or E_ACTOR_MEMORY. */
  create(): GuestInstance;
}

export interface Abi {
  readonly name: string;
  /** True when the exports of a module are those of this ABI. */
  detect(exports: readonly string[]): boolean;
  load(module: WebAssembly.Module, instrumented: InstrumentedModule, world: GuestWorld): GuestFactory;
}
