// Finds a nats-server to run: the one named, the one on PATH, the one fetched before, the official release, the Debian
// package. The first that answers `--version` is taken; when none does, one error tells what was tried.
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { WattleError } from './errors.ts';
import { readDebianPackage } from './nats-debian.ts';
import { readRelease } from './nats-release.ts';
import { plainEnvironment } from './settings.ts';

const run = promisify(execFile);
const executable = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

export interface NatsBinary {
  readonly path: string;
  /** As `nats-server --version` says it, without the `v`: `2.14.4`. */
  readonly version: string;
}

export interface NatsBinaryOptions {
  /** Path the user named; when given nothing else is tried. */
  readonly binary?: string | undefined;
  /** Fetched binaries are kept in `{cacheDir}/nats-server/{version}/`. */
  readonly cacheDir: string;
  /** Base address of the releases; tests serve their own. */
  readonly releaseUrl?: string | undefined;
  /** Folders to look in, separated as in PATH. Default: PATH. */
  readonly searchPath?: string | undefined;
  /** One line for a person about what takes long. */
  readonly onProgress?: ((line: string) => void) | undefined;
}

type Source = (options: NatsBinaryOptions) => Promise<NatsBinary | undefined>;

/** Version numbers as a list, highest part first; anything after the numbers is ignored. */
export const parseVersion = (version: string): readonly [number, number, number] => {
  const [, major = 0, minor = 0, patch = 0] = /(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch)];
};

/** True when `version` is `least` or newer. */
export function isAtLeast(version: string, least: string): boolean {
  const [a, b] = [parseVersion(version), parseVersion(least)];
  for (const part of [0, 1, 2] as const) if (a[part] !== b[part]) return a[part] > b[part];
  return true;
}

/** The binary with its version, or undefined when there is no file or it is no nats-server. */
async function probe(path: string): Promise<NatsBinary | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 10_000, env: plainEnvironment() });
    const version = /nats-server: v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
    return version ? { path, version } : undefined;
  } catch {
    return undefined;
  }
}

async function named(options: NatsBinaryOptions): Promise<NatsBinary | undefined> {
  if (options.binary === undefined) return undefined;
  const found = await probe(options.binary);
  if (!found)
    throw new WattleError('E_NATS_SERVER', `${options.binary} is not a nats-server that runs on this machine`);
  return found;
}

async function onPath(options: NatsBinaryOptions): Promise<NatsBinary | undefined> {
  const folders = options.searchPath ?? plainEnvironment().PATH ?? '';
  for (const folder of folders.split(delimiter).filter((name) => name !== '')) {
    const found = await probe(join(folder, executable));
    if (found) return found;
  }
  return undefined;
}

const cacheFolder = (options: NatsBinaryOptions): string => join(options.cacheDir, 'nats-server');

async function inCache(options: NatsBinaryOptions): Promise<NatsBinary | undefined> {
  const versions = await readdir(cacheFolder(options)).catch(() => []);
  versions.sort((a, b) => (isAtLeast(a, b) ? -1 : 1));
  for (const version of versions) {
    const found = await probe(join(cacheFolder(options), version, executable));
    if (found) return found;
  }
  return undefined;
}

/** Puts the bytes into the cache under their version; a rename makes the file appear whole, also when two do it at once. */
async function keep(options: NatsBinaryOptions, version: string, bytes: Uint8Array): Promise<NatsBinary> {
  const folder = join(cacheFolder(options), version);
  const target = join(folder, executable);
  const part = `${target}.${process.pid}.part`;
  await mkdir(folder, { recursive: true });
  await writeFile(part, bytes);
  await chmod(part, 0o755);
  await rename(part, target);
  const found = await probe(target);
  if (!found)
    throw new WattleError('E_NATS_SERVER', `the nats-server fetched to ${target} does not run on this machine`);
  return found;
}

/**
 * The nats-server to run. Throws E_NATS_SERVER when there is none, or at once when a download is not what its
 * publisher's checksum says.
 */
export async function findNatsBinary(options: NatsBinaryOptions): Promise<NatsBinary> {
  const local: readonly Source[] = [named, onPath, inCache];
  for (const source of local) {
    const found = await source(options);
    if (found) return found;
  }
  const failures: string[] = [];
  for (const fetch of [readRelease, readDebianPackage]) {
    const fetched = await fetch(options);
    if ('bytes' in fetched) return keep(options, fetched.version, fetched.bytes);
    failures.push(fetched.failure);
    options.onProgress?.(fetched.failure);
  }
  throw new WattleError('E_NATS_SERVER', `no nats-server on PATH, and none could be fetched: ${failures.join('; ')}`);
}
