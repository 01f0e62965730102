import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admitModule } from '../../../host/admission.ts';
import { admissionLimits as limits } from '../../../host/engine/limits.ts';
import { WattleError } from '../../../lattice/errors.ts';
import { encodeU32 } from '../../../lattice/wasm.ts';
import { actor, countActor, echoActor, relayActor, wat } from '../../support/wat.ts';

/** The code and message of the refusal; 'admitted' when there is none. */
function refusal(bytes: Uint8Array): string {
  try {
    admitModule(bytes);
    return 'admitted';
  } catch (error) {
    if (!(error instanceof WattleError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

const guestCall = '(func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))';
const memory = '(memory (export "memory") 1)';
const withField = (field: string): Uint8Array => wat(`(module ${field} ${memory} ${guestCall})`);
const times = (count: number, text: string | ((index: number) => string)): string =>
  Array.from({ length: count }, (_, index) => (typeof text === 'string' ? text : text(index))).join(' ');

const section = (id: number, body: readonly number[]): number[] => [id, ...encodeU32(body.length), ...body];
const preamble = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A waPC module made by hand: `code` is the body of its only function, after its locals. */
const encoded = (
  code: readonly number[],
  options: { types?: number[][]; before?: number[][]; locals?: number[] } = {},
): Uint8Array => {
  const types = [[0x60, 2, 0x7f, 0x7f, 1, 0x7f], ...(options.types ?? [])];
  const body = [...(options.locals ?? [0]), ...code];
  const text = (name: string): number[] => [name.length, ...Buffer.from(name)];
  return Uint8Array.from([
    ...preamble,
    ...section(1, [types.length, ...types.flat()]),
    ...section(3, [1, 0]),
    ...(options.before ?? section(5, [1, 0, 1])).flat(),
    ...section(7, [2, ...text('__guest_call'), 0, 0, ...text('memory'), 2, 0]),
    ...section(10, [1, ...encodeU32(body.length), ...body]),
  ]);
};
const one = [0x41, 1, 0x0b];

describe('admission of actors', () => {
  it('takes plain actors and reports what they are', () => {
    expect(admitModule(echoActor())).toMatchObject({
      abi: 'wapc',
      resettable: true,
      callsHost: false,
      initialPages: 1,
    });
    expect(admitModule(countActor())).toMatchObject({ mutableGlobals: 1, resettable: true });
    expect(admitModule(relayActor()).callsHost).toBe(true);
    expect(admitModule(echoActor()).imports).toContain('wasmbus.__guest_request');
    expect(refusal(encoded(one))).toBe('admitted');
  });

  it.each([
    ['table.set', '(table 2 funcref)', '(table.set (i32.const 0) (ref.null func))'],
    ['table.grow', '(table 2 4 funcref)', '(drop (table.grow (ref.null func) (i32.const 1)))'],
    ['data.drop', '(data $d "x")', '(data.drop $d)'],
    ['a vector global', '(global (mut v128) (v128.const i32x4 0 0 0 0))', ''],
  ])('says that a snapshot cannot undo %s', (_name, fields, call) => {
    expect(admitModule(actor({ fields, call: `${call} (i32.const 1)` })).resettable).toBe(false);
  });

  it('takes SIMD, bulk memory, sign extension, saturation, several results and reference types', () => {
    const call = `(memory.fill (i32.const 0) (i32.const 0) (i32.const 8))
      (drop (i32.extend8_s (i32.trunc_sat_f32_s (f32.const 1e10))))
      (drop (i8x16.extract_lane_s 3 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        (v128.load (i32.const 0)) (v128.const i32x4 1 2 3 4))))
      (drop (v128.load8_lane 2 (i32.const 0) (v128.const i32x4 1 2 3 4)))
      (drop (ref.is_null (ref.null extern)))
      (block (result i32 i32) (i32.const 1) (i32.const 2)) (drop) (drop)
      (block $a (block $b (br_table $a $b $a (i32.const 1))))
      (drop (select (result f64) (f64.const 1) (f64.const 2) (i32.const 1))) (i32.const 1)`;
    expect(refusal(actor({ call }))).toBe('admitted');
  });
});

describe('admission limits', () => {
  it.each([
    ['memory', wat(`(module (memory (export "memory") 1025) ${guestCall})`), /memory pages/],
    ['table entries', withField('(table 10000000 funcref)'), /initial table entries/],
    ['table entries in all', withField(times(3, '(table 4000 funcref)')), /initial table entries/],
    ['tables', withField(times(5, '(table 1 funcref)')), /tables/],
    ['globals', withField(times(limits.globals + 1, '(global i32 (i32.const 0))')), /globals/],
    ['functions', withField(times(limits.functions + 1, '(func)')), /functions/],
    ['exports', withField(times(limits.exports, (index) => `(func (export "f${index}"))`)), /exports/],
    ['imports', withField(times(limits.imports + 1, '(import "env" "trace" (func))')), /imports/],
    ['parameters', withField(`(func (param ${times(65, 'i32')}))`), /parameters/],
    ['data segments', withField(times(limits.segments + 1, '(data (i32.const 0) "")')), /data segments/],
    ['bytes in a function', withField(`(func ${times(limits.bodyBytes, 'nop')})`), /bytes in a function/],
    ['a name', withField(`(func (export "${'n'.repeat(257)}"))`), /name of an export/],
    ['bytes', new Uint8Array(limits.fileBytes + 1), /bytes/],
  ])('bound %s', (_what, bytes, message) => {
    expect(refusal(bytes)).toMatch(/^E_WASM_LIMIT /);
    expect(refusal(bytes)).toMatch(message);
  });

  it('refuse the 60 KB compile bomb and its smaller sisters, and take a large honest function', () => {
    const bomb = (locals: number, loops: number): Uint8Array =>
      withField(`(func (local ${times(locals, 'i32')}) ${times(loops, '(loop)')})`);
    expect(refusal(bomb(5000, 2001))).toMatch(/^E_WASM_LIMIT .*locals × control blocks in one function/);
    expect(refusal(bomb(200, 2000))).toBe('admitted');
    const many = times(40, `(func (local ${times(2000, 'i64')}) ${times(1500, '(block)')})`);
    expect(refusal(withField(many))).toMatch(/locals × control blocks in all/);
  });

  it('refuse a bomb of locals whose count is written as one number', () => {
    const loops = Array(300).fill([0x03, 0x40]).flat();
    const ends = Array(300).fill(0x0b);
    expect(refusal(encoded([...loops, ...ends, ...one], { locals: [1, ...encodeU32(50_000), 0x7f] }))).toMatch(
      /E_WASM_LIMIT/,
    );
  });
});

describe('refused features', () => {
  it.each([
    ['threads', wat(`(module (memory (export "memory") 1 1 shared) ${guestCall})`), /shared memory/],
    ['atomics', encoded([0xfe, 0x03, 0, ...one]), /threads/],
    ['64-bit memory', wat(`(module (memory (export "memory") i64 1) ${guestCall})`), /64-bit/],
    ['exceptions', withField('(tag)'), /exceptions/],
    ['throw', encoded([0x08, 0, ...one]), /exceptions/],
    ['tail calls', encoded([0x41, 1, 0x41, 1, 0x12, 0, 0x0b]), /tail calls/],
    ['GC types', encoded(one, { types: [[0x5f, 0]] }), /garbage collection/],
    ['GC instructions', encoded([0xfb, 0x00, 0, ...one]), /garbage collection/],
    ['typed references', encoded([0x14, 0, ...one]), /typed function references/],
    ['relaxed SIMD', encoded([0xfd, 0x80, 0x02, ...one]), /relaxed SIMD/],
    ['a second memory in an instruction', encoded([0x3f, 1, 0x1a, ...one]), /several memories/],
    ['custom page sizes', encoded(one, { before: [section(5, [1, 8, 1])] }), /page sizes/],
  ])('%s are named', (_name, bytes, message) => {
    expect(refusal(bytes)).toMatch(/^E_WASM_FEATURE /);
    expect(refusal(bytes)).toMatch(message);
  });

  it('several memories are over the limit of one', () => {
    expect(refusal(encoded(one, { before: [section(5, [2, 0, 1, 0, 1])] }))).toMatch(/E_WASM_LIMIT.*memories/);
  });

  it('components are a kind of their own', () => {
    expect(refusal(Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]))).toMatch(/^E_WASM_KIND .*component/);
  });
});

describe('imports and exports', () => {
  it.each([
    ['(import "wasmbus" "__host_call" (func (param i32)))', /E_WASM_IMPORT.*signature/],
    ['(import "wasmbus" "toString" (func))', /E_WASM_IMPORT.*no such function/],
    ['(import "wasi_snapshot_preview1" "fd_spawn" (func))', /E_WASM_IMPORT.*WASI/],
    ['(import "env" "memory" (memory 1))', /E_WASM_IMPORT.*a memory cannot be imported/],
    ['(import "env" "system" (func))', /E_WASM_IMPORT.*abort, seed and trace/],
    ['(import "node:fs" "readFileSync" (func))', /E_WASM_IMPORT.*only wasmbus/],
    ['(func (export "a\\22;process.exit();//"))', /E_WASM_MALFORMED.*not allowed/],
    ['(func (export "\\00"))', /E_WASM_MALFORMED.*not allowed/],
    ['(func (export ""))', /E_WASM_MALFORMED.*not allowed/],
  ])('of %s are refused by name', (field, message) => {
    expect(refusal(withField(field))).toMatch(message);
  });

  it('of TinyGo, AssemblyScript and older waPC guests are taken', () => {
    const imports = `(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      (import "env" "abort" (func (param i32 i32 i32 i32)))
      (import "wapc" "__host_call" (func (param i32 i32 i32 i32) (result i32)))`;
    expect(refusal(withField(imports))).toBe('admitted');
  });

  it('with odd names are taken as the names they are', () => {
    const odd = ['__proto__', 'constructor', 'then', 'toString'].map((name) => `(func (export "${name}"))`).join('');
    expect(refusal(withField(odd))).toBe('admitted');
  });

  it.each([
    [wat(`(module ${memory})`), /no function __guest_call/],
    [wat(`(module ${guestCall})`), /no memory/],
    [wat(`(module ${memory} (func (export "_start")))`), /no function __guest_call/],
    [wat(`(module ${memory} (func (export "__guest_call") (param i32)))`), /does not take/],
    [wat(`(module (global (export "memory") i32 (i32.const 0)) (memory 1) ${guestCall})`), /no memory/],
  ])('that are missing are named', (bytes, message) => {
    expect(refusal(bytes)).toMatch(/^E_WASM_EXPORT/);
    expect(refusal(bytes)).toMatch(message);
  });
});

describe('malformed files', () => {
  it.each([
    ['sections out of order', [...preamble, ...section(3, [0]), ...section(1, [0])], /out of order/],
    ['a section twice', [...preamble, ...section(1, [0]), ...section(1, [0])], /out of order/],
    ['an unknown section', [...preamble, ...section(77, [])], /unknown section/],
    ['bytes left in a section', [...preamble, ...section(1, [0, 0])], /bytes left/],
    ['a function that does not end', [...encoded([0x41, 1, 0x01])], /does not end/],
  ])('%s are refused', (_name, bytes, message) => {
    expect(refusal(Uint8Array.from(bytes))).toMatch(/^E_WASM_MALFORMED/);
    expect(refusal(Uint8Array.from(bytes))).toMatch(message);
  });

  it('of any mutation end in a code, quickly, and never in another error', () => {
    const seeds = [echoActor(), relayActor(), countActor()];
    const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), mutations, fc.nat(), (seed, changes, cutAt) => {
        const bytes = seed.slice(0, cutAt % 4 === 0 ? cutAt % seed.length : seed.length);
        for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
        const start = performance.now();
        expect(refusal(bytes)).toMatch(/^(admitted|E_WASM_)/);
        expect(performance.now() - start).toBeLessThan(100);
      }),
      { numRuns: 3000 },
    );
  });
});
