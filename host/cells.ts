// The cells of a host: one process per trust domain, started when the first isolate of the domain is opened and ended with
// its last. An actor under suspicion (`alone`) gets a process of its own.
import { randomUUID } from 'node:crypto';
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
  readonly cell: Promise<CellProcess>;
  /** Once it is up. */
  process: CellProcess | undefined;
  uses: number;
}

export class Cells {
  readonly #options: CellsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #isolates = new Set<CellIsolate>();

  private constructor(options: CellsOptions) {
    this.#options = options;
  }

  static async start(options: CellsOptions): Promise<Cells> {
    return new Cells(options);
  }

  /** Process ids of the cells that run. */
  async pids(): Promise<number[]> {
    const cells = await Promise.allSettled([...this.#entries.values()].map((entry) => entry.cell));
    return cells.flatMap((one) => (one.status === 'fulfilled' && one.value.pid ? [one.value.pid] : []));
  }

  /**
   * Resolves when one instance is warm. Rejects, with nothing else changed: E_WASM_*, E_ACTOR_MEMORY, E_ACTOR_DEADLINE
   * (its start code did not end), E_CELL_LOST.
   */
  async openIsolate(spec: IsolateSpec, handlers: IsolateHandlers): Promise<Isolate> {
    const key = spec.alone ? `${spec.domain}/${randomUUID()}` : spec.domain;
    const entry = this.#acquire(key, spec.domain);
    try {
      const cell = await entry.cell;
      const { runDir, log } = this.#options;
      const isolate = await CellIsolate.open({ cell, spec, handlers, runDir, log });
      this.#isolates.add(isolate);
      void isolate.gone.then(() => {
        this.#isolates.delete(isolate);
        this.#release(key, entry);
      });
      return isolate;
    } catch (error) {
      this.#release(key, entry);
      throw error;
    }
  }

  #acquire(key: string, domain: string): Entry {
    const existing = this.#entries.get(key);
    if (existing && !existing.process?.isLost) {
      existing.uses++;
      return existing;
    }
    const { memoryMb, log } = this.#options;
    const entry: Entry = { cell: CellProcess.start({ domain, memoryMb, log }), process: undefined, uses: 1 };
    entry.cell.then(
      (cell) => {
        entry.process = cell;
      },
      () => this.#entries.get(key) === entry && this.#entries.delete(key),
    );
    this.#entries.set(key, entry);
    return entry;
  }

  #release(key: string, entry: Entry): void {
    if (--entry.uses > 0) return;
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    void entry.cell.then(
      (cell) => cell[Symbol.asyncDispose](),
      () => undefined,
    );
  }

  /** Ends every isolate and every cell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#isolates].map((isolate) => isolate[Symbol.asyncDispose]()));
    const cells = [...this.#entries.values()].map((entry) => entry.cell);
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
