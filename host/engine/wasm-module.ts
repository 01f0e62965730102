// What a core WebAssembly module declares, read section by section under the admission limits, so that no reading of a
// hostile file costs more than its size. V8 validates what is not looked at here; nothing is compiled.
import { WattleError } from '../../lattice/errors.ts';
import { ByteReader, malformed, parseWasm, type WasmSection } from '../../lattice/wasm.ts';
import { admissionLimits as limits } from './limits.ts';
import { type CodeFacts, checkRefType, checkValueType, createCodeFacts, refuseFeature, walkBody } from './opcodes.ts';

export type ExternKind = 'function' | 'table' | 'memory' | 'global';
const kinds: readonly ExternKind[] = ['function', 'table', 'memory', 'global'];

/** Value types by their byte: 0x7f is i32. */
export interface FunctionType {
  readonly params: readonly number[];
  readonly results: readonly number[];
}
export interface WasmImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Of functions. */
  readonly type?: FunctionType;
}
export interface WasmExport {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
}
export interface WasmGlobal {
  readonly type: number;
  readonly mutable: boolean;
}

export interface WasmModule {
  readonly sections: readonly WasmSection[];
  readonly types: FunctionType[];
  readonly imports: WasmImport[];
  /** Type of each function, imported ones first. */
  readonly functions: FunctionType[];
  /** Defined ones; imports of globals are not offered. */
  readonly globals: WasmGlobal[];
  readonly exports: WasmExport[];
  memory: { readonly initialPages: number; readonly maximumPages: number | undefined } | undefined;
  /** Index of the start function. */
  start: number | undefined;
  readonly code: CodeFacts;
}

export const i32 = 0x7f;
export const v128 = 0x7b;

export const overLimit = (what: string, value: number, limit: number): WattleError =>
  new WattleError('E_WASM_LIMIT', `the module has ${value} ${what}, the limit is ${limit}`);

function readCount(reader: ByteReader, what: string, limit: number): number {
  const count = reader.u32();
  if (count > limit) throw overLimit(what, count, limit);
  return count;
}

/** `[min, max | undefined]` of a memory or table. */
function readLimits(reader: ByteReader): [number, number | undefined] {
  const at = reader.at;
  const flags = reader.byte();
  if (flags & 2) throw refuseFeature('shared memory (threads)', at);
  if (flags & 4) throw refuseFeature('64-bit memories or tables', at);
  if (flags & 8) throw refuseFeature('custom page sizes', at);
  if (flags > 1) throw malformed('unknown limits', at);
  return [reader.u32(), flags & 1 ? reader.u32() : undefined];
}

function readValueTypes(reader: ByteReader, what: string): number[] {
  const count = readCount(reader, what, limits.params);
  const start = reader.skip(count);
  const types = [...reader.bytes.subarray(start, start + count)];
  for (const [index, type] of types.entries()) checkValueType(type, start + index);
  return types;
}

function readType(reader: ByteReader): FunctionType {
  const at = reader.at;
  const form = reader.byte();
  if (form >= 0x4d && form <= 0x5f) throw refuseFeature('garbage collection', at);
  if (form !== 0x60) throw malformed('an unknown type', at);
  return {
    params: readValueTypes(reader, 'parameters in a type'),
    results: readValueTypes(reader, 'results in a type'),
  };
}

function readTable(reader: ByteReader): number {
  const at = reader.at;
  checkRefType(reader.byte(), at);
  return readLimits(reader)[0];
}

function readMemory(reader: ByteReader): NonNullable<WasmModule['memory']> {
  const [initialPages, maximumPages] = readLimits(reader);
  if (initialPages > limits.memoryInitialPages)
    throw overLimit('initial memory pages', initialPages, limits.memoryInitialPages);
  return { initialPages, maximumPages };
}

function readGlobalType(reader: ByteReader): WasmGlobal {
  const at = reader.at;
  const type = reader.byte();
  checkValueType(type, at);
  const mutability = reader.byte();
  if (mutability > 1) throw malformed('an unknown mutability', at + 1);
  return { type, mutable: mutability === 1 };
}

/** Bytes after each opcode a constant expression may hold: a number, or how its LEB or type is read. */
const constant: Readonly<Record<number, number | 'leb' | 'type' | 'simd'>> = {
  35: 'leb',
  65: 'leb',
  66: 'leb',
  67: 4,
  68: 8,
  106: 0,
  107: 0,
  108: 0,
  124: 0,
  125: 0,
  126: 0,
  208: 'type',
  210: 'leb',
  253: 'simd',
};

function skipConstant(reader: ByteReader): void {
  for (;;) {
    const at = reader.at;
    const opcode = reader.byte();
    if (opcode === 0x0b) return;
    const rule = constant[opcode];
    if (opcode === 0xfb) throw refuseFeature('garbage collection', at);
    if (rule === undefined) throw malformed('not a constant expression', at);
    if (rule === 'leb') reader.skipLeb(10);
    else if (rule === 'type') checkRefType(reader.byte(), at);
    else if (rule === 'simd') {
      if (reader.u32() !== 12) throw malformed('not a constant expression', at);
      reader.skip(16);
    } else reader.skip(rule);
  }
}

const typeAt = (module: WasmModule, index: number, at: number): FunctionType => {
  const type = module.types[index];
  if (!type) throw malformed('an unknown type index', at);
  return type;
};

function readImport(reader: ByteReader, module: WasmModule): void {
  const names = { module: reader.name(), name: reader.name() };
  const at = reader.at;
  const kind = reader.byte();
  if (kind === 4) throw refuseFeature('exceptions', at);
  if (kind === 0) {
    const type = typeAt(module, reader.u32(), at);
    module.imports.push({ ...names, kind: 'function', type });
    module.functions.push(type);
    return;
  }
  if (kind === 1) readTable(reader);
  else if (kind === 2) readLimits(reader);
  else if (kind === 3) readGlobalType(reader);
  else throw malformed('an unknown kind of import', at);
  module.imports.push({ ...names, kind: kinds[kind]! });
}

function readExport(reader: ByteReader): WasmExport {
  const name = reader.name();
  const at = reader.at;
  const kind = kinds[reader.byte()];
  if (!kind) throw malformed('an unknown kind of export', at);
  return { name, kind, index: reader.u32() };
}

function readCode(reader: ByteReader, module: WasmModule): void {
  const imported = module.imports.filter((one) => one.kind === 'function').length;
  const count = reader.u32();
  if (count !== module.functions.length - imported) throw malformed('functions and bodies differ in number', reader.at);
  for (let index = 0; index < count; index++) {
    const length = readCount(reader, 'bytes in a function', limits.bodyBytes);
    const start = reader.skip(length);
    const params = module.functions[imported + index]!.params.length;
    walkBody(reader.bytes, { start, end: start + length, params }, module.code);
  }
  const { worstCost, totalCost } = module.code;
  if (worstCost > limits.functionCompileCost)
    throw overLimit('locals × control blocks in one function', worstCost, limits.functionCompileCost);
  if (totalCost > limits.moduleCompileCost)
    throw overLimit('locals × control blocks in all', totalCost, limits.moduleCompileCost);
}

type ReadSection = (reader: ByteReader, module: WasmModule) => void;

const each = (reader: ByteReader, limit: [what: string, limit: number], read: () => void): void => {
  const count = readCount(reader, ...limit);
  for (let index = 0; index < count; index++) read();
};

const readTables: ReadSection = (reader) => {
  let total = 0;
  each(reader, ['tables', limits.tables], () => {
    total += readTable(reader);
  });
  if (total > limits.tableInitialTotal) throw overLimit('initial table entries', total, limits.tableInitialTotal);
};

const readMemories: ReadSection = (reader, module) =>
  each(reader, ['memories', limits.memories], () => {
    module.memory = readMemory(reader);
  });

const readGlobals: ReadSection = (reader, module) =>
  each(reader, ['globals', limits.globals], () => {
    module.globals.push(readGlobalType(reader));
    skipConstant(reader);
  });

const readStart: ReadSection = (reader, module) => {
  module.start = reader.u32();
};

/** By section id, in the order they must have: id, name, reader. Of segments only the count matters here. */
const sectionRules: readonly (readonly [id: number, what: string, read: ReadSection])[] = [
  [1, 'type', (reader, to) => each(reader, ['types', limits.types], () => to.types.push(readType(reader)))],
  [2, 'import', (reader, to) => each(reader, ['imports', limits.imports], () => readImport(reader, to))],
  [
    3,
    'function',
    (reader, to) =>
      each(reader, ['functions', limits.functions], () => to.functions.push(typeAt(to, reader.u32(), reader.at))),
  ],
  [4, 'table', readTables],
  [5, 'memory', readMemories],
  [6, 'global', readGlobals],
  [7, 'export', (reader, to) => each(reader, ['exports', limits.exports], () => to.exports.push(readExport(reader)))],
  [8, 'start', readStart],
  [9, 'element', (reader) => skipSegments(reader, 'element segments')],
  [12, 'data count', (reader) => void reader.u32()],
  [10, 'code', readCode],
  [11, 'data', (reader) => skipSegments(reader, 'data segments')],
];

function skipSegments(reader: ByteReader, what: string): void {
  readCount(reader, what, limits.segments);
  reader.at = reader.end;
}

/** Throws E_WASM_MALFORMED, E_WASM_LIMIT, E_WASM_FEATURE, or E_WASM_KIND for a component. */
export function parseModule(bytes: Uint8Array): WasmModule {
  if (bytes.length > limits.fileBytes) throw overLimit('bytes', bytes.length, limits.fileBytes);
  const file = parseWasm(bytes, false);
  if (file.kind === 'component')
    throw new WattleError('E_WASM_KIND', 'this is a WIT component; this host runs waPC (wasmbus) core modules');
  const module: WasmModule = {
    sections: file.sections,
    types: [],
    imports: [],
    functions: [],
    globals: [],
    exports: [],
    memory: undefined,
    start: undefined,
    code: createCodeFacts(),
  };
  let order = -1;
  for (const section of file.sections) if (section.id !== 0) order = readSection(module, { bytes, section, order });
  return module;
}

/** Returns the place of the section in the order; each may come once. */
function readSection(module: WasmModule, at: { bytes: Uint8Array; section: WasmSection; order: number }): number {
  const { bytes, section } = at;
  if (section.id === 13) throw refuseFeature('exceptions', section.start);
  const order = sectionRules.findIndex(([id]) => id === section.id);
  const rule = sectionRules[order];
  if (!rule) throw malformed(`an unknown section ${section.id}`, section.start);
  const [, what, read] = rule;
  if (order <= at.order) throw malformed(`the ${what} section is out of order`, section.start);
  const reader = new ByteReader(bytes, section.bodyStart, section.end);
  read(reader, module);
  if (!reader.done) throw malformed(`the ${what} section has bytes left`, reader.at);
  return order;
}
