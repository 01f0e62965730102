// Reads MessagePack, one value after the other, and takes what any sender may write: every width of integer, map or
// array for a struct, keys in any order, keys it does not know, text as `bin`, bytes as `str` or as an array of numbers.
// A value that is something else makes the reader fail: it and all after it read as zero values, and `error` says why.
import { Cursor } from './cursor';

/** The fields of a struct, each by its place in a list of names; see `Reader.struct`. */
export class Fields {
  private index: i32 = -1;

  constructor(
    private readonly cursor: Cursor,
    private readonly names: StaticArray<string>,
    private readonly count: i32,
    private readonly keyed: bool,
  ) {}

  /** Goes to the next field that is known and not nil, and returns its place; -1 at the end. Read its value next. */
  next(): i32 {
    const cursor = this.cursor;
    while (++this.index < this.count && !cursor.failed) {
      const place = this.keyed ? this.place() : this.index;
      const known = place >= 0 && place < this.names.length;
      if (known && !cursor.failed && cursor.peek() !== 0xc0) return place;
      cursor.skip();
    }
    return -1;
  }

  /** Takes a key. Nothing is allocated. */
  private place(): i32 {
    const cursor = this.cursor;
    if (!cursor.atBlob) {
      cursor.skip();
      return -1;
    }
    const length = cursor.blob('a key');
    const from = cursor.take(length);
    for (let index = 0; index < this.names.length; index++)
      if (equals(unchecked(this.names[index]), from, length)) return index;
    return -1;
  }
}

/** Whether these bytes are this name. Names of fields are ASCII. */
function equals(name: string, from: usize, length: i32): bool {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index++)
    if (<u16>load<u8>(from + index) !== load<u16>(changetype<usize>(name) + (index << 1))) return false;
  return true;
}

export class Reader {
  private readonly cursor: Cursor;

  /** Reads from `start` up to `end`; all of the buffer if they are left out. */
  constructor(buffer: ArrayBuffer, start: i32 = 0, end: i32 = buffer.byteLength) {
    this.cursor = new Cursor(buffer, end);
    this.cursor.at = start;
  }

  static of(bytes: Uint8Array): Reader {
    return new Reader(bytes.buffer, bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  }

  /** True once a value was not what was asked for. */
  get failed(): bool {
    return this.cursor.failed;
  }

  /** What was not: `expected text at byte 3`; empty when nothing failed. */
  get error(): string {
    return this.cursor.error;
  }

  /** True when there is nothing (more) to read, as in the empty payload of an operation without arguments. */
  get done(): bool {
    return this.cursor.at >= this.cursor.end;
  }

  /** A second reader at the same place, for a value that is looked at later. */
  fork(): Reader {
    return new Reader(this.cursor.buffer, this.cursor.at, this.cursor.end);
  }

  /** Takes a nil if one comes next. */
  nil(): bool {
    if (this.cursor.peek() !== 0xc0) return false;
    this.cursor.at++;
    return true;
  }

  boolean(): bool {
    const type = this.cursor.peek();
    if (type === 0xc2 || type === 0xc3) this.cursor.at++;
    else this.cursor.fail('a boolean');
    return type === 0xc3;
  }

  /** Any integer of at most 64 bits with sign, or a float that is a whole number. */
  integer(): i64 {
    return this.between(i64.MIN_VALUE, i64.MAX_VALUE, 'an integer');
  }

  i32(): i32 {
    return <i32>this.between(i32.MIN_VALUE, i32.MAX_VALUE, 'a signed 32-bit integer');
  }

  u32(): u32 {
    return <u32>this.between(0, u32.MAX_VALUE, 'an unsigned 32-bit integer');
  }

  u16(): u16 {
    return <u16>this.between(0, u16.MAX_VALUE, 'an unsigned 16-bit integer');
  }

  float(): f64 {
    const type = this.cursor.peek();
    if (type !== 0xca && type !== 0xcb) return <f64>this.between(i64.MIN_VALUE, i64.MAX_VALUE, 'a number');
    this.cursor.at++;
    return type === 0xca
      ? <f64>reinterpret<f32>(<u32>this.cursor.number(4))
      : reinterpret<f64>(this.cursor.number(8));
  }

  text(): string {
    const length = this.cursor.blob('text');
    const from = this.cursor.take(length);
    return length === 0 ? '' : String.UTF8.decodeUnsafe(from, length);
  }

  /** Bytes: a view of the message where they lie in it as `bin` or `str`. */
  binary(): Uint8Array {
    const cursor = this.cursor;
    if (cursor.atArray) return this.numbers();
    const length = cursor.blob('bytes');
    const from = cursor.take(length) - changetype<usize>(cursor.buffer);
    return length === 0 ? new Uint8Array(0) : Uint8Array.wrap(cursor.buffer, <i32>from, length);
  }

  /** A whole array of strings; a string that stands alone is an array of one. */
  texts(): string[] {
    if (this.cursor.atBlob) return [this.text()];
    const count = this.cursor.array();
    const values = new Array<string>(count);
    for (let index = 0; index < count; index++) values[index] = this.text();
    return values;
  }

  /** The head of an array: how many values follow. */
  array(): i32 {
    return this.cursor.array();
  }

  /** The head of a map: how many keys follow, each with its value. */
  map(): i32 {
    return this.cursor.map();
  }

  /**
   * The fields of a struct, whether it comes as a map or as an array in the order of `names`:
   *
   *     const fields = reader.struct(names);
   *     for (let field = fields.next(); field >= 0; field = fields.next())
   *       if (field === 0) key = reader.text();
   *       else value = reader.i32();
   */
  struct(names: StaticArray<string>): Fields {
    const keyed = !this.cursor.atArray;
    return new Fields(this.cursor, names, keyed ? this.cursor.map() : this.cursor.array(), keyed);
  }

  /** Moves over one value of any kind. */
  skip(): void {
    this.cursor.skip();
  }

  private numbers(): Uint8Array {
    const bytes = new Uint8Array(this.cursor.array());
    for (let index = 0; index < bytes.length; index++) bytes[index] = <u8>this.between(0, 255, 'a byte');
    return bytes;
  }

  private between(low: i64, high: i64, expected: string): i64 {
    const cursor = this.cursor;
    const start = cursor.at;
    const type = cursor.peek();
    cursor.at++;
    let value: i64 = 0;
    let fits = true;
    if (type < 0x80) value = type;
    else if (type >= 0xe0) value = <i64>(<i8>type);
    else if (type >= 0xcc && type <= 0xcf) {
      value = <i64>cursor.number(1 << (type - 0xcc));
      fits = value >= 0;
    } else if (type >= 0xd0 && type <= 0xd3) {
      const width = 1 << (type - 0xd0);
      const unused = 64 - (width << 3);
      value = (<i64>(cursor.number(width) << unused)) >> unused;
    } else if (type === 0xca || type === 0xcb) {
      cursor.at = start;
      const float = this.float();
      value = <i64>float;
      fits = Math.abs(float) <= <f64>f64.MAX_SAFE_INTEGER && <f64>value === float;
    } else fits = false;
    if (fits && value >= low && value <= high) return value;
    cursor.at = start;
    cursor.fail(expected);
    return 0;
  }
}
