// What the host's other parts know of an isolate: how to open one, call it, drain it, and what it asks of them. The
// implementation is cell-isolate.ts; Cells.openIsolate makes them.

/** What an actor asks of the host. `binding` is the link name ('' or 'default' alike), `namespace` a contract id, actor id, module key or call alias. */
export interface HostCall {
  readonly binding: string;
  readonly namespace: string;
  readonly operation: string;
  readonly payload: Uint8Array;
}

export interface IsolateSpec {
  readonly actorId: string;
  /** Trust domain: issuer key (A…), or `unsigned`. Isolates of one domain share a cell. */
  readonly domain: string;
  /** True after this actor was a suspect in a crash: it gets a cell of its own. */
  readonly alone?: boolean;
  readonly wasm: Uint8Array;
  /** Most instances that run at once in this isolate. */
  readonly maxInstances: number;
  /** Most linear memory of one instance. */
  readonly memoryBytes: number;
  /** Most calls taken and not yet answered; beyond it E_OVERLOAD. */
  readonly maxInFlight: number;
  /** False: `wasmcloud:builtin:logging` / `:numbergen` are refused (E_NO_CAPABILITY), as the claims do not name them. */
  readonly logging: boolean;
  readonly numbergen: boolean;
}

export interface IsolateHandlers {
  /** Rejects with WattleError; its formatError text is what the guest reads as host error. */
  onHostCall(call: HostCall): Promise<Uint8Array> | Uint8Array;
  /** stdout, console_log and builtin logging of the guest, one line each, already bounded in rate and length. */
  onLog(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** Once, when the isolate is gone for any reason but disposal: E_CELL_LOST, E_ACTOR_DEADLINE, E_ACTOR_MEMORY … */
  onExit(error: Error): void;
}

/** See IsolateSpec; obtained from Cells.openIsolate, which resolves when one instance is warm. */
export interface Isolate {
  readonly inFlight: number;
  /**
   * One invocation. Resolves with the guest's response. Rejects with WattleError: E_ACTOR_ERROR (guest_error text),
   * E_ACTOR_TRAP, E_ACTOR_DEADLINE, E_OVERLOAD, E_CELL_LOST (it had started), E_NOT_STARTED (it had not: safe to send again).
   */
  call(operation: string, payload: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  setMaxInstances(count: number): void;
  /** Resolves when nothing is in flight, or after `timeoutMs` with the number still running. Refuses no new calls by itself. */
  drain(timeoutMs: number): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}
