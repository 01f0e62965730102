// The messages between the host and one isolate: u32 length, u8 type, u32 id, body; little-endian, many in one write.
// The host reads them from a process that runs guests, so every length is checked against the frame it came in. Both
// sides write into one reusable buffer that leaves every few frames and at the end of each turn of the loop, and read without
// copying.

/** Host → isolate below 16, isolate → host from 16. The comment names what `id` and the body are. */
export const frameType = {
  /** –: u32 length, IsolateConfig as JSON, wasm */
  start: 1,
  /** call: u16 length, operation, payload */
  call: 2,
  /** call: answer to its host call */
  reply: 3,
  /** call: formatError text */
  replyError: 4,
  /** call: – ; stop it if it can be stopped */
  cancel: 5,
  /** new maxInstances: – */
  resize: 6,
  /** –: token of the socket */
  hello: 16,
  /** –: – ; the guest's own start code runs next */
  compiled: 17,
  /** –: – */
  ready: 18,
  /** –: formatError text */
  failed: 19,
  /** call: payload */
  result: 20,
  /** call: formatError text */
  error: 21,
  /** call: u16 lengths of binding, namespace and operation, these three, payload */
  hostCall: 22,
  /** level 0–3 of debug, info, warn, error: text */
  log: 23,
} as const;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** What an isolate is told at its start; the wasm bytes follow it in the frame. */
export interface IsolateConfig {
  readonly actorId: string;
  readonly maxInstances: number;
  readonly memoryBytes: number;
  readonly logging: boolean;
  readonly numbergen: boolean;
}

/** What the host tells a cell over its control channel, and what it says back. */
export type CellRequest =
  | { readonly type: 'ping' }
  | { readonly type: 'open'; readonly isolate: number; readonly path: string; readonly token: string }
  | { readonly type: 'close'; readonly isolate: number };
export type CellReport =
  | { readonly type: 'up'; readonly note?: string }
  | { readonly type: 'pong' }
  /** `started`: the last call id that began; `running`: the call on the thread at the end, or -1; `reason`: an error text. */
  | {
      readonly type: 'ended';
      readonly isolate: number;
      readonly started: number;
      readonly running: number;
      readonly reason?: string;
    };

export const headBytes = 9;
const firstBytes = 64 * 1024;
const keptBytes = 4 * 1024 * 1024;
/** A writer does not wait for the end of the turn once it holds this much. */
const flushBytes = 256 * 1024;
/**
 * Nor once it holds so many frames: the other side works on them while this side makes the next ones. Waiting for the end of
 * the turn left both idle in turns: HTTP hello, 64 connections, 45 k against 54 k requests/s (docs/performance.md).
 */
const flushFrames = 8;

/** Takes one batch. Returns true when the bytes are out of `batch` on return, so that it can be used again. */
export type BatchSink = (batch: Buffer) => boolean;

/** Collects frames in one growing buffer. `open … close` brackets a frame; nothing is visible before `close`. */
export class FrameWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #at = 0;
  #frameStart = 0;
  #scheduled = false;
  /** Frames closed since the last flush. */
  #frames = 0;
  readonly #sink: BatchSink;
  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  constructor(sink: BatchSink) {
    this.#sink = sink;
  }

  /** Begins a frame whose body has at most `bodyBytes` bytes. */
  open(type: number, id: number, bodyBytes: number): void {
    this.#reserve(headBytes + bodyBytes);
    this.#frameStart = this.#at;
    this.#buffer[this.#at + 4] = type;
    this.#buffer.writeUInt32LE(id >>> 0, this.#at + 5);
    this.#at += headBytes;
  }

  u16(value: number): void {
    this.#at = this.#buffer.writeUInt16LE(value, this.#at);
  }

  u32(value: number): void {
    this.#at = this.#buffer.writeUInt32LE(value, this.#at);
  }

  bytes(source: Uint8Array, start = 0, end = source.length): void {
    const length = end - start;
    if (length < 48)
      for (let index = 0; index < length; index++) this.#buffer[this.#at + index] = source[start + index]!;
    else this.#buffer.set(length === source.length ? source : source.subarray(start, end), this.#at);
    this.#at += length;
  }

  close(): void {
    this.#buffer.writeUInt32LE(this.#at - this.#frameStart - 4, this.#frameStart);
    if (++this.#frames >= flushFrames || this.#at > flushBytes) this.flush();
    else this.schedule();
  }

  /** A whole frame with one body. */
  frame(type: number, id: number, body: Uint8Array): void {
    this.open(type, id, body.length);
    this.bytes(body);
    this.close();
  }

  text(type: number, id: number, body: string): void {
    this.frame(type, id, Buffer.from(body));
  }

  /** Sends what is there at the end of this turn of the loop. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushLater);
  }

  flush(): void {
    this.#frames = 0;
    if (this.#at === 0) return;
    const free = this.#sink(this.#buffer.subarray(0, this.#at));
    this.#at = 0;
    if (!free || this.#buffer.length > keptBytes) this.#buffer = Buffer.allocUnsafeSlow(firstBytes);
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** One frame as it is read: the body is `bytes` from `start` to `end`. Valid during the call, unless the chunk is never reused. */
export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Cuts frames out of chunks. A frame that spans chunks is gathered in a buffer of its own size: nothing grows twice. */
export class FrameReader {
  readonly #frame = { type: 0, id: 0, bytes: Buffer.alloc(0) as Buffer, start: 0, end: 0 };
  readonly #onFrame: (frame: Frame) => void;
  readonly #limitBytes: number;
  #partial: Buffer | undefined;
  #filled = 0;
  #head = Buffer.alloc(4);
  #headFilled = 0;

  /** Frames longer than `limitBytes` throw RangeError in `push`. */
  constructor(limitBytes: number, onFrame: (frame: Frame) => void) {
    this.#limitBytes = limitBytes;
    this.#onFrame = onFrame;
  }

  /** Reads `chunk` from 0 to `end`. */
  push(chunk: Buffer, end = chunk.length): void {
    let at = this.#partial || this.#headFilled > 0 ? this.#resume(chunk, end) : 0;
    while (end - at >= 4) {
      const length = this.#checked(chunk.readUInt32LE(at));
      if (end - at - 4 < length) break;
      at += 4;
      this.#emit(chunk, at, at + length);
      at += length;
    }
    if (at < end) this.#keep(chunk, at, end);
  }

  #checked(length: number): number {
    if (length < headBytes - 4 || length > this.#limitBytes) throw new RangeError(`a frame of ${length} bytes`);
    return length;
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    if (end - start < 4) {
      this.#headFilled = chunk.copy(this.#head, 0, start, end);
      return;
    }
    this.#partial = Buffer.allocUnsafeSlow(this.#checked(chunk.readUInt32LE(start)));
    this.#filled = chunk.copy(this.#partial, 0, start + 4, end);
  }

  /** Completes what the last chunk began; returns where the next frame starts. */
  #resume(chunk: Buffer, end: number): number {
    let at = 0;
    if (!this.#partial) {
      while (this.#headFilled < 4 && at < end) this.#head[this.#headFilled++] = chunk[at++]!;
      if (this.#headFilled < 4) return at;
      this.#partial = Buffer.allocUnsafeSlow(this.#checked(this.#head.readUInt32LE(0)));
      this.#headFilled = 0;
      this.#filled = 0;
    }
    const partial = this.#partial;
    const copied = chunk.copy(partial, this.#filled, at, Math.min(end, at + partial.length - this.#filled));
    this.#filled += copied;
    at += copied;
    if (this.#filled < partial.length) return at;
    this.#partial = undefined;
    this.#emit(partial, 0, partial.length);
    return at;
  }

  #emit(bytes: Buffer, at: number, end: number): void {
    const frame = this.#frame;
    frame.type = bytes[at]!;
    frame.id = bytes.readUInt32LE(at + 1);
    frame.bytes = bytes;
    frame.start = at + headBytes - 4;
    frame.end = end;
    this.#onFrame(frame);
  }
}
