// Who listens on a port: for the one line a user reads when it is taken. Read from /proc, so it is known on Linux and for
// processes of the same user (or as root); elsewhere nothing is said rather than something guessed.
import { readdir, readFile, readlink } from 'node:fs/promises';

const listening = '0A';

async function socketInodes(port: number): Promise<Set<string>> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const rows = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
    for (const row of rows) {
      const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
      if (state === listening && local.endsWith(`:${hexPort}`)) inodes.add(`socket:[${inode}]`);
    }
  }
  return inodes;
}

async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${descriptor}`).catch(() => '');
    if (inodes.has(target)) return true;
  }
  return false;
}

/** `pid 4242 (node)` for the process that listens on a TCP port of this machine, or undefined when that cannot be known. */
export async function describePortHolder(port: number): Promise<string | undefined> {
  const inodes = await socketInodes(port);
  if (inodes.size === 0) return undefined;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (!(await holds(pid, inodes))) continue;
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?');
    return `pid ${pid} (${name.trim()})`;
  }
  return undefined;
}
