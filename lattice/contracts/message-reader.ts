// Reads MessagePack by hand where a call is hot: a cursor that never leaves the message and copies no bytes. Whatever does
// not fit throws E_PAYLOAD naming the byte.
import { WattleError } from '../errors.ts';

/** How deep a value that is skipped may nest. */
const maxDepth = 64;
const slice = Buffer.prototype.utf8Slice;

export class MessageReader {
  readonly message: Uint8Array;
  at = 0;

  constructor(message: Uint8Array) {
    this.message = message;
  }

  get done(): boolean {
    return this.at === this.message.length;
  }

  fail(expected: string): WattleError {
    return new WattleError('E_PAYLOAD', `expected ${expected} at byte ${this.at} of the message`);
  }

  /** The type byte of the next value, not taken; 0xc1, which no value has, at the end. */
  peek(): number {
    return this.at < this.message.length ? this.message[this.at]! : 0xc1;
  }

  /** Takes nil if it is next. */
  takeNil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.at++;
    return true;
  }

  get atArray(): boolean {
    const type = this.peek();
    return (type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd;
  }

  get atMap(): boolean {
    const type = this.peek();
    return (type & 0xf0) === 0x80 || type === 0xde || type === 0xdf;
  }

  /** The number of pairs that follow. */
  map(): number {
    const type = this.peek();
    if (!this.atMap) throw this.fail('a map');
    this.at++;
    return this.#fits(type < 0xc0 ? type & 0x0f : this.#number(type === 0xde ? 2 : 4), 2);
  }

  /** The number of values that follow. */
  array(): number {
    const type = this.peek();
    if (!this.atArray) throw this.fail('a list');
    this.at++;
    return this.#fits(type < 0xc0 ? type & 0x0f : this.#number(type === 0xdc ? 2 : 4), 1);
  }

  text(): string {
    const length = this.#blob('a text');
    const from = this.at;
    this.at += length;
    return slice.call(this.message, from, this.at);
  }

  /** bin, str or a list of numbers; a view of the message except in the last case. */
  bytes(): Uint8Array {
    if (this.atArray) return Uint8Array.from({ length: this.array() }, () => this.integer(0, 255));
    const length = this.#blob('bytes');
    this.at += length;
    return this.message.subarray(this.at - length, this.at);
  }

  /** A whole number from `min` to `max` in any width, or the double that equals one. */
  integer(min: number, max: number): number {
    const from = this.at;
    const value = this.#integer();
    if (value >= min && value <= max) return value;
    this.at = from;
    throw this.fail(`a whole number from ${min} to ${max}`);
  }

  /** Moves over one value of any kind. */
  skip(depth = 0): void {
    if (depth > maxDepth) throw this.fail(`at most ${maxDepth} levels`);
    const type = this.peek();
    if (this.atArray) this.#skipMany(this.array(), depth);
    else if (this.atMap) this.#skipMany(this.map() * 2, depth);
    else if (isBlob(type)) this.#take(this.#blob('a value'));
    else this.#take(1 + this.#scalarBytes(type));
  }

  #skipMany(count: number, depth: number): void {
    for (let index = 0; index < count; index++) this.skip(depth + 1);
  }

  /** Length after the type byte of everything that is neither a list, a map nor a blob. */
  #scalarBytes(type: number): number {
    if (type === 0xc1) throw this.fail('a value');
    if (type >= 0xc7 && type <= 0xc9) {
      const width = 1 << (type - 0xc7);
      this.at++;
      const length = this.#number(width);
      this.at -= width + 1;
      return width + 1 + length;
    }
    return scalarWidths[type] ?? 0;
  }

  #integer(): number {
    const type = this.peek();
    this.at++;
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >= 0xcc && type <= 0xcf) return this.#number(1 << (type - 0xcc));
    if (type >= 0xd0 && type <= 0xd3) return this.#signed(1 << (type - 0xd0));
    if (type === 0xcb) {
      const value = this.#view(8).getFloat64(0);
      return Number.isInteger(value) ? value : Number.NaN;
    }
    return Number.NaN;
  }

  #signed(width: number): number {
    if (width === 8) return Number(this.#view(8).getBigInt64(0));
    const value = this.#number(width);
    return value >= 2 ** (width * 8 - 1) ? value - 2 ** (width * 8) : value;
  }

  #view(width: number): DataView {
    const from = this.#take(width);
    return new DataView(this.message.buffer, this.message.byteOffset + from, width);
  }

  /** A big-endian unsigned number of `width` bytes. */
  #number(width: number): number {
    const from = this.#take(width);
    let value = 0;
    for (let index = 0; index < width; index++) value = value * 256 + this.message[from + index]!;
    return value;
  }

  /** Takes the head of a text or of bytes and returns their length, which the message is long enough for. */
  #blob(expected: string): number {
    const type = this.peek();
    if (!isBlob(type)) throw this.fail(expected);
    this.at++;
    const length = type < 0xc0 ? type & 0x1f : this.#number(1 << (type - (type >= 0xd9 ? 0xd9 : 0xc4)));
    return this.#fits(length, 1);
  }

  /** Refuses a count that the rest of the message cannot hold: no allocation for a length bomb. */
  #fits(count: number, bytesEach: number): number {
    if (count * bytesEach > this.message.length - this.at) throw this.fail(`${count} more`);
    return count;
  }

  #take(count: number): number {
    this.#fits(count, 1);
    this.at += count;
    return this.at - count;
  }
}

const isBlob = (type: number): boolean =>
  (type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);

/** Bytes after the type byte. */
const scalarWidths: Readonly<Record<number, number>> = {
  202: 4,
  203: 8,
  204: 1,
  205: 2,
  206: 4,
  207: 8,
  208: 1,
  209: 2,
  210: 4,
  211: 8,
  212: 2,
  213: 3,
  214: 5,
  215: 9,
  216: 17,
};
