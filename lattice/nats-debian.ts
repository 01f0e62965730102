// Fetches nats-server from Debian's archive as an ordinary user: apt checks the signatures, in a private folder with its own
// lists and cache, and dpkg-deb unpacks without installing anything. For machines that reach a Debian mirror and no more.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Fetched, ReleaseOptions } from './nats-release.ts';
import { plainEnvironment } from './settings.ts';

const execute = promisify(execFile);

async function run(command: string, words: readonly string[], cwd: string): Promise<void> {
  await execute(command, words, { cwd, env: { ...plainEnvironment(), LC_ALL: 'C' }, timeout: 120_000 });
}

/** apt that writes into `folder` only. Short timeouts, as one dead mirror of many must not cost minutes. */
const aptOptions = (folder: string): string[] =>
  [
    `Dir::State=${folder}/state`,
    `Dir::State::status=/var/lib/dpkg/status`,
    `Dir::Cache=${folder}/cache`,
    'APT::Sandbox::User=root',
    'Acquire::http::Timeout=5',
    'Acquire::https::Timeout=5',
    'Acquire::Retries=0',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);

/** The last line of apt's complaint, or that there is no apt. */
function reasonOf(thrown: unknown): string {
  const { code, stderr, message } = thrown as { code?: unknown; stderr?: string; message: string };
  if (code === 'ENOENT') return 'this machine has no apt-get and dpkg-deb';
  const complaint = stderr?.split('\n').findLast((line) => line.startsWith('E:'));
  return complaint?.slice(2).trim() ?? message.split('\n')[0]!;
}

/** Fetches Debian's package of nats-server. Never throws: the failure is one clause. */
export async function readDebianPackage(options: ReleaseOptions): Promise<Fetched> {
  if (process.platform !== 'linux') return { failure: 'there is no Debian package for this system' };
  const folder = await mkdtemp(join(tmpdir(), 'wattle-apt-'));
  try {
    options.onProgress?.('fetching nats-server from the Debian archive');
    await mkdir(join(folder, 'state', 'lists', 'partial'), { recursive: true });
    await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
    const apt = aptOptions(folder);
    await run('apt-get', [...apt, 'update'], folder);
    await run('apt-get', [...apt, 'download', 'nats-server'], folder);
    const name = (await readdir(folder)).find((file) => file.endsWith('.deb'))!;
    await run('dpkg-deb', ['-x', name, join(folder, 'root')], folder);
    const bytes = await readFile(join(folder, 'root', 'usr', 'sbin', 'nats-server'));
    return { version: /_(\d+\.\d+\.\d+)/.exec(name)?.[1] ?? '0.0.0', bytes };
  } catch (thrown) {
    return { failure: `the Debian archive gave none (${reasonOf(thrown)})` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
