import { describe, expect, it } from 'vitest';
import { applyImage, applyImageToNew, type Resettable, takeImage } from '../../../../host/engine/snapshot.ts';

const GlobalOf = WebAssembly.Global as unknown as new (type: object, value: unknown) => WebAssembly.Global;
const global = (value: unknown, type = 'i32'): WebAssembly.Global =>
  new GlobalOf({ value: type, mutable: true }, value);

const create = (pages = 2, size?: WebAssembly.Global): Resettable => ({
  memory: new WebAssembly.Memory({ initial: pages }),
  globals: size ? [global(5), global(7n, 'i64'), size] : [global(5), global(7n, 'i64')],
  size,
});
const view = (instance: Resettable): Buffer => Buffer.from(instance.memory.buffer);

describe('a snapshot', () => {
  it('undoes every byte and every global', () => {
    const instance = create();
    view(instance).fill('state', 100, 70_000);
    const image = takeImage(instance);
    const before = Buffer.from(view(instance));
    view(instance).fill(9);
    instance.globals[0]!.value = -1;
    instance.globals[1]!.value = 0n;
    expect(applyImage(image, instance, view(instance))).toBe(true);
    expect(view(instance).equals(before)).toBe(true);
    expect(instance.globals.map(({ value }) => value)).toEqual([5, 7n]);
  });

  it('undoes a single byte at either end', () => {
    const instance = create();
    const image = takeImage(instance);
    for (const at of [0, 16_383, 16_384, 2 * 65_536 - 1]) {
      view(instance)[at] = 1;
      applyImage(image, instance, view(instance));
      expect(view(instance)[at]).toBe(0);
    }
  });

  it('zeroes what grew during a call, and gives up on much of it', () => {
    const size = global(2);
    const instance = create(2, size);
    const image = takeImage(instance);
    instance.memory.grow(3);
    size.value = 5;
    view(instance).fill(7);
    expect(applyImage(image, instance, view(instance))).toBe(true);
    expect(size.value).toBe(2);
    expect(view(instance).every((byte) => byte === 0)).toBe(true);
    instance.memory.grow(100);
    size.value = 102;
    expect(applyImage(image, instance, view(instance))).toBe(false);
  });

  it('makes a new instance equal to the first, with more memory if that had grown at its start', () => {
    const first = create(3);
    view(first).fill('x');
    first.globals[0]!.value = 42;
    const second = create(1);
    applyImageToNew(takeImage(first), second);
    expect(view(second).equals(view(first))).toBe(true);
    expect(second.globals[0]!.value).toBe(42);
  });
});
