// WASI preview 1 as far as TinyGo and Rust guests need it to start and print: clocks coarsened to 1 ms (no timing source
// for side channels), random numbers, empty arguments and environment, stdout and stderr into the log. No file, no socket.
import { randomFillSync } from 'node:crypto';
import type { GuestMemory } from '../guest-memory.ts';
import { GuestFault } from '../guest-memory.ts';
import type { LogLines } from '../log-lines.ts';

/** The guest called proc_exit: it ends the call, not the instance's process, which it does not have. */
export class GuestExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the guest called proc_exit(${status})`);
    this.status = status;
  }
}

export interface WasiWorld {
  readonly lines: LogLines;
  /** The guest's memory; known only after instantiation. */
  memory(): GuestMemory;
}

const errno = { ok: 0, badFile: 8, fault: 21, invalid: 28, notImplemented: 52, noSeek: 70 } as const;
const characterDevice = 2;
const nsPerMs = 1_000_000n;
const maxVectors = 1024;
/** One call may ask for as much as this; guests seed generators with it. */
const maxRandomBytes = 1024 * 1024;

type WasiFunction = (...values: never[]) => number;

const isStandard = (file: number): boolean => file >= 0 && file <= 2;

function writeStandard(
  world: WasiWorld,
  file: number,
  ...[vectors, count, writtenAt]: [number, number, number]
): number {
  if (file !== 1 && file !== 2) return errno.badFile;
  if (count >>> 0 > maxVectors) return errno.invalid;
  const memory = world.memory();
  let written = 0;
  for (let index = 0; index < count; index++) {
    const length = memory.u32(vectors + index * 8 + 4);
    const start = memory.check(memory.u32(vectors + index * 8), length);
    world.lines.add(file === 1 ? 'info' : 'warn', memory.view, start, start + length);
    written += length;
  }
  memory.setU32(writtenAt, written >>> 0);
  return errno.ok;
}

function describeFile(world: WasiWorld, file: number, at: number): number {
  if (!isStandard(file)) return errno.badFile;
  const memory = world.memory();
  const start = memory.check(at, 24);
  memory.view.fill(0, start, start + 24);
  memory.view[start] = characterDevice;
  return errno.ok;
}

function readClock(world: WasiWorld, clock: number, at: number): number {
  if (clock !== 0 && clock !== 1) return errno.invalid;
  const ms = clock === 0 ? Date.now() : Math.floor(performance.now());
  world.memory().setU64(at, BigInt(ms) * nsPerMs);
  return errno.ok;
}

function fillRandom(world: WasiWorld, at: number, length: number): number {
  if (length >>> 0 > maxRandomBytes) return errno.invalid;
  const memory = world.memory();
  const start = memory.check(at, length);
  randomFillSync(memory.view, start, length >>> 0);
  return errno.ok;
}

function zeroTwo(world: WasiWorld, first: number, second: number): number {
  world.memory().setU32(first, 0);
  world.memory().setU32(second, 0);
  return errno.ok;
}

const createTable = (world: WasiWorld): Record<string, WasiFunction> => ({
  args_get: () => errno.ok,
  args_sizes_get: (count: number, size: number) => zeroTwo(world, count, size),
  environ_get: () => errno.ok,
  environ_sizes_get: (count: number, size: number) => zeroTwo(world, count, size),
  clock_res_get: (_clock: number, at: number) => {
    world.memory().setU64(at, nsPerMs);
    return errno.ok;
  },
  clock_time_get: (clock: number, _precision: bigint, at: number) => readClock(world, clock, at),
  fd_write: (file: number, vectors: number, count: number, writtenAt: number) =>
    writeStandard(world, file, vectors, count, writtenAt),
  fd_read: (file: number, _vectors: number, _count: number, readAt: number) => {
    if (file !== 0) return errno.badFile;
    world.memory().setU32(readAt, 0);
    return errno.ok;
  },
  fd_close: (file: number) => (isStandard(file) ? errno.ok : errno.badFile),
  fd_seek: (file: number) => (isStandard(file) ? errno.noSeek : errno.badFile),
  fd_fdstat_get: (file: number, at: number) => describeFile(world, file, at),
  fd_prestat_get: () => errno.badFile,
  fd_prestat_dir_name: () => errno.badFile,
  random_get: (at: number, length: number) => fillRandom(world, at, length),
  sched_yield: () => errno.ok,
  proc_exit: (status: number) => {
    throw new GuestExit(status >>> 0);
  },
});

/** Addresses outside of memory are the guest's error number, not ours to throw. */
const withFaults =
  (call: WasiFunction): WasiFunction =>
  (...values) => {
    try {
      return call(...values);
    } catch (error) {
      if (error instanceof GuestFault) return errno.fault;
      throw error;
    }
  };

/** One function for each of `names`; those of files and sockets answer that they are not implemented. */
export function createPreview1(world: WasiWorld, names: readonly string[]): Record<string, WasiFunction> {
  const table = createTable(world);
  const offered = names.map((name): [string, WasiFunction] => [
    name,
    Object.hasOwn(table, name) ? withFaults(table[name]!) : () => errno.notImplemented,
  ]);
  return Object.fromEntries(offered);
}
