// Makes the isolate's own copy of a module; the signed bytes are what was verified. The copy exports every mutable global
// (a snapshot needs them), caps its memory, and grows memory through one function that leaves a mark when growing failed,
// so that "out of memory" can be told from any other trap. Its start function becomes an export, to be run once under a
// deadline and with memory in reach. Custom sections other than names are left out.
import { WattleError } from '../../lattice/errors.ts';
import { ByteReader, encodeU32, type WasmSection } from '../../lattice/wasm.ts';
import { parseModule, v128, type WasmModule } from './wasm-module.ts';

export interface InstrumentedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names under which the copy exports its mutable globals. They cannot clash: admission allows no `~` in names. */
  readonly globals: readonly string[];
  /** Name of the global that is 1 after a failed memory.grow, when the module has that instruction. */
  readonly growMark: string | undefined;
  /** True when putting back memory and these globals undoes all a call does. */
  readonly resettable: boolean;
  /** Parameters of the imported __host_call (8, 6 or 4); undefined when it is not imported. */
  readonly hostCallParams: number | undefined;
  /** Names of the exports of the module itself. */
  readonly exports: readonly string[];
  /** Names of the WASI functions it imports. */
  readonly wasiNames: readonly string[];
}

/** Name under which the copy exports the start function of the module, if it has one. */
export const startName = '~start';

const pageBytes = 65_536;
/** Sections in the order of a binary; data count (12) comes before code (10). */
const order = [1, 2, 3, 4, 5, 6, 7, 9, 12, 10, 11] as const;

/** Throws E_ACTOR_MEMORY when the module starts with more memory than `memoryBytes`. */
export function instrumentModule(bytes: Uint8Array, memoryBytes: number): InstrumentedModule {
  const module = parseModule(bytes);
  const grows = module.code.growSites.length > 0;
  const growGlobal = module.globals.length;
  const names = module.globals.flatMap((one, index) => (one.mutable && one.type !== v128 ? [index] : []));
  const exported = grows ? [...names, growGlobal] : names;
  const bodies = new Map<number, Uint8Array>();
  const items = new SectionItems(bytes, module.sections);
  bodies.set(5, capMemory(module, memoryBytes));
  const starts = module.start === undefined ? [] : [exportOf(startName, 0, module.start)];
  bodies.set(7, items.append(7, [...exported.map((index) => exportOf(globalName(index), 3, index)), ...starts]));
  if (grows) {
    bodies.set(1, items.append(1, [[0x60, 1, 0x7f, 1, 0x7f]]));
    bodies.set(3, items.append(3, [encodeU32(module.types.length)]));
    bodies.set(6, items.append(6, [[0x7f, 1, 0x41, 0, 0x0b]]));
    bodies.set(10, redirectGrowth(bytes, module, growGlobal));
  }
  return {
    bytes: writeModule(bytes, module.sections, bodies),
    globals: exported.map(globalName),
    growMark: grows ? globalName(growGlobal) : undefined,
    resettable: !module.code.changesTables && !module.globals.some((one) => one.mutable && one.type === v128),
    hostCallParams: module.imports.find((one) => one.name === '__host_call')?.type?.params.length,
    exports: module.exports.map((one) => one.name),
    wasiNames: module.imports.filter((one) => one.module.startsWith('wasi')).map((one) => one.name),
  };
}

const globalName = (index: number): string => `~${index}`;
const exportOf = (name: string, kind: number, index: number): number[] => [
  name.length,
  ...Buffer.from(name),
  kind,
  ...encodeU32(index),
];

/** Adds items to the list that a section is. */
class SectionItems {
  readonly #bytes: Uint8Array;
  readonly #sections: readonly WasmSection[];

  constructor(bytes: Uint8Array, sections: readonly WasmSection[]) {
    this.#bytes = bytes;
    this.#sections = sections;
  }

  append(id: number, items: readonly number[][]): Uint8Array {
    const section = this.#sections.find((one) => one.id === id);
    const reader = section ? new ByteReader(this.#bytes, section.bodyStart, section.end) : undefined;
    const count = reader ? reader.u32() : 0;
    const old = reader ? this.#bytes.subarray(reader.at, reader.end) : new Uint8Array(0);
    return Buffer.concat([
      Buffer.from(encodeU32(count + items.length)),
      old,
      ...items.map((item) => Buffer.from(item)),
    ]);
  }
}

function capMemory(module: WasmModule, memoryBytes: number): Uint8Array {
  const { initialPages, maximumPages } = module.memory!;
  const limitPages = Math.floor(memoryBytes / pageBytes);
  if (initialPages > limitPages)
    throw new WattleError(
      'E_ACTOR_MEMORY',
      `the module starts with ${initialPages} memory pages, its limit is ${limitPages}`,
    );
  const maximum = Math.min(maximumPages ?? limitPages, limitPages);
  return Buffer.from([1, 1, ...encodeU32(initialPages), ...encodeU32(maximum)]);
}

/** `(param n) (local r)`: r = memory.grow n; if r is -1 the mark is set; r. */
const growFunction = (mark: number): number[] => {
  const code = [0x20, 0, 0x40, 0, 0x22, 1, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x41, 1, 0x24, ...encodeU32(mark), 0x0b];
  const body = [1, 1, 0x7f, ...code, 0x20, 1, 0x0b];
  return [...encodeU32(body.length), ...body];
};

/** The code section with each memory.grow as a call of the added last function. */
function redirectGrowth(bytes: Uint8Array, module: WasmModule, mark: number): Uint8Array {
  const section = module.sections.find((one) => one.id === 10)!;
  const call = Buffer.from([0x10, ...encodeU32(module.functions.length)]);
  const sites = module.code.growSites;
  const reader = new ByteReader(bytes, section.bodyStart, section.end);
  const count = reader.u32();
  const parts: Uint8Array[] = [Buffer.from(encodeU32(count + 1))];
  let site = 0;
  let copied = reader.at;
  while (site < sites.length) {
    const lengthAt = reader.at;
    const length = reader.u32();
    const start = reader.skip(length);
    if (sites[site]! >= reader.at) continue;
    const pieces: Uint8Array[] = [];
    let from = start;
    for (; site < sites.length && sites[site]! < reader.at; site++) {
      pieces.push(bytes.subarray(from, sites[site]!), call);
      from = sites[site]! + 2;
    }
    pieces.push(bytes.subarray(from, reader.at));
    const body = Buffer.concat(pieces);
    parts.push(bytes.subarray(copied, lengthAt), Buffer.from(encodeU32(body.length)), body);
    copied = reader.at;
  }
  parts.push(bytes.subarray(copied, section.end), Buffer.from(growFunction(mark)));
  return Buffer.concat(parts);
}

function writeModule(
  bytes: Uint8Array,
  sections: readonly WasmSection[],
  bodies: ReadonlyMap<number, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (const id of order) {
    const section = sections.find((one) => one.id === id);
    const body = bodies.get(id) ?? (section && bytes.subarray(section.bodyStart, section.end));
    if (body) parts.push(Buffer.from([id, ...encodeU32(body.length)]), body);
  }
  const names = sections.find((one) => one.id === 0 && one.name === 'name');
  if (names) parts.push(bytes.subarray(names.start, names.end));
  return Buffer.concat(parts);
}
