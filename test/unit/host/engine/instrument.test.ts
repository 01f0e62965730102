import { describe, expect, it } from 'vitest';
import { type InstrumentedModule, instrumentModule, startName } from '../../../../host/engine/instrument.ts';
import { actor, countActor, wat } from '../../../support/wat.ts';

const pageBytes = 65_536;
const memoryBytes = 8 * pageBytes;

const noImports = { wasmbus: { __guest_request() {}, __guest_response() {}, __guest_error() {} } };

function instantiate(instrumented: InstrumentedModule): Readonly<Record<string, unknown>> {
  return new WebAssembly.Instance(new WebAssembly.Module(instrumented.bytes), noImports).exports;
}

const growActor = (memory: string): Uint8Array =>
  actor({
    memory,
    fields: `(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "both") (result i32) (i32.add (memory.grow (i32.const 1)) (memory.size)))
      (func (export "size") (result i32) (memory.size))`,
    call: '(i32.const 1)',
  });

type Numbers = (...numbers: number[]) => number;

describe('the copy of a module', () => {
  it('exports each mutable global under a name no module can have', () => {
    const instrumented = instrumentModule(countActor(), memoryBytes);
    const exports = instantiate(instrumented);
    expect(instrumented.globals).toEqual(['~0']);
    expect((exports['~0'] as WebAssembly.Global).value).toBe(0);
  });

  it('grows up to the limit and then fails with the mark set', () => {
    const instrumented = instrumentModule(growActor('2'), memoryBytes);
    const exports = instantiate(instrumented) as Record<string, Numbers>;
    const failed = exports[instrumented.growth!.failed] as unknown as WebAssembly.Global;
    expect(exports.grow!(3)).toBe(2);
    expect(exports.size!()).toBe(5);
    expect(exports.both!()).toBe(5 + 6);
    expect(failed.value).toBe(0);
    expect(exports.grow!(3)).toBe(-1);
    expect(failed.value).toBe(1);
    expect(exports.grow!(-1)).toBe(-1);
    expect(exports.grow!(2)).toBe(6);
    expect((exports.memory as unknown as WebAssembly.Memory).buffer.byteLength).toBe(memoryBytes);
  });

  it('keeps a smaller maximum of the module itself', () => {
    const exports = instantiate(instrumentModule(growActor('1 3'), memoryBytes)) as Record<string, Numbers>;
    expect(exports.grow!(2)).toBe(1);
    expect(exports.grow!(1)).toBe(-1);
  });

  it.each([0, 1, 63, 64, 127, 128, 1000])('encodes a size of %i pages as it is', (pages) => {
    const exports = instantiate(instrumentModule(growActor(String(pages)), 1024 * pageBytes)) as Record<
      string,
      Numbers
    >;
    expect(exports.size!()).toBe(pages);
    expect(exports.grow!(1)).toBe(pages);
  });

  it('does not run the start function but exports it', () => {
    const bytes = actor({
      fields: '(global $n (export "n") (mut i32) (i32.const 0)) (func $s (global.set $n (i32.const 7))) (start $s)',
      call: '(i32.const 1)',
    });
    const exports = instantiate(instrumentModule(bytes, memoryBytes));
    expect((exports.n as WebAssembly.Global).value).toBe(0);
    (exports[startName] as () => void)();
    expect((exports.n as WebAssembly.Global).value).toBe(7);
  });

  it('leaves out custom sections but the names', () => {
    const bytes = Buffer.concat([countActor(), Buffer.from([0, 5, 3, 0x6a, 0x77, 0x74, 1])]);
    const names = WebAssembly.Module as unknown as { customSections(module: object, name: string): unknown[] };
    const module = new WebAssembly.Module(instrumentModule(bytes, memoryBytes).bytes);
    expect(names.customSections(module, 'jwt')).toEqual([]);
    expect(names.customSections(module, 'name')).toHaveLength(1);
  });

  it('of a module that starts over its limit is refused', () => {
    expect(() => instrumentModule(actor({ memory: '9', call: '(i32.const 1)' }), memoryBytes)).toThrow(
      expect.objectContaining({ code: 'E_ACTOR_MEMORY' }),
    );
  });

  it('has room for globals when the module has none and no export but the two', () => {
    const bytes = wat(`(module (memory (export "memory") 1)
      (func (export "__guest_call") (param i32 i32) (result i32) (memory.grow (i32.const 1))))`);
    const exports = instantiate(instrumentModule(bytes, memoryBytes)) as Record<string, Numbers>;
    expect(exports.__guest_call!(0, 0)).toBe(1);
  });
});
