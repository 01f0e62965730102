// A place in a MessagePack message that never leaves it. The first thing that does not fit makes the cursor fail and moves
// it to the end: from then on it gives zero, and `error` says what was expected where. So nobody checks after each step.

/** How deep a value that is skipped may nest. */
const maxDepth = 64;

/** What no value begins with: the type given at the end of the message. */
const noType = 0xc1;

export class Cursor {
  at: i32 = 0;
  private problem: string | null = null;

  /** `end` is the offset just past the message. */
  constructor(
    readonly buffer: ArrayBuffer,
    readonly end: i32,
  ) {}

  get failed(): bool {
    return this.problem !== null;
  }

  /** What did not fit: `expected text at byte 3`; empty when nothing failed. */
  get error(): string {
    const problem = this.problem;
    return problem === null ? '' : problem;
  }

  /** Fails, unless it did before: the first fault is the one that tells. */
  fail(expected: string): void {
    if (!this.failed) this.problem = `expected ${expected} at byte ${this.at}`;
    this.at = this.end;
  }

  /** The type byte of the next value, not taken. */
  peek(): i32 {
    return this.at < this.end ? <i32>load<u8>(changetype<usize>(this.buffer) + this.at) : noType;
  }

  get atArray(): bool {
    const type = this.peek();
    return (type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd;
  }

  get atMap(): bool {
    const type = this.peek();
    return (type & 0xf0) === 0x80 || type === 0xde || type === 0xdf;
  }

  /** True before text or bytes: `str` and `bin` stand for one another. */
  get atBlob(): bool {
    const type = this.peek();
    return (type & 0xe0) === 0xa0 || (type >= 0xd9 && type <= 0xdb) || (type >= 0xc4 && type <= 0xc6);
  }

  /** Moves over `count` bytes and returns where they lie in memory. */
  take(count: i64): usize {
    const from = changetype<usize>(this.buffer) + this.at;
    if (count > <i64>(this.end - this.at)) this.fail(`${count} more bytes`);
    else this.at += <i32>count;
    return from;
  }

  /** A number of `width` bytes, big-endian. */
  number(width: i32): u64 {
    const from = this.take(width);
    if (this.failed) return 0;
    let value: u64 = 0;
    for (let index = 0; index < width; index++) value = (value << 8) | load<u8>(from + index);
    return value;
  }

  /** Takes the head of text or bytes and returns their length, which the message is long enough for. */
  blob(expected: string): i32 {
    const type = this.peek();
    if (!this.atBlob) {
      this.fail(expected);
      return 0;
    }
    this.at++;
    const first = type >= 0xd9 ? 0xd9 : 0xc4;
    const length = type < 0xc0 ? <u64>(type & 0x1f) : this.number(1 << (type - first));
    if (length <= <u64>(this.end - this.at)) return <i32>length;
    this.fail(`${length} more bytes`);
    return 0;
  }

  /** Takes the head of an array and returns how many values follow: no more than bytes are left. */
  array(): i32 {
    if (this.atArray) return this.count(0xdc, 1);
    this.fail('an array');
    return 0;
  }

  /** Takes the head of a map and returns how many pairs follow. */
  map(): i32 {
    if (this.atMap) return this.count(0xde, 2);
    this.fail('a map');
    return 0;
  }

  /** The count in a head whose 16-bit form is `long`; each of the values has `parts` parts of at least one byte. */
  private count(long: i32, parts: i64): i32 {
    const type = this.peek();
    this.at++;
    const count = type < 0xc0 ? <i64>(type & 0x0f) : <i64>this.number(type === long ? 2 : 4);
    if (count * parts <= <i64>(this.end - this.at)) return <i32>count;
    this.fail(`${count} more values`);
    return 0;
  }

  /** Moves over one value of any kind. */
  skip(depth: i32 = 0): void {
    if (depth > maxDepth) this.fail(`at most ${maxDepth} levels`);
    else if (this.atBlob) this.take(this.blob('text'));
    else if (this.atMap) this.skipMany(this.map() << 1, depth);
    else if (this.atArray) this.skipMany(this.array(), depth);
    else this.skipScalar();
  }

  private skipMany(count: i32, depth: i32): void {
    for (let index = 0; index < count && !this.failed; index++) this.skip(depth + 1);
  }

  /** Everything of fixed width, and extensions. */
  private skipScalar(): void {
    const type = this.peek();
    if (type === noType) {
      this.fail('a value');
      return;
    }
    this.at++;
    if (type >= 0xc7 && type <= 0xc9) this.take(1 + <i64>this.number(1 << (type - 0xc7)));
    else if (type === 0xca) this.take(4);
    else if (type === 0xcb) this.take(8);
    else if (type >= 0xcc && type <= 0xcf) this.take(1 << (type - 0xcc));
    else if (type >= 0xd0 && type <= 0xd3) this.take(1 << (type - 0xd0));
    else if (type >= 0xd4 && type <= 0xd8) this.take(1 + (1 << (type - 0xd4)));
  }
}
