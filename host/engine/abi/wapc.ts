// waPC as wasmCloud actors speak it (protocol.md 7): `__guest_call` in, `__guest_response` or `__guest_error` out, and
// `__host_call` in between. A guest that imports `__host_call` runs on a stack of its own that waits at a host call (JSPI);
// any other is called directly, without a promise.
import { formatError, toWattleError, WattleError } from '../../../lattice/errors.ts';
import type { Span } from '../builtins.ts';
import { GuestMemory } from '../guest-memory.ts';
import { type InstrumentedModule, startName } from '../instrument.ts';
import { callNameBytes, messageBytes } from '../limits.ts';
import { applyImage, applyImageToNew, type Image, type Resettable, takeImage } from '../snapshot.ts';
import { describeTrap } from '../trap.ts';
import { GuestExit } from '../wasi/preview1.ts';
import type { Abi, GuestFactory, GuestInstance, GuestWorld, IncomingCall } from './abi.ts';
import { HostAnswer } from './host-answer.ts';
import { createImports } from './wapc-imports.ts';

const nothing: Buffer = Buffer.alloc(0);
const scratchBytes = 256;
const keptBytes = 1024 * 1024;
const errorBytes = 64 * 1024;

/** Run once, in this order, before the first call; all but the first as the hosts before us did (protocol.md 7.2). */
const startExports = [startName, '_initialize', 'wapc_init', '_start'] as const;

/** The state of one call that has no request. */
const noCall: IncomingCall = { id: 0, bytes: nothing, start: 0, payloadStart: 0, end: 0 };

/** What all instances of a module share. */
export interface WapcModule {
  readonly module: WebAssembly.Module;
  readonly instrumented: InstrumentedModule;
  readonly world: GuestWorld;
  image: Image | undefined;
}

type GuestCall = (operationLength: number, payloadLength: number) => number | Promise<number>;

export class WapcInstance implements GuestInstance {
  readonly #shared: WapcModule;
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly memory: GuestMemory;
  readonly #resettable: Resettable;
  readonly #growFailed: WebAssembly.Global | undefined;
  readonly #guestCall: GuestCall;
  #call = noCall;
  #abandoned = false;
  #starting = false;
  #response: Buffer = Buffer.allocUnsafeSlow(scratchBytes);
  #responseLength = 0;
  #errorText: string | undefined;
  readonly #answer = new HostAnswer();
  #resume: ((code: number) => void) | undefined;
  #stop: ((reason: Error) => void) | undefined;
  readonly #onReturn = (code: number): void => this.#finish(code);
  readonly #onThrow = (thrown: unknown): void => this.#trap(thrown);

  constructor(shared: WapcModule) {
    this.#shared = shared;
    const { instrumented, world } = shared;
    const imports = createImports(this, { world, ...instrumented });
    this.#exports = new WebAssembly.Instance(shared.module, imports).exports;
    this.memory = new GuestMemory(this.#exports.memory as WebAssembly.Memory);
    const globals = instrumented.globals.map((name) => this.#exports[name] as WebAssembly.Global);
    const { growth } = instrumented;
    const size = growth && (this.#exports[growth.size] as WebAssembly.Global);
    this.#resettable = { memory: this.memory.memory, globals, size };
    this.#growFailed = growth && (this.#exports[growth.failed] as WebAssembly.Global);
    this.#guestCall = this.#wrap(this.#exports.__guest_call as (...numbers: number[]) => number);
    if (shared.image) applyImageToNew(shared.image, this.#resettable);
  }

  get callId(): number {
    return this.#call.id;
  }

  #wrap(exported: (...numbers: number[]) => number): (...numbers: number[]) => number | Promise<number> {
    return this.#shared.instrumented.hostCallParams === undefined ? exported : WebAssembly.promising(exported);
  }

  async start(): Promise<void> {
    this.#starting = true;
    try {
      for (const name of startExports) {
        const exported = Object.hasOwn(this.#exports, name) ? this.#exports[name] : undefined;
        if (typeof exported === 'function') await this.#runStart(name, exported as () => number);
      }
    } finally {
      this.#starting = false;
    }
  }

  async #runStart(name: string, exported: () => number): Promise<void> {
    try {
      await this.#wrap(exported)();
    } catch (thrown) {
      if (thrown instanceof GuestExit && thrown.status === 0) return;
      const text = describeTrap(thrown, name, this.#growFailed?.value === 1);
      throw new WattleError('E_WASM_START', text.replace(/^E_[A-Z_]+: /, ''), { cause: thrown });
    }
  }

  call(call: IncomingCall): void {
    this.#call = call;
    this.#responseLength = 0;
    this.#errorText = undefined;
    this.#answer.clear();
    let code: number | Promise<number>;
    try {
      code = this.#guestCall(call.payloadStart - call.start, call.end - call.payloadStart);
    } catch (thrown) {
      this.#trap(thrown);
      return;
    }
    if (typeof code === 'number') this.#finish(code);
    else code.then(this.#onReturn, this.#onThrow);
  }

  #finish(code: number): void {
    if (this.#abandoned) return;
    const { world } = this.#shared;
    if (code === 1) world.onResult(this, this.#response, this.#responseLength);
    else world.onError(this, formatError(this.#explain(code)), false);
    if (this.#response.length > keptBytes) this.#response = Buffer.allocUnsafeSlow(scratchBytes);
  }

  /** guest_error text, else the last host_error, else the code (protocol.md 7.2). */
  #explain(code: number): WattleError {
    return new WattleError(
      'E_ACTOR_ERROR',
      this.#errorText || this.#answer.errorText || `__guest_call returned ${code}`,
    );
  }

  #trap(thrown: unknown): void {
    if (this.#abandoned) return;
    const { bytes, start, payloadStart } = this.#call;
    const operation = bytes.toString('utf8', start, payloadStart);
    const text = describeTrap(thrown, operation, this.#growFailed?.value === 1);
    this.#shared.world.onError(this, this.#errorText ? `${text}; it said: ${this.#errorText}` : text, true);
  }

  onReply(succeeded: boolean, answer: Span): void {
    this.#answer.set(succeeded, answer);
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.(succeeded ? 1 : 0);
  }

  abandon(): void {
    this.#abandoned = true;
    this.#stop?.(new Error('abandoned'));
  }

  reset(): boolean {
    const { image } = this.#shared;
    if (!image || !this.#shared.instrumented.resettable) return false;
    this.#answer.clear();
    this.#call = noCall;
    return applyImage(image, this.#resettable, this.memory.view);
  }

  takeImage(): void {
    if (this.#shared.instrumented.resettable) this.#shared.image = takeImage(this.#resettable);
  }

  // What follows is what the guest calls.

  guestRequest(operationAt: number, payloadAt: number): void {
    const { bytes, start, payloadStart, end } = this.#call;
    this.memory.write(operationAt, bytes, start, payloadStart);
    this.memory.write(payloadAt, bytes, payloadStart, end);
  }

  guestResponse(pointer: number, length: number): void {
    const start = this.memory.check(pointer, length);
    const size = length >>> 0;
    if (size > messageBytes) throw new Error(`a response of ${size} bytes; the limit is ${messageBytes}`);
    if (size > this.#response.length) this.#response = Buffer.allocUnsafeSlow(Math.max(size, 2 * scratchBytes));
    this.memory.view.copy(this.#response, 0, start, start + size);
    this.#responseLength = size;
  }

  guestError(pointer: number, length: number): void {
    this.memory.check(pointer, length);
    this.#errorText = this.memory.text(pointer, Math.min(length >>> 0, errorBytes));
  }

  consoleLog(pointer: number, length: number): void {
    const start = this.memory.check(pointer, length);
    this.#shared.world.lines.add('info', this.memory.view, start, start + (length >>> 0));
  }

  hostAnswerLength(succeeded: boolean): number {
    return this.#answer.lengthIf(succeeded);
  }

  writeHostAnswer(succeeded: boolean, pointer: number): void {
    this.memory.write(pointer, this.#answer.bytes, 0, this.#answer.lengthIf(succeeded));
  }

  /** Spans of binding, namespace, operation and payload as pairs of pointer and length. */
  hostCall(numbers: readonly number[]): number | Promise<number> {
    const [binding, namespace, operation, payload] = [0, 2, 4, 6].map((index) =>
      this.#span(numbers[index]!, numbers[index + 1]!),
    ) as [Span, Span, Span, Span];
    try {
      return this.#dispatch({ callId: this.callId, binding, namespace, operation, payload });
    } catch (error) {
      const text = Buffer.from(formatError(toWattleError(error)));
      this.#answer.set(false, { bytes: text, start: 0, end: text.length });
      return 0;
    }
  }

  #span(pointer: number, length: number): Span {
    const start = this.memory.check(pointer, length);
    return { bytes: this.memory.view, start, end: start + (length >>> 0) };
  }

  #dispatch(call: {
    callId: number;
    binding: Span;
    namespace: Span;
    operation: Span;
    payload: Span;
  }): number | Promise<number> {
    const { world } = this.#shared;
    for (const name of [call.binding, call.namespace, call.operation])
      if (name.end - name.start > callNameBytes)
        throw new WattleError('E_INVOCATION', `a name in a host call is longer than ${callNameBytes} bytes`);
    if (call.payload.end - call.payload.start > messageBytes)
      throw new WattleError(
        'E_TOO_LARGE',
        `a host call carries ${call.payload.end - call.payload.start} bytes, the limit is ${messageBytes}`,
      );
    const builtin = world.builtin(call.namespace.bytes.toString('utf8', call.namespace.start, call.namespace.end));
    if (typeof builtin === 'string') throw new WattleError('E_NO_CAPABILITY', builtin);
    if (builtin) {
      const answer = builtin(
        call.operation.bytes.toString('utf8', call.operation.start, call.operation.end),
        call.payload,
      );
      this.#answer.set(true, { bytes: Buffer.from(answer), start: 0, end: answer.length });
      return 1;
    }
    if (this.#starting) throw new WattleError('E_NO_CAPABILITY', 'an actor cannot call others while it starts');
    return this.#suspend(call);
  }

  /** The bytes of a call are lent to us until we wait for something. */
  #keepCall(): void {
    const { id, bytes, start, payloadStart, end } = this.#call;
    this.#call = {
      id,
      bytes: Buffer.from(bytes.subarray(start, end)),
      start: 0,
      payloadStart: payloadStart - start,
      end: end - start,
    };
  }

  #suspend(call: Parameters<GuestWorld['sendHostCall']>[0]): Promise<number> {
    this.#shared.world.sendHostCall(call, this);
    this.#keepCall();
    return new Promise((resolve, reject) => {
      this.#resume = resolve;
      this.#stop = reject;
    });
  }
}

class WapcFactory implements GuestFactory {
  readonly #shared: WapcModule;

  constructor(shared: WapcModule) {
    this.#shared = shared;
  }

  create(): GuestInstance {
    try {
      return new WapcInstance(this.#shared);
    } catch (thrown) {
      if (thrown instanceof RangeError && /memory/i.test(thrown.message))
        throw new WattleError('E_ACTOR_MEMORY', `no memory for another instance: ${thrown.message}`, { cause: thrown });
      const text = describeTrap(thrown, 'start', false).replace(/^E_[A-Z_]+: /, '');
      throw new WattleError(thrown instanceof WebAssembly.LinkError ? 'E_WASM_IMPORT' : 'E_WASM_START', text, {
        cause: thrown,
      });
    }
  }
}

export const wapc: Abi = {
  name: 'wapc',
  detect: (exports) => exports.includes('__guest_call'),
  load: (module, instrumented, world) => new WapcFactory({ module, instrumented, world, image: undefined }),
};
