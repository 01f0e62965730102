// One cell as the host sees it: a process with flags, a memory limit and an empty environment, watched by heartbeat. It may
// be killed at any time; each of its isolates then hears why, as far as that can be known from outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { plainEnvironment } from '../lattice/settings.ts';
import type { CellReport, CellRequest } from './engine/frames.ts';
import { cellFlags, heartbeatLossMs, heartbeatMs } from './engine/limits.ts';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const cellFile = fileURLToPath(new URL(`./engine/cell${extension}`, import.meta.url));

const startMs = 15_000;
const keptStderrBytes = 16 * 1024;
/** An isolate that does not end within this takes its cell with it. */
const endIsolateMs = 500;

export type EndedReport = Extract<CellReport, { type: 'ended' }>;

/** What an isolate hears from its cell. */
export interface CellListener {
  /** Its thread has ended, on request or by itself. */
  onEnded(report: EndedReport): void;
  /** The whole process has ended. */
  onLost(error: WattleError): void;
}

/**
 * On Linux the limit counts memory that can be written (`ulimit -d`); address space (`-v`) would be used up by reservations
 * nobody touches. Systems that know neither run without.
 */
const limitScript = `${process.platform === 'linux' ? 'ulimit -d' : 'ulimit -v'} "$1" 2>/dev/null; shift; exec "$@"`;

function startProcess(memoryMb: number): ChildProcess {
  const command = [process.execPath, ...cellFlags, cellFile] as const;
  const posix = process.platform !== 'win32';
  const [file, ...args] = posix
    ? (['/bin/sh', '-c', limitScript, 'wattle-cell', String(memoryMb * 1024), ...command] as const)
    : command;
  return spawn(file, args, {
    cwd: posix ? '/' : undefined,
    // Windows cannot start a process without SystemRoot; elsewhere a cell has no environment at all
    env: posix ? {} : plainEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // a group of its own: Ctrl-C in a terminal is for the host, which ends cells after the calls in flight
    detached: posix,
    windowsHide: true,
  });
}

const memorySigns = /out of memory|heap limit|bad_alloc|allocation failed|Cannot allocate/i;

/** What is known of a process that ended by itself. */
function explainEnd(end: {
  code: number | null;
  signal: string | null;
  stderr: string;
  killedFor: string | undefined;
}): string {
  if (end.killedFor) return `was killed: ${end.killedFor}`;
  const how = end.signal ? `by ${end.signal}` : `with exit code ${end.code}`;
  const fatal = /^.*(?:FATAL ERROR|Fatal|terminate called|Error:).*$/m.exec(end.stderr)?.[0]?.trim().slice(0, 300);
  const why = memorySigns.test(end.stderr) ? ', likely at its memory limit' : '';
  return `ended ${how}${why}${fatal ? ` (${fatal})` : ''}`;
}

export interface CellOptions {
  readonly domain: string;
  readonly memoryMb: number;
  readonly log: Log;
}

export class CellProcess {
  readonly domain: string;
  /** Calls in flight in all its isolates. */
  inFlight = 0;
  readonly #process: ChildProcess;
  readonly #log: Log;
  readonly #listeners = new Map<number, CellListener>();
  readonly #endTimers = new Map<number, NodeJS.Timeout>();
  readonly #up = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #stderr = '';
  #missedBeats = 0;
  #beat: NodeJS.Timeout | undefined;
  #killedFor: string | undefined;
  #lost: WattleError | undefined;
  #lastIsolate = 0;

  private constructor(options: CellOptions) {
    this.domain = options.domain;
    this.#log = options.log;
    this.#process = startProcess(options.memoryMb);
    this.#process.on('message', (report: CellReport) => this.#onReport(report));
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => this.#onStderr(text));
    this.#process.on('error', (error) => this.#onGone(`could not be started: ${error.message}`));
    this.#process.on('exit', (code, signal) => this.#onExit(code, signal));
    this.#up.promise.catch(() => undefined);
  }

  /** Resolves when the process takes isolates; throws E_CELL_LOST. */
  static async start(options: CellOptions): Promise<CellProcess> {
    const cell = new CellProcess(options);
    const timer = setTimeout(() => cell.kill(`it was not up within ${startMs} ms`), startMs);
    try {
      await cell.#up.promise;
    } finally {
      clearTimeout(timer);
    }
    cell.#beat = setInterval(() => cell.#onBeat(), heartbeatMs);
    return cell;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get isLost(): boolean {
    return this.#lost !== undefined || this.#killedFor !== undefined;
  }

  /** Starts an isolate that connects to the socket; returns its number. */
  open(socket: { readonly path: string; readonly token: string }, listener: CellListener): number {
    const isolate = ++this.#lastIsolate;
    if (this.#lost) throw this.#lost;
    this.#listeners.set(isolate, listener);
    this.#send({ type: 'open', isolate, path: socket.path, token: socket.token });
    return isolate;
  }

  /** Ends an isolate; kills the process when that takes too long. */
  close(isolate: number): void {
    if (!this.#listeners.has(isolate) || this.#endTimers.has(isolate)) return;
    const kill = (): void => this.kill(`an isolate did not end within ${endIsolateMs} ms`);
    this.#endTimers.set(isolate, setTimeout(kill, endIsolateMs));
    this.#send({ type: 'close', isolate });
  }

  /** SIGKILL; isolates hear of it through onLost. */
  kill(reason: string): void {
    if (this.isLost) return;
    this.#killedFor = reason;
    this.#process.kill('SIGKILL');
  }

  /** Ends the process; its isolates must be gone or do not matter any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('the host let go of it');
    await this.#gone.promise;
  }

  #send(request: CellRequest): void {
    if (this.#process.connected) this.#process.send(request, () => undefined);
  }

  #onReport(report: CellReport): void {
    if (report.type === 'pong') this.#missedBeats = 0;
    else if (report.type === 'up') {
      if (report.note) this.#log.warn({ domain: this.domain }, `cell ${report.note}`);
      this.#up.resolve();
    } else this.#onEnded(report);
  }

  #onEnded(report: EndedReport): void {
    clearTimeout(this.#endTimers.get(report.isolate));
    this.#endTimers.delete(report.isolate);
    const listener = this.#listeners.get(report.isolate);
    this.#listeners.delete(report.isolate);
    listener?.onEnded(report);
  }

  /** Beats are counted, not timed: a host that was itself frozen must not kill its cells for it. */
  #onBeat(): void {
    if (++this.#missedBeats > heartbeatLossMs / heartbeatMs) this.kill(`it did not answer for ${heartbeatLossMs} ms`);
    else this.#send({ type: 'ping' });
  }

  #onStderr(text: string): void {
    this.#stderr = (this.#stderr + text).slice(-keptStderrBytes);
  }

  #onExit(code: number | null, signal: string | null): void {
    // what it wrote last may still be on its way
    setTimeout(() => this.#onGone(explainEnd({ code, signal, stderr: this.#stderr, killedFor: this.#killedFor })), 10);
  }

  #onGone(how: string): void {
    if (this.#lost) return;
    this.#lost = new WattleError('E_CELL_LOST', `the cell of ${this.domain} (pid ${this.pid ?? 'none'}) ${how}`);
    clearInterval(this.#beat);
    for (const timer of this.#endTimers.values()) clearTimeout(timer);
    this.#up.reject(this.#lost);
    this.#gone.resolve();
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener.onLost(this.#lost);
  }
}
