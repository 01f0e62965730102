// The platform that runs in a data directory, as its `up.json` tells: at most one, held by a lock of the system. A process
// id counts only with the birth of the process beside it, so that a file left behind by a crash or a reboot never names a
// stranger.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../lattice/data-lock.ts';
import { WattleError } from '../lattice/errors.ts';

/** Content of `up.json`. `readyAt` (ISO time) is there once everything asked for runs. */
export interface Platform {
  readonly pid: number;
  /** When the process was born, as the system tells; guards against a reused process id. */
  readonly birth: string;
  readonly startedAt: string;
  readonly lattice: string;
  readonly natsUrl?: string | undefined;
  readonly hostId?: string | undefined;
  readonly readyAt?: string | undefined;
}

const fileOf = (dataDir: string): string => join(dataDir, 'up.json');
export const logFileOf = (dataDir: string): string => join(dataDir, 'up.log');

/** Birth of a process: start ticks and boot id on Linux, else what `ps` tells; empty when it does not live. */
export function readBirth(pid: number): string {
  try {
    if (process.platform === 'linux') {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (fields[0] === 'Z') return '';
      return `${fields[19]} ${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
    }
    process.kill(pid, 0);
    if (process.platform === 'win32') return 'alive';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

function parsePlatform(text: string): Platform | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, birth, lattice, startedAt } = value as Platform;
    const whole =
      Number.isSafeInteger(pid) && pid > 0 && [birth, lattice, startedAt].every((v) => typeof v === 'string');
    return whole ? (value as Platform) : undefined;
  } catch {
    return undefined;
  }
}

/** True while the very process that wrote the file lives. */
export const isAlive = (platform: Platform): boolean =>
  platform.birth !== '' && readBirth(platform.pid) === platform.birth;

/** The platform running in this data directory; undefined when none does, whatever an old file says. */
export function readPlatform(dataDir: string): Platform | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(dataDir), 'utf8');
  } catch {
    return undefined;
  }
  const platform = parsePlatform(text);
  return platform && isAlive(platform) ? platform : undefined;
}

/**
 * Takes the data directory for this process; disposing gives it back. The system holds the lock, so it ends with us however
 * we end. Throws E_ALREADY_RUNNING naming the process that has it.
 */
export function startPlatform(dataDir: string, lattice: string): RunningPlatform {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(dataDir, 'up.lock'));
  if (!lock) {
    const holder = readPlatform(dataDir);
    throw new WattleError(
      'E_ALREADY_RUNNING',
      `a platform is running in ${dataDir}${holder ? ` (pid ${holder.pid})` : ''}`,
    );
  }
  let platform: Platform = {
    pid: process.pid,
    birth: readBirth(process.pid),
    startedAt: new Date().toISOString(),
    lattice,
  };
  const update = (facts: Partial<Platform>): void => {
    platform = { ...platform, ...facts };
    const draft = `${fileOf(dataDir)}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(platform, null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, fileOf(dataDir));
  };
  update({});
  return {
    update,
    [Symbol.dispose]: () => {
      rmSync(fileOf(dataDir), { force: true });
      lock[Symbol.dispose]();
    },
  };
}

export interface RunningPlatform extends Disposable {
  /** Adds facts to `up.json` as they become known. */
  update(facts: Partial<Platform>): void;
}
