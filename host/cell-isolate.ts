// The host's end of one isolate: frames out and in, deadlines, what is in flight. An isolate runs untrusted code and may
// be gone at any moment; every call is then answered by what is known of it. A call has no effect on the world but through
// the host calls seen here, so one that made none, and is not the one that was running, can be sent again.
import type { Socket } from 'node:net';
import { formatError, parseError, toWattleError, WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { CallTable, type Pending } from './call-table.ts';
import type { CellListener, CellProcess, EndedReport } from './cell-process.ts';
import { type Frame, FrameWriter, frameType, type IsolateConfig, logLevels } from './engine/frames.ts';
import {
  compileMs,
  deadlineGraceMs,
  instancesPerIsolate,
  maxInFlightPerCell,
  messageBytes,
  startMs,
} from './engine/limits.ts';
import { encodeOperation, readHostCall } from './isolate-frames.ts';
import { closed, type IsolateSocket, listenForIsolate } from './isolate-socket.ts';
import type { Isolate, IsolateHandlers, IsolateSpec } from './isolates.ts';

export interface OpenOptions {
  readonly cell: CellProcess;
  readonly spec: IsolateSpec;
  readonly handlers: IsolateHandlers;
  readonly runDir: string;
  readonly log: Log;
}

/** The last frames of an isolate may arrive after the word of its end. */
const lastFramesMs = 200;

export class CellIsolate implements Isolate, CellListener {
  /** Settles when the isolate has ended, for whatever reason. */
  readonly gone: Promise<void>;
  readonly #gone = Promise.withResolvers<void>();
  readonly #options: OpenOptions;
  readonly #calls: CallTable;
  readonly #writer: FrameWriter;
  readonly #ready = Promise.withResolvers<void>();
  #socket: Socket | undefined;
  #number = 0;
  #startTimer: NodeJS.Timeout | undefined;
  /** Why it is being ended, once it is. */
  #ending: WattleError | undefined;
  #disposed = false;
  #isGone = false;

  private constructor(options: OpenOptions) {
    this.#options = options;
    this.gone = this.#gone.promise;
    this.#writer = new FrameWriter((batch) => this.#write(batch));
    const onExpired = (id: number): void => this.#writer.frame(frameType.cancel, id, Buffer.alloc(0));
    const onOverdue = (call: Pending): void => this.#end(this.#deadlineError(call.operation, call.deadlineMs));
    const onLeft = (): void => {
      options.cell.inFlight--;
    };
    this.#calls = new CallTable({
      actorId: options.spec.actorId,
      graceMs: deadlineGraceMs,
      onExpired,
      onOverdue,
      onLeft,
    });
    this.#ready.promise.catch(() => undefined);
  }

  /** Starts the isolate in its cell; resolves when one instance is warm. */
  static async open(options: OpenOptions): Promise<CellIsolate> {
    const isolate = new CellIsolate(options);
    const socket = await listenForIsolate({
      runDir: options.runDir,
      onFrame: (frame) => isolate.#onFrame(frame),
      onMalformed: (error) => options.cell.kill(`an isolate sent ${error.message}`),
    });
    try {
      await isolate.#start(socket);
    } catch (error) {
      socket.close();
      isolate.#disposed = true;
      options.cell.close(isolate.#number);
      throw error;
    }
    return isolate;
  }

  async #start(socket: IsolateSocket): Promise<void> {
    const { cell, spec } = this.#options;
    this.#number = cell.open(socket, this);
    this.#socket = (await Promise.race([socket.connected, this.#ready.promise.then(() => socket.connected)])) as Socket;
    const { actorId, memoryBytes, logging, numbergen } = spec;
    const maxInstances = Math.min(spec.maxInstances, instancesPerIsolate);
    const config: IsolateConfig = { actorId, maxInstances, memoryBytes, logging, numbergen };
    const head = Buffer.from(JSON.stringify(config));
    this.#writer.open(frameType.start, 0, 4 + head.length + spec.wasm.length);
    this.#writer.u32(head.length);
    this.#writer.bytes(head);
    this.#writer.bytes(spec.wasm);
    this.#writer.close();
    this.#limitStart(compileMs, 'compiling');
    try {
      await this.#ready.promise;
    } finally {
      clearTimeout(this.#startTimer);
    }
  }

  #limitStart(limitMs: number, what: string): void {
    clearTimeout(this.#startTimer);
    const onTimeout = (): void => {
      const { actorId } = this.#options.spec;
      this.#ready.reject(new WattleError('E_ACTOR_DEADLINE', `${actorId}: ${what} took longer than ${limitMs} ms`));
    };
    this.#startTimer = setTimeout(onTimeout, limitMs);
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  call(operation: string, payload: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    const refusal = this.#refuse(payload);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const id = this.#calls.add({ operation, deadlineMs, resolve, reject });
      this.#options.cell.inFlight++;
      const name = encodeOperation(operation);
      this.#writer.open(frameType.call, id, 2 + name.length + payload.length);
      this.#writer.u16(name.length);
      this.#writer.bytes(name);
      this.#writer.bytes(payload);
      this.#writer.close();
    });
  }

  #refuse(payload: Uint8Array): WattleError | undefined {
    const { spec, cell } = this.#options;
    if (this.#isGone || this.#ending || this.#disposed)
      return new WattleError('E_NOT_STARTED', `the isolate of ${spec.actorId} has ended`, { cause: this.#ending });
    if (this.#calls.unanswered >= spec.maxInFlight)
      return new WattleError('E_OVERLOAD', `${spec.actorId}: ${this.#calls.unanswered} calls in flight`);
    if (cell.inFlight >= maxInFlightPerCell)
      return new WattleError('E_OVERLOAD', `${spec.actorId}: ${cell.inFlight} calls in flight in its cell`);
    if (payload.length > messageBytes)
      return new WattleError(
        'E_TOO_LARGE',
        `${spec.actorId}: a request of ${payload.length} bytes, the limit is ${messageBytes}`,
      );
    return undefined;
  }

  setMaxInstances(count: number): void {
    this.#writer.frame(frameType.resize, Math.min(count, instancesPerIsolate), Buffer.alloc(0));
  }

  drain(timeoutMs: number): Promise<number> {
    return this.#calls.drained(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#disposed) {
      this.#disposed = true;
      this.#calls.rejectAll(
        () => new WattleError('E_ACTOR_STOPPED', `actor ${this.#options.spec.actorId} was stopped`),
      );
      this.#options.cell.close(this.#number);
    }
    await this.gone;
  }

  #write(batch: Buffer): boolean {
    if (!this.#socket || this.#isGone) return true;
    this.#socket.write(batch);
    return this.#socket.writableLength === 0;
  }

  #deadlineError(operation: string, deadlineMs: number): WattleError {
    const { actorId } = this.#options.spec;
    return new WattleError(
      'E_ACTOR_DEADLINE',
      `${actorId} ${operation} did not end ${deadlineGraceMs} ms after its ${deadlineMs} ms`,
    );
  }

  /** Terminates the thread; what becomes of its calls is decided when it has ended. */
  #end(reason: WattleError): void {
    if (this.#ending) return;
    this.#ending = reason;
    this.#options.cell.close(this.#number);
  }

  // Frames of the isolate.

  readonly #handlers: Readonly<Record<number, (frame: Frame) => void>> = {
    [frameType.compiled]: () => this.#limitStart(startMs, 'its start code'),
    [frameType.ready]: () => this.#ready.resolve(),
    [frameType.failed]: ({ bytes, start, end }) => {
      const { code, message } = parseError(bytes.toString('utf8', start, end), 'E_WASM_START');
      this.#ready.reject(new WattleError(code, `${this.#options.spec.actorId}: ${message}`));
    },
    [frameType.result]: ({ id, bytes, start, end }) => this.#calls.take(id)?.resolve(bytes.subarray(start, end)),
    [frameType.error]: ({ id, bytes, start, end }) => {
      const call = this.#calls.take(id);
      call?.reject(parseError(bytes.toString('utf8', start, end), 'E_ACTOR_ERROR'));
    },
    [frameType.hostCall]: (frame) => this.#onHostCall(frame),
    [frameType.log]: ({ id, bytes, start, end }) => {
      this.#options.handlers.onLog(logLevels[id] ?? 'info', bytes.toString('utf8', start, end));
    },
  };

  #onFrame(frame: Frame): void {
    if (!this.#isGone) this.#handlers[frame.type]?.(frame);
  }

  #onHostCall(frame: Frame): void {
    const call = this.#calls.get(frame.id);
    // its caller was told that it is over: it must have no further effect
    if (!call || this.#disposed) return;
    call.touched = true;
    try {
      const answer = this.#options.handlers.onHostCall(readHostCall(frame));
      if (answer instanceof Uint8Array) this.#reply(frame.id, answer);
      else this.#replyLater(frame.id, answer);
    } catch (error) {
      this.#replyError(frame.id, error);
    }
  }

  #replyLater(id: number, answer: Promise<Uint8Array>): void {
    answer.then(
      (bytes) => this.#reply(id, bytes),
      (error: unknown) => this.#replyError(id, error),
    );
  }

  #reply(id: number, answer: Uint8Array): void {
    if (answer.length > messageBytes) {
      this.#replyError(
        id,
        new WattleError('E_TOO_LARGE', `an answer of ${answer.length} bytes, the limit is ${messageBytes}`),
      );
    } else if (this.#calls.get(id)) this.#writer.frame(frameType.reply, id, answer);
  }

  #replyError(id: number, error: unknown): void {
    if (this.#calls.get(id)) this.#writer.text(frameType.replyError, id, formatError(toWattleError(error)));
  }

  // The end, as the cell tells it.

  onEnded(report: EndedReport): void {
    const { actorId } = this.#options.spec;
    const memory = report.reason?.includes('OUT_OF_MEMORY') ?? false;
    const text = report.reason
      ? `the isolate of ${actorId} ended: ${report.reason}`
      : `the isolate of ${actorId} ended`;
    const error = this.#ending ?? new WattleError(memory ? 'E_ACTOR_MEMORY' : 'E_CELL_LOST', text);
    const hadStarted = (call: Pending): boolean =>
      call.touched || call.id === report.running || (report.running === 0 && call.id === report.started);
    void this.#settle(error, hadStarted);
  }

  /** The whole process went: which call ran is not known, only that at most so many of the oldest did. */
  onLost(error: WattleError): void {
    let suspects = Math.min(this.#options.spec.maxInstances, instancesPerIsolate);
    void this.#settle(this.#ending ?? error, (call) => suspects-- > 0 || call.touched);
  }

  async #settle(error: WattleError, hadStarted: (call: Pending) => boolean): Promise<void> {
    if (this.#socket) await closed(this.#socket, lastFramesMs);
    this.#isGone = true;
    this.#socket?.destroy();
    this.#ready.reject(error);
    const { spec, handlers } = this.#options;
    const notStarted = new WattleError(
      'E_NOT_STARTED',
      `${spec.actorId}: the call had not begun when its isolate ended`,
    );
    const lost = new WattleError(
      'E_CELL_LOST',
      `${spec.actorId}: the call was running when its isolate ended: ${error.message}`,
    );
    if (!this.#disposed) handlers.onExit(error);
    this.#calls.rejectAll((call) => (hadStarted(call) ? (error.code === 'E_ACTOR_MEMORY' ? error : lost) : notStarted));
    this.#gone.resolve();
  }
}
