// Writes MessagePack by hand where a call is hot: one buffer sized up front, no intermediate objects.

/** Up to this length a byte loop beats a call into the runtime (measured). */
const shortText = 24;

/** Most bytes `text` takes. */
export const textBytes = (length: number): number => length * 3 + 5;
/** Most bytes the head of a map, an array or bytes takes. */
export const headBytes = 5;

/** A place in a buffer that the caller made large enough (`textBytes`, `headBytes`). */
export class MessageWriter {
  readonly buffer: Buffer;
  at = 0;

  constructor(capacityBytes: number) {
    this.buffer = Buffer.allocUnsafe(capacityBytes);
  }

  /** What was written; shares memory with the buffer. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.at);
  }

  map(count: number): void {
    if (count < 16) this.buffer[this.at++] = 0x80 | count;
    else this.#head(0xde, count, 16);
  }

  array(count: number): void {
    if (count < 16) this.buffer[this.at++] = 0x90 | count;
    else this.#head(0xdc, count, 16);
  }

  text(value: string): void {
    if (value.length <= shortText && this.#ascii(value)) return;
    const length = Buffer.byteLength(value);
    if (length < 32) this.buffer[this.at++] = 0xa0 | length;
    else this.#head(0xd9, length, 8);
    this.at += this.buffer.write(value, this.at, length, 'utf8');
  }

  bytes(value: Uint8Array): void {
    this.#head(0xc4, value.length, 8);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  /** A whole number from 0 to 65535. */
  integer(value: number): void {
    if (value < 0x80) this.buffer[this.at++] = value;
    else this.#head(0xcc, value, 8);
  }

  /** Bytes that are MessagePack already. */
  raw(value: Uint8Array): void {
    for (let index = 0; index < value.length; index++) this.buffer[this.at++] = value[index]!;
  }

  /** False, with nothing taken, when a character is not ASCII. */
  #ascii(value: string): boolean {
    const start = this.at + 1;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.buffer[start + index] = code;
    }
    this.buffer[this.at] = 0xa0 | value.length;
    this.at = start + value.length;
    return true;
  }

  /** A type byte and a count of 8 (where there is such a form), 16 or 32 bits: consecutive type bytes. */
  #head(first: number, count: number, firstBits: 8 | 16): void {
    const shift = firstBits === 8 ? 1 : 0;
    if (shift === 1 && count < 0x100) {
      this.buffer[this.at++] = first;
      this.buffer[this.at++] = count;
    } else if (count < 0x1_0000) {
      this.buffer[this.at++] = first + shift;
      this.at = this.buffer.writeUInt16BE(count, this.at);
    } else {
      this.buffer[this.at++] = first + shift + 1;
      this.at = this.buffer.writeUInt32BE(count, this.at);
    }
  }
}
