// Writes MessagePack, one value after the other. Always the shortest form, structs as maps, blobs as `bin`: what every
// reader of the lattice understands. A writer nothing was written to is zero bytes, which is how "no value" travels.

/**
 *     new Writer().map(2).text('key').text('visits').text('value').integer(1)
 */
export class Writer {
  private buffer: ArrayBuffer;
  private used: i32 = 0;

  /** `capacity` is a guess of the size in bytes; a writer grows as needed. */
  constructor(capacity: i32 = 128) {
    this.buffer = new ArrayBuffer(capacity);
  }

  /** Bytes written so far. */
  get length(): i32 {
    return this.used;
  }

  /** Where the bytes lie in memory, for a host call. Valid until the next write. */
  get start(): usize {
    return changetype<usize>(this.buffer);
  }

  /** What was written, as a view: not to be kept over further writes. */
  bytes(): Uint8Array {
    return Uint8Array.wrap(this.buffer, 0, this.used);
  }

  nil(): Writer {
    return this.tag(0xc0);
  }

  boolean(value: bool): Writer {
    return this.tag(value ? 0xc3 : 0xc2);
  }

  integer(value: i64): Writer {
    if (value >= 0) return this.unsigned(<u64>value);
    if (value >= -32) return this.tag(<u8>value);
    if (value >= <i64>i8.MIN_VALUE) return this.sized(0xd0, 1, <u64>value);
    if (value >= <i64>i16.MIN_VALUE) return this.sized(0xd1, 2, <u64>value);
    if (value >= <i64>i32.MIN_VALUE) return this.sized(0xd2, 4, <u64>value);
    return this.sized(0xd3, 8, <u64>value);
  }

  unsigned(value: u64): Writer {
    if (value < 0x80) return this.tag(<u8>value);
    if (value <= <u64>u8.MAX_VALUE) return this.sized(0xcc, 1, value);
    if (value <= <u64>u16.MAX_VALUE) return this.sized(0xcd, 2, value);
    if (value <= <u64>u32.MAX_VALUE) return this.sized(0xce, 4, value);
    return this.sized(0xcf, 8, value);
  }

  float(value: f64): Writer {
    return this.sized(0xcb, 8, reinterpret<u64>(value));
  }

  text(value: string): Writer {
    const length = String.UTF8.byteLength(value);
    if (length < 32) this.tag(<u8>(0xa0 | length));
    else if (length <= <i32>u8.MAX_VALUE) this.sized(0xd9, 1, length);
    else if (length <= <i32>u16.MAX_VALUE) this.sized(0xda, 2, length);
    else this.sized(0xdb, 4, length);
    const at = this.reserve(length);
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, at);
    return this;
  }

  binary(value: Uint8Array): Writer {
    const length = value.byteLength;
    if (length <= <i32>u8.MAX_VALUE) this.sized(0xc4, 1, length);
    else if (length <= <i32>u16.MAX_VALUE) this.sized(0xc5, 2, length);
    else this.sized(0xc6, 4, length);
    const at = this.reserve(length);
    memory.copy(at, value.dataStart, length);
    return this;
  }

  /** The head of an array: `count` values follow. */
  array(count: i32): Writer {
    if (count < 16) return this.tag(<u8>(0x90 | count));
    return count <= <i32>u16.MAX_VALUE ? this.sized(0xdc, 2, count) : this.sized(0xdd, 4, count);
  }

  /** The head of a map: `count` keys follow, each with its value. */
  map(count: i32): Writer {
    if (count < 16) return this.tag(<u8>(0x80 | count));
    return count <= <i32>u16.MAX_VALUE ? this.sized(0xde, 2, count) : this.sized(0xdf, 4, count);
  }

  /** A whole array of strings. */
  texts(values: string[]): Writer {
    this.array(values.length);
    for (let index = 0; index < values.length; index++) this.text(values[index]);
    return this;
  }

  private tag(byte: u8): Writer {
    store<u8>(this.reserve(1), byte);
    return this;
  }

  /** A type byte and the low `width` bytes of `value`, big-endian. */
  private sized(type: u8, width: i32, value: u64): Writer {
    const at = this.reserve(1 + width);
    store<u8>(at, type);
    for (let index = 0; index < width; index++) store<u8>(at + 1 + index, <u8>(value >> ((width - 1 - index) << 3)));
    return this;
  }

  /** Makes room for `count` bytes and returns where they go. */
  private reserve(count: i32): usize {
    const at = this.used;
    const needed = at + count;
    if (needed > this.buffer.byteLength) {
      const larger = new ArrayBuffer(max(needed, this.buffer.byteLength << 1));
      memory.copy(changetype<usize>(larger), changetype<usize>(this.buffer), at);
      this.buffer = larger;
    }
    this.used = needed;
    return changetype<usize>(this.buffer) + at;
  }
}
