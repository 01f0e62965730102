// The instances of one actor and the calls that wait for them, first come first served. Every call starts from the same
// state: an instance is reset after its call, and replaced when that cannot be done. Calls run in slices of a few
// milliseconds, so that answers leave and cancellations arrive while many calls wait.
import { formatError, toWattleError, WattleError } from '../../lattice/errors.ts';
import type { GuestFactory, GuestInstance, IncomingCall } from './abi/abi.ts';
import type { Span } from './builtins.ts';

export interface PoolOptions {
  readonly factory: GuestFactory;
  readonly maxInstances: number;
  /** True when new instances are made from an image; false when each must run its start code. */
  readonly resettable: boolean;
  /** [0]: id of the last call that began; [1]: id of the call on this thread, 0 for none. Read by the cell after our end. */
  readonly marks: Int32Array;
  /** Tells the end of a call that no instance can tell. */
  readonly onFailed: (callId: number, text: string) => void;
  /** After a slice that no incoming frame began. */
  readonly onTurnEnd: () => void;
}

const sliceMs = 2;
const trimMs = 30_000;

export class Pool {
  readonly #options: PoolOptions;
  #maxInstances: number;
  readonly #idle: GuestInstance[] = [];
  /** Instances that exist or are being prepared. */
  #total = 0;
  #queue: IncomingCall[] = [];
  #head = 0;
  readonly #suspended = new Map<number, GuestInstance>();
  #sliceEnd = 0;
  #running = false;
  #scheduled = false;
  #leastIdle = 0;

  /** `first` is warm: it has run its start code, and its state is the image if there is one. */
  constructor(options: PoolOptions, first: GuestInstance) {
    this.#options = options;
    this.#maxInstances = options.maxInstances;
    this.#idle.push(first);
    this.#total = 1;
    setInterval(() => this.#trim(), trimMs).unref();
  }

  /** Begins a slice: what follows in this turn of the loop may run this long. */
  beginTurn(): void {
    this.#sliceEnd = performance.now() + sliceMs;
  }

  /** `call.bytes` is lent: it is copied when the call must wait. */
  call(call: IncomingCall): void {
    if (this.#head === this.#queue.length && performance.now() < this.#sliceEnd) {
      const instance = this.#acquire();
      if (instance) {
        this.#run(instance, call);
        return;
      }
    }
    const { id, bytes, start, payloadStart, end } = call;
    const copy = Buffer.from(bytes.subarray(start, end));
    this.#queue.push({ id, bytes: copy, start: 0, payloadStart: payloadStart - start, end: end - start });
    if (this.#idle.length > 0 || this.#total < this.#maxInstances) this.#schedule();
  }

  suspend(callId: number, instance: GuestInstance): void {
    this.#suspended.set(callId, instance);
  }

  reply(callId: number, succeeded: boolean, answer: Span): void {
    const instance = this.#suspended.get(callId);
    if (!instance) return;
    this.#suspended.delete(callId);
    instance.onReply(succeeded, answer);
  }

  /** Stops a call that waits, for its turn or for a host call; one that computes cannot be stopped from here. */
  cancel(callId: number): void {
    const instance = this.#suspended.get(callId);
    if (instance) {
      this.#suspended.delete(callId);
      instance.abandon();
      this.#options.onFailed(callId, formatError(new WattleError('E_ACTOR_DEADLINE', 'the call was cancelled')));
      this.#discard();
      return;
    }
    const index = this.#queue.findIndex((call, at) => at >= this.#head && call.id === callId);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    this.#options.onFailed(callId, formatError(new WattleError('E_ACTOR_DEADLINE', 'the call was cancelled')));
  }

  resize(maxInstances: number): void {
    this.#maxInstances = maxInstances;
    while (this.#total > maxInstances && this.#idle.pop()) this.#total--;
    if (this.#head < this.#queue.length) this.#schedule();
  }

  /** The call of `instance` ended. */
  release(instance: GuestInstance, broken: boolean): void {
    this.#suspended.delete(instance.callId);
    if (!broken && this.#total <= this.#maxInstances && instance.reset()) {
      this.#idle.push(instance);
      if (!this.#running) this.#drain();
    } else this.#discard();
  }

  #run(instance: GuestInstance, call: IncomingCall): void {
    const { marks } = this.#options;
    marks[0] = call.id;
    marks[1] = call.id;
    this.#running = true;
    instance.call(call);
    this.#running = false;
    marks[1] = 0;
  }

  #discard(): void {
    this.#total--;
    if (this.#idle.length === 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.beginTurn();
      this.#drain();
      this.#replace();
      this.#options.onTurnEnd();
    });
  }

  /** Makes a spare while nothing waits, so that the next call need not. */
  #replace(): void {
    if (this.#idle.length > 0 || this.#total > 0 || this.#total >= this.#maxInstances) return;
    const instance = this.#create();
    if (instance) this.#idle.push(instance);
  }

  #drain(): void {
    while (this.#head < this.#queue.length) {
      if (performance.now() >= this.#sliceEnd) {
        this.#schedule();
        return;
      }
      const instance = this.#acquire();
      if (!instance) return;
      const call = this.#queue[this.#head++]!;
      if (this.#head > 1024 || this.#head === this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      this.#run(instance, call);
    }
  }

  #acquire(): GuestInstance | undefined {
    const instance = this.#idle.pop();
    if (this.#idle.length < this.#leastIdle) this.#leastIdle = this.#idle.length;
    if (instance) return instance;
    return this.#total < this.#maxInstances ? this.#create() : undefined;
  }

  /** A new instance; undefined while it prepares itself, or when there is no memory for one more. */
  #create(): GuestInstance | undefined {
    this.#total++;
    try {
      const instance = this.#options.factory.create();
      if (this.#options.resettable) return instance;
      void this.#prepare(instance);
    } catch (error) {
      this.#onCreateFailed(error);
    }
    return undefined;
  }

  async #prepare(instance: GuestInstance): Promise<void> {
    try {
      await instance.start();
      this.#idle.push(instance);
      this.#schedule();
    } catch (error) {
      this.#onCreateFailed(error);
    }
  }

  #onCreateFailed(error: unknown): void {
    this.#total--;
    if (this.#total > 0) return;
    // nothing runs that could free an instance for those who wait: they hear why
    const waiting = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const call of waiting) this.#options.onFailed(call.id, formatError(toWattleError(error)));
  }

  /** Gives back instances that nobody needed for a while. */
  #trim(): void {
    const surplus = Math.min(this.#leastIdle, this.#idle.length - 1);
    for (let count = 0; count < surplus; count++) if (this.#idle.pop()) this.#total--;
    this.#leastIdle = this.#idle.length;
  }
}
