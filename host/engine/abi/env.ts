// The three functions AssemblyScript imports from `env`: abort, seed and trace. Its strings are UTF-16 with their length
// in bytes before them.
import { randomInt } from 'node:crypto';
import type { GuestMemory } from '../guest-memory.ts';
import type { LogLines } from '../log-lines.ts';

/** The guest aborted with a message; ends its call as a trap. */
export class GuestAbort extends Error {}

export interface EnvWorld {
  readonly lines: LogLines;
  memory(): GuestMemory;
}

const shownBytes = 2048;
const headerBytes = 4;

function readString(memory: GuestMemory, pointer: number): string {
  const start = pointer >>> 0;
  if (start < headerBytes) return '';
  const length = Math.min(memory.u32(start - headerBytes), shownBytes) & ~1;
  memory.check(start, length);
  return memory.view.toString('utf16le', start, start + length);
}

/** Import object of module `env`. */
export const createEnv = (world: EnvWorld): Readonly<Record<string, (...values: number[]) => number | undefined>> => ({
  abort: (message = 0, file = 0, line = 0, column = 0) => {
    const memory = world.memory();
    const text = readString(memory, message) || 'abort';
    throw new GuestAbort(`${text} in ${readString(memory, file)}:${line}:${column}`);
  },
  seed: () => randomInt(2 ** 31),
  trace: (message = 0, count = 0, ...values) => {
    const text = [`trace: ${readString(world.memory(), message)}`, ...values.slice(0, count)].join(' ');
    const body = Buffer.from(text);
    world.lines.add('info', body, 0, body.length);
    return undefined;
  },
});
