// The numbers that bound a guest: what admission refuses before compiling, and the flags of the process that compiles.
// From reliability.md 4.7, measured there; docs/security.md repeats them for users.

const mebibyte = 1024 * 1024;

/** Admission limits, checked on the bytes before anyone compiles them. */
export const admissionLimits = {
  fileBytes: 16 * mebibyte,
  memories: 1,
  memoryInitialPages: 1024,
  tables: 4,
  tableInitialTotal: 10_000,
  functions: 50_000,
  globals: 10_000,
  imports: 1000,
  exports: 1000,
  segments: 10_000,
  types: 10_000,
  params: 64,
  bodyBytes: mebibyte,
  nameBytes: 256,
  /** Σ locals × control blocks: compile time and memory grow with it (≈ 7.5 ns each). */
  functionCompileCost: 1e7,
  moduleCompileCost: 1e8,
} as const;

/** Command line flags of a cell. `--wasm-tiering-budget` makes every loop stoppable at no measurable cost. */
export const cellFlags = [
  '--wasm-tiering-budget=10000',
  '--wasm-max-mem-pages=1024',
  '--wasm-max-table-size=10000',
  '--max-wasm-functions=50000',
  `--wasm-max-module-size=${admissionLimits.fileBytes}`,
  '--disable-wasm-trap-handler',
  '--disable-proto=delete',
  '--disallow-code-generation-from-strings',
] as const;

/** Calls one cell may hold suspended: V8 aborts the process near 32,000 (measured), each holds two mappings. */
export const maxInFlightPerCell = 4000;
/** A cell that does not answer the heartbeat for this long is killed. */
export const heartbeatMs = 250;
export const heartbeatLossMs = 2000;
/** After its deadline a call gets this long to end by itself before its isolate is terminated, and that before its cell is killed. */
export const deadlineGraceMs = 500;

/** Largest request, response or host call payload of a guest. Above what a message of the lattice can carry anyway. */
export const messageBytes = 16 * mebibyte;
/** Largest frame between host and cell: a message with its names, or the module with its settings. */
export const frameBytes = 17 * mebibyte;
/** Bytes in each of the three names of a host call. */
export const callNameBytes = 1024;
/** How long compiling may take, and after it the guest's own start code, before its isolate is ended. */
export const compileMs = 10_000;
export const startMs = 2000;
/** Most instances of one isolate, whatever it is asked for: each suspended call holds a stack of 1 MiB address space. */
export const instancesPerIsolate = 1000;
