// The two contracts a host answers itself, inside the isolate: logging and random numbers (protocol.md 7.3). Their
// messages are tiny, so the codec is by hand: no import of the lattice's codec, no allocation but the answer.
import { randomInt, randomUUID } from 'node:crypto';
import { WattleError } from '../../lattice/errors.ts';
import type { LogLevel } from './frames.ts';
import type { LogLines } from './log-lines.ts';

/** Bytes of a request between two offsets. */
export interface Span {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Answers one operation; throws WattleError. */
export type Builtin = (operation: string, request: Span) => Uint8Array;

const empty = new Uint8Array(0);
const levels: Readonly<Record<string, LogLevel>> = {
  error: 'error',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
};

const unknownOperation = (contract: string, operation: string): WattleError =>
  new WattleError('E_OPERATION', `${contract} has no operation ${operation.slice(0, 80)}`);
const badRequest = (operation: string): WattleError =>
  new WattleError('E_PAYLOAD', `the request of ${operation} does not have its shape`);

type Value = string | number | undefined;

/** Reads maps of strings and unsigned numbers, and arrays in field order: all that these contracts use. */
class FieldReader {
  readonly #span: Span;
  #at: number;

  constructor(span: Span) {
    this.#span = span;
    this.#at = span.start;
  }

  /** Values of `fields` by name, or by place when the struct came as an array. */
  read(fields: readonly string[]): Record<string, Value> {
    const tag = this.#uint(1);
    const values: Record<string, Value> = {};
    const isMap = (tag & 0xf0) === 0x80 || tag === 0xde;
    if (!isMap && (tag & 0xf0) !== 0x90 && tag !== 0xdc) return values;
    const count = tag === 0xde || tag === 0xdc ? this.#uint(2) : tag & 0x0f;
    for (let index = 0; index < count; index++) {
      const name = isMap ? this.#value() : fields[index];
      const value = this.#value();
      if (typeof name === 'string' && fields.includes(name)) values[name] = value;
    }
    return values;
  }

  #uint(size: number): number {
    const { bytes, end } = this.#span;
    if (size > end - this.#at) throw new RangeError('short');
    const value = size === 8 ? Number(bytes.readBigUInt64BE(this.#at)) : bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  #value(): Value {
    const tag = this.#uint(1);
    if (tag < 0x80) return tag;
    if (tag >= 0xa0 && tag < 0xc0) return this.#text(tag & 0x1f);
    if (tag >= 0xcc && tag <= 0xcf) return this.#uint(1 << (tag - 0xcc));
    if (tag >= 0xd9 && tag <= 0xdb) return this.#text(this.#uint(1 << (tag - 0xd9)));
    // signed, as some encoders write small positive numbers
    if (tag >= 0xd0 && tag <= 0xd3) return this.#uint(1 << (tag - 0xd0));
    throw new RangeError('another type');
  }

  #text(length: number): string {
    const start = this.#at;
    if (length > this.#span.end - start) throw new RangeError('short');
    this.#at += length;
    return this.#span.bytes.toString('utf8', start, this.#at);
  }
}

function readFields(operation: string, request: Span, fields: readonly string[]): Record<string, Value> {
  try {
    return new FieldReader(request).read(fields);
  } catch (cause) {
    throw new WattleError('E_PAYLOAD', badRequest(operation).message, { cause });
  }
}

const encodeRandom = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(5, 0xce);
  bytes.writeUInt32BE(value, 1);
  return bytes;
};

const encodeText = (text: string): Uint8Array => {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([0xd9, body.length]), body]);
};

const twoTo32 = 2 ** 32;

const numbers: Readonly<Record<string, (operation: string, request: Span) => Uint8Array>> = {
  'NumberGen.GenerateGuid': () => encodeText(randomUUID()),
  'NumberGen.Random32': () => encodeRandom(randomInt(twoTo32)),
  'NumberGen.RandomInRange': (operation, request) => {
    const { min, max } = readFields(operation, request, ['min', 'max']);
    if (typeof min !== 'number' || typeof max !== 'number' || min > max || max >= twoTo32) throw badRequest(operation);
    return encodeRandom(randomInt(min, max + 1));
  },
};

/** `wasmcloud:builtin:numbergen` */
export const answerNumbers: Builtin = (operation, request) => {
  if (!Object.hasOwn(numbers, operation)) throw unknownOperation('wasmcloud:builtin:numbergen', operation);
  return numbers[operation]!(operation, request);
};

/** `wasmcloud:builtin:logging` */
export const createLogging =
  (lines: LogLines): Builtin =>
  (operation, request) => {
    if (operation !== 'Logging.WriteLog') throw unknownOperation('wasmcloud:builtin:logging', operation);
    const { level, text } = readFields(operation, request, ['level', 'text']);
    if (typeof level !== 'string' || typeof text !== 'string') throw badRequest(operation);
    const body = Buffer.from(text);
    lines.add(levels[level.toLowerCase()] ?? 'info', body, 0, body.length);
    return empty;
  };
