// Looks at the machine's processes, for tests that must leave none behind.
import { execFileSync } from 'node:child_process';

export interface ProcessRow {
  readonly pid: number;
  /** `Z` is a zombie. */
  readonly state: string;
  readonly command: string;
}

/** Processes whose command line holds `text`, this test's own excepted. */
export function findProcesses(text: string): ProcessRow[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  return rows
    .map((row) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(row))
    .filter((match) => match !== null)
    .map((match) => ({ pid: Number(match[1]), state: match[2]!, command: match[3]! }))
    .filter((row) => row.command.includes(text) && row.pid !== process.pid);
}

/** Pids of the real servers (not their watchers) whose command line holds `text`. */
export const findServers = (text: string): number[] =>
  findProcesses(text)
    .filter((row) => /^\S*nats-server /.test(row.command))
    .map((row) => row.pid);

/** Pids of all descendants of a process. */
export function descendantsOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const parents = rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  const found: number[] = [];
  for (let level = [pid]; level.length > 0; ) {
    level = parents.filter(([, parent]) => level.includes(parent)).map(([child]) => child);
    found.push(...level);
  }
  return found;
}

/** Whether a process exists; a zombie does not count. */
export function isAlive(pid: number): boolean {
  const rows = execFileSync('ps', ['-eo', 'pid=,stat='], { encoding: 'utf8' }).split('\n');
  return rows.some((row) => new RegExp(`^\\s*${pid}\\s+[^Z]`).test(row));
}
