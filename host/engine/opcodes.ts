// Walks the instructions of function bodies without compiling them: which features they use, what compiling will cost,
// whether a snapshot can undo what they do, and where they look at the size of memory. It knows only how long each instruction is; V8
// validates the rest. MVP, bulk memory, sign extension, saturating floats, multi-value, reference types and SIMD pass;
// everything else is refused, as nothing our SDKs emit needs it (tail calls too: harmless, but untested ground).
import { WattleError } from '../../lattice/errors.ts';
import { malformed } from '../../lattice/wasm.ts';

/** What all bodies of a module do, gathered by walkBody. */
export interface CodeFacts {
  /** Σ locals × control blocks of the costliest body, and of all. */
  worstCost: number;
  totalCost: number;
  /** True when some instruction changes tables or drops segments: a memory snapshot cannot undo it. */
  changesTables: boolean;
  /** Offsets of every `memory.size` and `memory.grow` instruction (2 bytes each). */
  readonly memorySites: number[];
  grows: boolean;
}

export const createCodeFacts = (): CodeFacts => ({
  worstCost: 0,
  totalCost: 0,
  changesTables: false,
  memorySites: [],
  grows: false,
});

/** How the bytes after an opcode are skipped. */
const shape = {
  none: 0,
  leb: 1,
  leb2: 2,
  memory: 3,
  block: 4,
  brTable: 5,
  bytes4: 6,
  bytes8: 7,
  misc: 8,
  simd: 9,
  select: 10,
  memoryIndex: 11,
  refType: 12,
  end: 13,
  refused: 14,
  byte: 15,
  bytes16: 16,
  memoryLane: 17,
} as const;

const shapes = new Uint8Array(256);
const set = (kind: number, ...opcodes: number[]): void => {
  for (const opcode of opcodes) shapes[opcode] = kind;
};
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
set(shape.block, 0x02, 0x03, 0x04);
set(shape.end, 0x0b);
set(shape.leb, 0x0c, 0x0d, 0x10, ...range(0x20, 0x26), 0x41, 0x42, 0xd2);
set(shape.leb2, 0x11);
set(shape.brTable, 0x0e);
set(shape.select, 0x1c);
set(shape.memory, ...range(0x28, 0x3e));
set(shape.memoryIndex, 0x3f, 0x40);
set(shape.bytes4, 0x43);
set(shape.bytes8, 0x44);
set(shape.refType, 0xd0);
set(shape.misc, 0xfc);
set(shape.simd, 0xfd);

/** Opcodes of features refused here, by the name users know them by. */
const refusedFeatures: readonly (readonly [string, readonly number[]])[] = [
  ['exceptions', [0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f]],
  ['tail calls', [0x12, 0x13]],
  ['typed function references', [0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6]],
  ['garbage collection', [0xfb]],
  ['threads', [0xfe]],
];
const refusedBy = new Map(refusedFeatures.flatMap(([feature, opcodes]) => opcodes.map((opcode) => [opcode, feature])));
set(shape.refused, ...(refusedBy.keys() as Iterable<number>));

/** 0xfc: number of LEB immediates by sub-opcode. */
const miscLebs = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];
/** 0xfc: data.drop, table.init, elem.drop, table.copy, table.grow, table.fill. */
const miscChangesTables = new Set([9, 12, 13, 14, 15, 17]);

const simdShape = (sub: number): number => {
  if (sub <= 11 || sub === 92 || sub === 93) return shape.memory;
  if (sub === 12 || sub === 13) return shape.bytes16;
  if (sub >= 21 && sub <= 34) return shape.byte;
  return sub >= 84 && sub <= 91 ? shape.memoryLane : shape.none;
};

export const refuseFeature = (feature: string, at: number): WattleError =>
  new WattleError('E_WASM_FEATURE', `the module uses ${feature} (at byte ${at})`);

const skipLeb = (bytes: Uint8Array, at: number): number => {
  let next = at;
  while (bytes[next]! >= 0x80) next++;
  if (next - at > 9) throw malformed('a number is too long', at);
  return next + 1;
};

/** Reads a u32; the caller skips it with skipLeb. */
const readU32 = (bytes: Uint8Array, at: number): number => {
  let value = 0;
  for (let shift = 0, next = at; shift < 35; shift += 7, next++) {
    const byte = bytes[next] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw malformed('a number is longer than 32 bits', at);
};

/** Alignment and offset; bit 6 of the alignment would name another memory, or a 64-bit one would need more offset. */
const skipMemory = (bytes: Uint8Array, at: number): number => {
  if (bytes[at]! >= 0x40) throw refuseFeature('several memories', at);
  return skipLeb(bytes, skipLeb(bytes, at));
};

const isRefType = (byte: number | undefined): boolean => byte === 0x70 || byte === 0x6f;
const isValueType = (byte: number | undefined): boolean => (byte! >= 0x7b && byte! <= 0x7f) || isRefType(byte);

/** A value type of the features above; `at` is where it stands. */
export function checkValueType(byte: number | undefined, at: number): void {
  if (isValueType(byte)) return;
  if (byte === 0x63 || byte === 0x64 || (byte! >= 0x65 && byte! <= 0x77)) throw refuseFeature('garbage collection', at);
  throw malformed('an unknown value type', at);
}

export function checkRefType(byte: number | undefined, at: number): void {
  if (isRefType(byte)) return;
  if (byte === 0x40 || byte === 0x63 || byte === 0x64) throw refuseFeature('typed function references', at);
  throw malformed('an unknown reference type', at);
}

function skipBlockType(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!;
  if (byte === 0x40 || isValueType(byte)) return at + 1;
  if (byte === 0x63 || byte === 0x64) throw refuseFeature('typed function references', at);
  return skipLeb(bytes, at);
}

function skipBrTable(bytes: Uint8Array, at: number, end: number): number {
  const count = readU32(bytes, at);
  if (count > end - at) throw malformed('a branch table runs past its function', at);
  let next = skipLeb(bytes, at);
  for (let index = 0; index <= count; index++) next = skipLeb(bytes, next);
  return next;
}

function skipSelect(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 1) throw malformed('a select of several values', at);
  checkValueType(bytes[at + 1], at + 1);
  return at + 2;
}

function skipMisc(bytes: Uint8Array, at: number, facts: CodeFacts): number {
  const sub = readU32(bytes, at);
  const lebs = miscLebs[sub];
  if (lebs === undefined) throw refuseFeature(`an unknown instruction (0xfc ${sub})`, at);
  if (miscChangesTables.has(sub)) facts.changesTables = true;
  let next = skipLeb(bytes, at);
  for (let index = 0; index < lebs; index++) next = skipLeb(bytes, next);
  return next;
}

function skipSimd(bytes: Uint8Array, at: number): number {
  const sub = readU32(bytes, at);
  if (sub > 255) throw refuseFeature('relaxed SIMD', at);
  const next = skipLeb(bytes, at);
  const kind = simdShape(sub);
  if (kind === shape.memory) return skipMemory(bytes, next);
  if (kind === shape.memoryLane) return skipMemory(bytes, next) + 1;
  return next + (kind === shape.bytes16 ? 16 : kind === shape.byte ? 1 : 0);
}

/** Skips the rarer immediates of one instruction. */
function skipRare(kind: number, bytes: Uint8Array, at: number, end: number): number {
  if (kind === shape.brTable) return skipBrTable(bytes, at, end);
  if (kind === shape.select) return skipSelect(bytes, at);
  if (kind === shape.simd) return skipSimd(bytes, at);
  if (kind === shape.leb2) return skipLeb(bytes, skipLeb(bytes, at));
  if (kind === shape.bytes4) return at + 4;
  if (kind === shape.bytes8) return at + 8;
  if (kind === shape.refType) {
    checkRefType(bytes[at], at);
    return at + 1;
  }
  throw refuseFeature(refusedBy.get(bytes[at - 1]!) as string, at - 1);
}

/** Locals declared by a body, and where its instructions begin. */
function readLocals(bytes: Uint8Array, start: number, end: number): { count: number; at: number } {
  const groups = readU32(bytes, start);
  let at = skipLeb(bytes, start);
  let count = 0;
  for (let group = 0; group < groups; group++) {
    count += readU32(bytes, at);
    at = skipLeb(bytes, at);
    checkValueType(bytes[at], at);
    at++;
    if (at > end) throw malformed('locals run past their function', start);
  }
  return { count, at };
}

/** Walks the body between `start` and `end` of a function with `params` parameters; adds what it finds to `facts`. */
export function walkBody(
  bytes: Uint8Array,
  range: { start: number; end: number; params: number },
  facts: CodeFacts,
): void {
  const { start, end, params } = range;
  const locals = readLocals(bytes, start, end);
  let at = locals.at;
  let depth = 1;
  let blocks = 0;
  while (at < end) {
    const opcode = bytes[at++]!;
    const kind = shapes[opcode]!;
    if (kind === shape.none) continue;
    if (kind === shape.leb) {
      if (opcode === 0x26) facts.changesTables = true;
      at = skipLeb(bytes, at);
    } else if (kind === shape.memory) at = skipMemory(bytes, at);
    else if (kind === shape.block) {
      blocks++;
      depth++;
      at = skipBlockType(bytes, at);
    } else if (kind === shape.end) {
      if (--depth === 0) break;
    } else if (kind === shape.memoryIndex) {
      if (bytes[at] !== 0) throw refuseFeature('several memories', at);
      if (opcode === 0x40) facts.grows = true;
      facts.memorySites.push(at - 1);
      at++;
    } else if (kind === shape.misc) at = skipMisc(bytes, at, facts);
    else at = skipRare(kind, bytes, at, end);
  }
  if (at !== end || depth !== 0) throw malformed('a function does not end where its body does', start);
  const cost = (locals.count + params) * blocks;
  if (cost > facts.worstCost) facts.worstCost = cost;
  facts.totalCost += cost;
}
