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
