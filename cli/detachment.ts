// `up --detach`: the same command line once more in the background, its words in {dataDir}/up.log. We stay until it is
// ready, show its progress, and report its error as our own.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, errorTable, parseError, WattleError } from '../lattice/errors.ts';
import { logFileOf, type Platform, readPlatform } from './platform.ts';

const pollMs = 50;

/** Lines the background process wrote since `offset` bytes. */
const readLines = (file: string, offset: number): string[] =>
  readFileSync(file).subarray(offset).toString('utf8').split('\n');

/** The error a run ended with, as it was printed: `E_CODE: message` and the hint below. */
export function parsePrintedError(lines: readonly string[]): WattleError {
  const at = lines.findLastIndex((line) => /^E_[A-Z_]+: /.test(line));
  if (at < 0) return new WattleError('E_INTERNAL', `it ended without a word${lines.at(-1) ? `: ${lines.at(-1)}` : ''}`);
  const error = parseError(lines[at]!, 'E_INTERNAL');
  const hint = /^ {2}→ (.*)$/.exec(lines[at + 1] ?? '')?.[1] ?? errorTable[error.code as ErrorCode].hint;
  return new WattleError(error.code, error.message, { hint });
}

const isProgress = (line: string): boolean => line.trim() !== '' && !/^(\{|E_[A-Z_]+: | {2}→ )/.test(line);

export interface DetachmentOptions {
  readonly dataDir: string;
  /** Script and words of the command line, without `--detach`. */
  readonly words: readonly string[];
  onProgress(line: string): void;
}

/** Starts the background process and resolves when it is ready. Throws what it ended with. */
export async function startDetached({ dataDir, words, onProgress }: DetachmentOptions): Promise<Platform> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = logFileOf(dataDir);
  const log = openSync(file, 'a', 0o600);
  const offset = statSync(file).size;
  const child = spawn(process.execPath, words, { detached: true, stdio: ['ignore', log, log], windowsHide: true });
  closeSync(log);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  child.once('error', () => {
    ended = true;
  });
  const onInterrupt = (): void => void child.kill('SIGTERM');
  process.on('SIGINT', onInterrupt);
  try {
    for (let shown = 0; !ended; await sleep(pollMs)) {
      const platform = readPlatform(dataDir);
      if (platform?.pid === child.pid && platform?.readyAt) return platform;
      const progress = readLines(file, offset).slice(0, -1).filter(isProgress);
      for (const line of progress.slice(shown)) onProgress(line);
      shown = progress.length;
    }
  } finally {
    process.off('SIGINT', onInterrupt);
    child.unref();
  }
  throw parsePrintedError(readLines(file, offset).filter((line) => line !== ''));
}
