// Makes the isolate's own copy of a module; the signed bytes are what was verified. The copy exports every mutable global
// (a snapshot needs them) and its start function, to be run once under a deadline. Its memory has a size of its own, kept
// in a global: growing sets that and leaves a mark when it fails, so that memory which grew during a call need not be given
// back to undo the call, and "out of memory" can be told from any other trap. Custom sections but names are left out.
import { WattleError } from '../../lattice/errors.ts';
import { ByteReader, encodeU32, type WasmSection } from '../../lattice/wasm.ts';
import { parseModule, v128, type WasmModule } from './wasm-module.ts';

export interface InstrumentedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Names under which the copy exports its mutable globals. They cannot clash: admission allows no `~` in names. */
  readonly globals: readonly string[];
  /** When the module can grow its memory: names of the globals with its size in pages, and 1 after a failure to grow. */
  readonly growth: { readonly size: string; readonly failed: string } | undefined;
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
  const { grows } = module.code;
  const [size, failed] = [module.globals.length, module.globals.length + 1];
  const limitPages = Math.floor(memoryBytes / pageBytes);
  const names = module.globals.flatMap((one, index) => (one.mutable && one.type !== v128 ? [index] : []));
  const exported = grows ? [...names, size, failed] : names;
  const bodies = new Map<number, Uint8Array>();
  const items = new SectionItems(bytes, module.sections);
  bodies.set(5, capMemory(module, limitPages));
  const starts = module.start === undefined ? [] : [exportOf(startName, 0, module.start)];
  bodies.set(7, items.append(7, [...exported.map((index) => exportOf(globalName(index), 3, index)), ...starts]));
  if (grows) {
    bodies.set(1, items.append(1, [[0x60, 1, 0x7f, 1, 0x7f]]));
    bodies.set(3, items.append(3, [encodeU32(module.types.length)]));
    bodies.set(6, items.append(6, [mutableI32(module.memory!.initialPages), mutableI32(0)]));
    bodies.set(
      10,
      redirectMemory(bytes, module, growFunction({ size, failed, maximum: maximumOf(module, limitPages) })),
    );
  }
  return {
    bytes: writeModule(bytes, module.sections, bodies),
    globals: exported.map(globalName),
    growth: grows ? { size: globalName(size), failed: globalName(failed) } : undefined,
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

const maximumOf = (module: WasmModule, limitPages: number): number =>
  Math.min(module.memory!.maximumPages ?? limitPages, limitPages);

function capMemory(module: WasmModule, limitPages: number): Uint8Array {
  const { initialPages } = module.memory!;
  if (initialPages > limitPages)
    throw new WattleError(
      'E_ACTOR_MEMORY',
      `the module starts with ${initialPages} memory pages, its limit is ${limitPages}`,
    );
  return Buffer.from([1, 1, ...encodeU32(initialPages), ...encodeU32(maximumOf(module, limitPages))]);
}

/** i32.const with a signed number that is not negative. */
const constant = (value: number): number[] => {
  const bytes = encodeU32(value);
  const last = bytes.pop()!;
  // bit 6 of the last byte would be read as a sign
  return (last & 0x40) === 0 ? [0x41, ...bytes, last] : [0x41, ...bytes, last | 0x80, 0];
};

const mutableI32 = (value: number): number[] => [0x7f, 1, ...constant(value), 0x0b];

/**
 * `(param pages)`: the old size, with the size grown by so many pages; -1 and the mark set when that is over the maximum or
 * there is no memory. Memory that an earlier call left larger is used first; it was zeroed when the instance was reset.
 */
const growFunction = (globals: { size: number; failed: number; maximum: number }): number[] => {
  const [getSize, setSize] = [0x23, 0x24].map((opcode) => [opcode, ...encodeU32(globals.size)]) as [number[], number[]];
  const pages = [0x20, 0];
  const fail = [...constant(1), 0x24, ...encodeU32(globals.failed), 0x41, 0x7f, 0x0f];
  const missing = [...getSize, ...pages, 0x6a, 0x3f, 0, 0x6b];
  const code = [
    // pages > maximum - size, unsigned: fail
    ...[...pages, ...constant(globals.maximum), ...getSize, 0x6b, 0x4b, 0x04, 0x40, ...fail, 0x0b],
    // missing > 0, signed: grow by it, fail when that fails
    ...[...missing, 0x41, 0, 0x4a, 0x04, 0x40, ...missing, 0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40, ...fail, 0x0b, 0x0b],
    ...[...getSize, ...getSize, ...pages, 0x6a, ...setSize],
  ];
  const body = [0, ...code, 0x0b];
  return [...encodeU32(body.length), ...body];
};

/** The code section with each memory.grow as a call of the added last function, each memory.size as its global. */
function redirectMemory(bytes: Uint8Array, module: WasmModule, grow: readonly number[]): Uint8Array {
  const section = module.sections.find((one) => one.id === 10)!;
  const sites = module.code.memorySites;
  const instead: Readonly<Record<number, Uint8Array>> = {
    63: Buffer.from([0x23, ...encodeU32(module.globals.length)]),
    64: Buffer.from([0x10, ...encodeU32(module.functions.length)]),
  };
  const reader = new ByteReader(bytes, section.bodyStart, section.end);
  const parts: Uint8Array[] = [Buffer.from(encodeU32(reader.u32() + 1))];
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
      pieces.push(bytes.subarray(from, sites[site]!), instead[bytes[sites[site]!]!]!);
      from = sites[site]! + 2;
    }
    const body = Buffer.concat([...pieces, bytes.subarray(from, reader.at)]);
    parts.push(bytes.subarray(copied, lengthAt), Buffer.from(encodeU32(body.length)), body);
    copied = reader.at;
  }
  return Buffer.concat([...parts, bytes.subarray(copied, section.end), Buffer.from(grow)]);
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
