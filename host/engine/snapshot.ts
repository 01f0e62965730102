// Puts an instance back to its first state: linear memory chunk by chunk, mutable globals one by one. Tables and segments
// are not looked at: a module that changes those is not reset at all (see instrument.ts). One image serves all instances
// of a module, and makes a new one equal to the first without running its start code again.

/** State after the guest's start code ran. */
export interface Image {
  readonly memory: Buffer;
  readonly globals: readonly unknown[];
}

/** What of an instance a snapshot looks at. */
export interface Resettable {
  readonly memory: WebAssembly.Memory;
  readonly globals: readonly WebAssembly.Global[];
  /** The size the guest knows of, in pages, when it can grow; memory beyond it is zero. */
  readonly size: WebAssembly.Global | undefined;
}

const pageBytes = 65_536;
/** Comparing is cheaper than copying only when it is done in pieces; this size measured best (docs/decisions.md). */
const chunkBytes = 16_384;

export const takeImage = (instance: Resettable): Image => ({
  memory: Buffer.from(new Uint8Array(instance.memory.buffer)),
  globals: instance.globals.map((global) => global.value),
});

/** Memory that grew by more than this in one call is not zeroed but given back, with its instance. */
const zeroedBytes = 4 * 1024 * 1024;

/** Writes the image over the instance, whose memory `view` shows. False when a new instance is the better way. */
export function applyImage(image: Image, instance: Resettable, view: Buffer): boolean {
  const imageBytes = image.memory.length;
  const usedBytes = instance.size ? (instance.size.value as number) * pageBytes : view.length;
  if (usedBytes - imageBytes > zeroedBytes || (!instance.size && usedBytes !== imageBytes)) return false;
  restoreMemory(image.memory, view);
  if (usedBytes > imageBytes) view.fill(0, imageBytes, usedBytes);
  restoreGlobals(image.globals, instance.globals);
  return true;
}

function restoreMemory(image: Buffer, view: Buffer): void {
  const size = image.length;
  for (let start = 0; start < size; start += chunkBytes) {
    const end = start + chunkBytes;
    if (image.compare(view, start, end, start, end) !== 0) image.copy(view, start, start, end);
  }
}

function restoreGlobals(values: readonly unknown[], globals: readonly WebAssembly.Global[]): void {
  for (let index = 0; index < globals.length; index++) {
    const global = globals[index]!;
    if (!Object.is(global.value, values[index])) global.value = values[index];
  }
}

/** Makes a new instance equal to the image; its start code may have needed more memory than the module declares. */
export function applyImageToNew(image: Image, instance: Resettable): void {
  const missing = (image.memory.length - instance.memory.buffer.byteLength) / pageBytes;
  if (missing > 0) instance.memory.grow(missing);
  restoreMemory(image.memory, Buffer.from(instance.memory.buffer));
  restoreGlobals(image.globals, instance.globals);
}
