// Linear memory of one instance as the host sees it: every address and length comes from the guest, so every access is
// checked against the size of this moment. The view is taken again whenever memory has grown.

/** A pointer or length outside of the guest's memory; ends that call as a trap. */
export class GuestFault extends Error {}

export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  #view: Buffer;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.#view = Buffer.from(memory.buffer);
  }

  /** All of memory; growing detaches the old view, which then has no length. */
  get view(): Buffer {
    if (this.#view.length === 0) this.#view = Buffer.from(this.memory.buffer);
    return this.#view;
  }

  /** Checks that `length` bytes at `pointer` are in memory and returns the unsigned pointer. */
  check(pointer: number, length: number): number {
    const start = pointer >>> 0;
    if (start + (length >>> 0) <= this.view.length) return start;
    throw new GuestFault(`${length >>> 0} bytes at ${start} are outside of its ${this.view.length} bytes of memory`);
  }

  /** Copies `source` from `start` to `end` to `pointer`. */
  write(pointer: number, source: Buffer, start: number, end: number): void {
    const at = this.check(pointer, end - start);
    const view = this.view;
    if (end - start > 40) source.copy(view, at, start, end);
    else for (let index = start, to = at; index < end; index++, to++) view[to] = source[index]!;
  }

  text(pointer: number, length: number): string {
    const start = this.check(pointer, length);
    return this.view.toString('utf8', start, start + (length >>> 0));
  }

  setU32(pointer: number, value: number): void {
    this.view.writeUInt32LE(value, this.check(pointer, 4));
  }

  setU64(pointer: number, value: bigint): void {
    this.view.writeBigUInt64LE(value, this.check(pointer, 8));
  }

  u32(pointer: number): number {
    return this.view.readUInt32LE(this.check(pointer, 4));
  }
}
