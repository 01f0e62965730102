// The cells of a host: processes that belong to one trust domain each, started when an isolate needs one and ended with
// its last. A domain with more actors than the memory of one process holds gets several; an actor under suspicion (`alone`)
// gets one to itself.
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { CellIsolate } from './cell-isolate.ts';
import { CellProcess } from './cell-process.ts';
import type { Isolate, IsolateHandlers, IsolateSpec } from './isolates.ts';

export interface CellsOptions {
  readonly log: Log;
  /** Writable memory of one cell process. */
  readonly memoryMb: number;
  /** Folder for sockets; the system's temporary folder when its path is too long for one. */
  readonly runDir: string;
}

/** A cell and how many isolates it has or is about to have. */
interface Entry {
  readonly domain: string;
  /** How many isolates it takes. */
  readonly capacity: number;
  readonly cell: Promise<CellProcess>;
  /** Once it is up. */
  process: CellProcess | undefined;
  uses: number;
}

/** Writable memory of a cell without isolates, and of one more idle isolate: 3 GiB held 24, 1 GiB held 4 (measured). */
const cellMemoryMb = 640;
const isolateMemoryMb = 128;

export class Cells {
  readonly #options: CellsOptions;
  readonly #entries = new Set<Entry>();
  readonly #isolates = new Set<CellIsolate>();

  private constructor(options: CellsOptions) {
    this.#options = options;
  }

  /** Throws E_SETTING when the memory holds not even one isolate. */
  static async start(options: CellsOptions): Promise<Cells> {
    const least = cellMemoryMb + isolateMemoryMb;
    if (options.memoryMb < least)
      throw new WattleError(
        'E_SETTING',
        `--cell-memory ${options.memoryMb} is too little for a cell: at least ${least}`,
      );
    return new Cells(options);
  }

  /** Process ids of the cells that run. */
  async pids(): Promise<number[]> {
    const cells = await Promise.allSettled([...this.#entries].map((entry) => entry.cell));
    return cells.flatMap((one) => (one.status === 'fulfilled' && one.value.pid ? [one.value.pid] : []));
  }

  /**
   * Resolves when one instance is warm. Rejects, with nothing else changed: E_WASM_*, E_ACTOR_MEMORY, E_ACTOR_DEADLINE
   * (its start code did not end), E_CELL_LOST.
   */
  async openIsolate(spec: IsolateSpec, handlers: IsolateHandlers): Promise<Isolate> {
    const entry = this.#acquire(spec.domain, spec.alone ?? false);
    try {
      const cell = await entry.cell;
      const { runDir, log } = this.#options;
      const isolate = await CellIsolate.open({ cell, spec, handlers, runDir, log });
      this.#isolates.add(isolate);
      void isolate.gone.then(() => {
        this.#isolates.delete(isolate);
        this.#release(entry);
      });
      return isolate;
    } catch (error) {
      this.#release(entry);
      throw error;
    }
  }

  #acquire(domain: string, alone: boolean): Entry {
    const existing = [...this.#entries].find(
      (entry) => !alone && entry.domain === domain && entry.uses < entry.capacity && !entry.process?.isLost,
    );
    if (existing) {
      existing.uses++;
      return existing;
    }
    const { memoryMb, log } = this.#options;
    const capacity = alone ? 1 : Math.floor((memoryMb - cellMemoryMb) / isolateMemoryMb);
    const cell = CellProcess.start({ domain, memoryMb, log });
    const entry: Entry = { domain, capacity, cell, process: undefined, uses: 1 };
    cell.then(
      (process) => {
        entry.process = process;
      },
      () => this.#entries.delete(entry),
    );
    this.#entries.add(entry);
    return entry;
  }

  #release(entry: Entry): void {
    if (--entry.uses > 0) return;
    this.#entries.delete(entry);
    void entry.cell.then(
      (cell) => cell[Symbol.asyncDispose](),
      () => undefined,
    );
  }

  /** Ends every isolate and every cell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#isolates].map((isolate) => isolate[Symbol.asyncDispose]()));
    const cells = [...this.#entries].map((entry) => entry.cell);
    this.#entries.clear();
    await Promise.all(
      cells.map((cell) =>
        cell.then(
          (one) => one[Symbol.asyncDispose](),
          () => undefined,
        ),
      ),
    );
  }
}
