// One actor of this host: the isolate that serves it, the swap to another module under load, and the restart when its
// isolate or cell is lost. Callers see one thing that answers; which isolate did is not theirs to know.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claims } from '../lattice/claims.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import type { Cells } from './cells.ts';
import type { HostCall, Isolate } from './isolates.ts';
import type { Module } from './module.ts';
import { planRestart, type RestartRecord } from './supervisor.ts';

export interface ActorLimits {
  readonly deadlineMs: number;
  readonly drainMs: number;
  readonly memoryBytes: number;
  readonly maxInFlight: number;
}

export interface ActorOptions {
  readonly id: string;
  readonly module: Module;
  readonly maxInstances: number;
  readonly cells: Cells;
  readonly limits: ActorLimits;
  readonly log: Log;
  onHostCall(caller: Actor, call: HostCall): Promise<Uint8Array> | Uint8Array;
  /** It began or stopped serving. */
  onStateChange(): void;
}

/** A call that had not started when its isolate went is sent again this often before the caller hears of it. */
const resendLimit = 3;

export class Actor {
  readonly id: string;
  readonly #options: ActorOptions;
  #module: Module;
  #maxInstances: number;
  #isolate: Isolate | undefined;
  /** While no isolate serves: settles when one does again, or rejects with why none will soon. */
  #restart: Promise<Isolate> | undefined;
  #restarts: RestartRecord = [];
  #failure: WattleError | undefined;
  #waiting = 0;
  #alone = false;
  #retired = new Set<Isolate>();
  #stop = new AbortController();

  private constructor(options: ActorOptions) {
    this.id = options.id;
    this.#options = options;
    this.#module = options.module;
    this.#maxInstances = options.maxInstances;
  }

  /** Resolves when one instance is warm; throws what openIsolate throws (E_WASM_START, E_WASM_EXPORT …). */
  static async start(options: ActorOptions): Promise<Actor> {
    const actor = new Actor(options);
    actor.#isolate = await actor.#open(options.module, false);
    return actor;
  }

  get module(): Module {
    return this.#module;
  }

  get claims(): Claims | undefined {
    return this.#module.claims;
  }

  /** Undefined while it serves; else why it does not. */
  get failure(): WattleError | undefined {
    return this.#isolate
      ? undefined
      : (this.#failure ?? new WattleError('E_CELL_LOST', `actor ${this.id} is starting again`));
  }

  /** One invocation; rejects with a code of the closed list (errors.ts). */
  call(operation: string, payload: Uint8Array): Promise<Uint8Array> {
    const isolate = this.#isolate;
    if (!isolate) return this.#callLater(operation, payload, 0);
    return isolate
      .call(operation, payload, this.#options.limits.deadlineMs)
      .catch((error: unknown) => this.#onCallFailed(error, operation, payload, 0));
  }

  setMaxInstances(count: number): void {
    this.#maxInstances = count;
    this.#isolate?.setMaxInstances(count);
  }

  /**
   * Replaces the module: the new isolate is warm before the first call goes to it, calls in flight finish on the old one.
   * Throws, with nothing changed, when the new module does not start. At most two versions live: a third ends the oldest.
   */
  async swap(module: Module): Promise<void> {
    // suspicion falls on a module: the next one begins among the others of its domain
    const isolate = await this.#open(module, false);
    const old = this.#isolate;
    this.#module = module;
    this.#alone = false;
    this.#isolate = isolate;
    this.#restarts = [];
    this.#failure = undefined;
    for (const oldest of this.#retired) void oldest[Symbol.asyncDispose]();
    if (old) void this.#retire(old);
    this.#options.onStateChange();
  }

  async #retire(isolate: Isolate): Promise<void> {
    this.#retired.add(isolate);
    const left = await isolate.drain(this.#options.limits.drainMs);
    if (left > 0)
      this.#options.log.warn({ actor: this.id, calls: left }, 'calls outlived the drain deadline and were ended');
    await isolate[Symbol.asyncDispose]();
    this.#retired.delete(isolate);
  }

  #open(module: Module, alone: boolean): Promise<Isolate> {
    const { id, cells, limits, log } = this.#options;
    const capabilities = module.claims?.capabilities;
    let opened: Isolate | undefined;
    const spec = {
      actorId: id,
      domain: module.claims?.issuer ?? 'unsigned',
      alone,
      wasm: module.bytes,
      maxInstances: this.#maxInstances,
      memoryBytes: limits.memoryBytes,
      maxInFlight: limits.maxInFlight,
      logging: capabilities === undefined || capabilities.includes('wasmcloud:builtin:logging'),
      numbergen: capabilities === undefined || capabilities.includes('wasmcloud:builtin:numbergen'),
    };
    const handlers = {
      onHostCall: (call: HostCall) => this.#options.onHostCall(this, call),
      onLog: (level: 'debug' | 'info' | 'warn' | 'error', text: string) => log[level]({ actor: id }, text),
      onExit: (error: Error) => this.#onExit(opened, toWattleError(error, 'E_CELL_LOST')),
    };
    return cells.openIsolate(spec, handlers).then((isolate) => {
      opened = isolate;
      return isolate;
    });
  }

  #onExit(isolate: Isolate | undefined, error: WattleError): void {
    if (!isolate || isolate !== this.#isolate) return;
    // An actor that was busy when its cell died is a suspect: the next time only its own cell can die.
    if (error.code === 'E_CELL_LOST' && isolate.inFlight > 0) this.#alone = true;
    this.#isolate = undefined;
    this.#beginRestart(error);
  }

  #beginRestart(error: WattleError): void {
    const plan = planRestart(this.#restarts, performance.now());
    this.#restarts = plan.record;
    this.#failure = plan.crashLoop
      ? new WattleError('E_CRASH_LOOP', `actor ${this.id} keeps crashing; last: ${error.code} ${error.message}`)
      : error;
    this.#options.log.warn(
      { actor: this.id, code: error.code, again: `${plan.delayMs} ms` },
      `lost its isolate: ${error.message}`,
    );
    this.#restart = plan.crashLoop ? Promise.reject(this.#failure) : this.#reopen(plan.delayMs);
    this.#restart.catch(() => undefined);
    if (plan.crashLoop) this.#reopen(plan.delayMs).catch(() => undefined);
    this.#options.onStateChange();
  }

  async #reopen(delayMs: number): Promise<Isolate> {
    await sleep(delayMs, undefined, { signal: this.#stop.signal, ref: false });
    try {
      const isolate = await this.#open(this.#module, this.#alone);
      if (this.#isolate || this.#stop.signal.aborted) {
        await isolate[Symbol.asyncDispose]();
        return this.#isolate ?? isolate;
      }
      this.#isolate = isolate;
      this.#failure = undefined;
      this.#options.onStateChange();
      return isolate;
    } catch (error) {
      if (!this.#isolate && !this.#stop.signal.aborted) this.#beginRestart(toWattleError(error, 'E_CELL_LOST'));
      throw error;
    }
  }

  /** Waits, bounded in number and time, for the next isolate. */
  async #callLater(operation: string, payload: Uint8Array, attempt: number): Promise<Uint8Array> {
    const { maxInFlight, deadlineMs } = this.#options.limits;
    if (this.#waiting >= maxInFlight)
      throw new WattleError('E_OVERLOAD', `${this.id}: ${this.#waiting} calls wait already`);
    this.#waiting++;
    const timeout = new AbortController();
    try {
      const isolate = await Promise.race([
        this.#restart ?? Promise.reject(this.failure),
        sleep(deadlineMs, undefined, { signal: timeout.signal }).then(() => {
          throw new WattleError('E_TIMEOUT', `actor ${this.id} did not come back within ${deadlineMs} ms`);
        }),
      ]);
      return await isolate
        .call(operation, payload, deadlineMs)
        .catch((error: unknown) => this.#onCallFailed(error, operation, payload, attempt));
    } finally {
      timeout.abort();
      this.#waiting--;
    }
  }

  #onCallFailed(error: unknown, operation: string, payload: Uint8Array, attempt: number): Promise<Uint8Array> {
    const notStarted = error instanceof WattleError && error.code === 'E_NOT_STARTED';
    if (!notStarted || attempt >= resendLimit || this.#stop.signal.aborted) return Promise.reject(error);
    const isolate = this.#isolate;
    if (!isolate) return this.#callLater(operation, payload, attempt + 1);
    return isolate
      .call(operation, payload, this.#options.limits.deadlineMs)
      .catch((again: unknown) => this.#onCallFailed(again, operation, payload, attempt + 1));
  }

  /** Finishes what is in flight within the drain time, then ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const isolate = this.#isolate;
    this.#isolate = undefined;
    this.#failure = new WattleError('E_ACTOR_STOPPED', `actor ${this.id} was stopped`);
    this.#restart = Promise.reject(this.#failure);
    this.#restart.catch(() => undefined);
    if (isolate) await this.#retire(isolate);
    await Promise.all([...this.#retired].map((old) => old[Symbol.asyncDispose]()));
  }
}
