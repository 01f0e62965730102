// A child process that cannot outlive us. A tiny watcher starts it and reads a pipe that only we hold open: when the pipe
// ends, because we asked or because we were killed, the watcher ends the child, politely first. The child has a process
// group of its own, so Ctrl-C in a terminal reaches us and not it, and the order of stopping stays ours.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { plainEnvironment } from './settings.ts';

/** `$@` is the command, descriptor 3 the pipe. The last lines end the reader when the child ended by itself. */
const shellWatcher = `
"$@" 3<&- &
child=$!
{
  read -r _ <&3
  kill -TERM $child
  tenths=0
  while kill -0 $child && [ $tenths -lt 50 ]; do sleep 0.1; tenths=$((tenths + 1)); done
  kill -KILL $child
} >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait $child
code=$?
kill $reader 2>/dev/null
exit $code`;

/** The same for systems without a POSIX shell. */
const nodeWatcher = `
const [command, ...words] = process.argv.slice(1);
const child = require('node:child_process').spawn(command, words, { stdio: ['ignore', 'ignore', 'inherit'], windowsHide: true });
const parent = new (require('node:net').Socket)({ fd: 3, readable: true, writable: false });
const end = () => { child.kill('SIGTERM'); setTimeout(() => child.kill('SIGKILL'), 5000).unref(); };
parent.resume().on('end', end).on('error', end);
child.on('error', (error) => { console.error(error.message); process.exit(127); });
child.on('exit', (code) => process.exit(code ?? 1));`;

/** The watcher's command line in front of the child's. */
export const watcherOf = (platform: string): readonly [string, ...string[]] =>
  platform === 'win32'
    ? [process.execPath, '-e', nodeWatcher, '--']
    : ['/bin/sh', '-c', shellWatcher, 'wattle-watcher'];

export interface GuardedOptions {
  readonly command: string;
  readonly words: readonly string[];
  /** Each line the child writes to stderr. Its stdout is closed. */
  readonly onLine: (line: string) => void;
  /** Which watcher to use; the system we run on unless a test says otherwise. */
  readonly platform?: string;
}

export class GuardedProcess {
  /** Exit code of the child, when it has ended for any reason. */
  readonly exited: Promise<number>;
  #watcher: ChildProcess;
  #ended = false;

  private constructor(watcher: ChildProcess, onLine: (line: string) => void) {
    this.#watcher = watcher;
    this.exited = new Promise((resolve) => {
      watcher.once('error', () => resolve(127));
      watcher.once('close', (code) => resolve(code ?? 1));
    });
    void this.exited.then(() => {
      this.#ended = true;
    });
    this.#pipe.on('error', () => undefined);
    createInterface({ input: watcher.stderr as Readable }).on('line', onLine);
  }

  static start(options: GuardedOptions): GuardedProcess {
    const [command, ...words] = watcherOf(options.platform ?? process.platform);
    const watcher = spawn(command, [...words, options.command, ...options.words], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: plainEnvironment(),
      detached: true,
      windowsHide: true,
    });
    return new GuardedProcess(watcher, options.onLine);
  }

  get running(): boolean {
    return !this.#ended;
  }

  get #pipe(): Writable {
    return this.#watcher.stdio[3] as Writable;
  }

  /** Ends the child: SIGTERM, after 5 s SIGKILL. Resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#pipe.end();
    this.#pipe.destroy();
    await this.exited;
  }
}
