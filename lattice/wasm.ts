// The outer shape of a WebAssembly file: preamble and top-level sections, walked strictly and without compiling. Every
// length is checked against the file and must be a minimal LEB128, so that a file has exactly one reading.
import { WattleError } from './errors.ts';

export interface WasmSection {
  readonly id: number;
  /** Offset of the id byte. */
  readonly start: number;
  /** Offset of the first byte of the body (after the length). */
  readonly bodyStart: number;
  /** Offset just past the body. */
  readonly end: number;
  /** Custom sections (id 0) only: their name, and where their data begins. */
  readonly name?: string;
  readonly dataStart?: number;
}

export interface WasmFile {
  readonly kind: 'module' | 'component';
  readonly sections: readonly WasmSection[];
}

export const malformed = (message: string, at: number): WattleError =>
  new WattleError('E_WASM_MALFORMED', `${message} at byte ${at}`);

/** A cursor over bytes that never reads past `end` and refuses over-long LEB128. Offsets are absolute. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw malformed('the file ends early', this.at);
    return this.bytes[this.at++]!;
  }

  /** Moves over `count` bytes and returns the offset they began at. */
  skip(count: number): number {
    const start = this.at;
    if (count > this.end - start) throw malformed(`${count} bytes run past the end`, start);
    this.at = start + count;
    return start;
  }

  /** Unsigned LEB128 of at most 32 bits; `strict` also refuses encodings longer than needed. */
  u32(strict = false): number {
    const start = this.at;
    let value = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) throw malformed('a number is longer than 32 bits', start);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (strict && byte === 0 && shift > 0) throw malformed('a length is not minimally encoded', start);
        return value;
      }
    }
    throw malformed('a number is longer than 32 bits', start);
  }

  /** Skips one signed or unsigned LEB128 of at most `maxBytes` bytes. */
  skipLeb(maxBytes: number): void {
    const start = this.at;
    for (let count = 0; count < maxBytes; count++) if (this.byte() < 0x80) return;
    throw malformed('a number is too long', start);
  }

  /** A length-prefixed UTF-8 name. */
  name(): string {
    const length = this.u32();
    const start = this.skip(length);
    try {
      return utf8.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw malformed('a name is not UTF-8', start);
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const magic = [0x00, 0x61, 0x73, 0x6d];
const moduleVersion = [0x01, 0x00, 0x00, 0x00];
const componentVersion = [0x0d, 0x00, 0x01, 0x00];

const startsWith = (bytes: Uint8Array, expected: readonly number[], at: number): boolean =>
  expected.every((byte, index) => bytes[at + index] === byte);

/**
 * Walks the top-level sections of a module or component. Throws E_WASM_MALFORMED, naming the byte. `strict: false` lets
 * section lengths be longer than needed, as some linkers write them; a signer rewrites those.
 */
export function parseWasm(bytes: Uint8Array, strict = true): WasmFile {
  if (!startsWith(bytes, magic, 0)) throw malformed('this is not a WebAssembly file', 0);
  const kind = startsWith(bytes, moduleVersion, 4)
    ? 'module'
    : startsWith(bytes, componentVersion, 4)
      ? 'component'
      : undefined;
  if (!kind) throw malformed('unknown WebAssembly version', 4);
  const reader = new ByteReader(bytes, 8);
  const sections: WasmSection[] = [];
  while (!reader.done) sections.push(parseSection(reader, strict));
  return { kind, sections };
}

function parseSection(reader: ByteReader, strict: boolean): WasmSection {
  const start = reader.at;
  const id = reader.byte();
  const length = reader.u32(strict);
  const bodyStart = reader.skip(length);
  const end = bodyStart + length;
  if (id !== 0) return { id, start, bodyStart, end };
  const body = new ByteReader(reader.bytes, bodyStart, end);
  const name = body.name();
  return { id, start, bodyStart, end, name, dataStart: body.at };
}

/** Unsigned LEB128, minimal. */
export function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}
