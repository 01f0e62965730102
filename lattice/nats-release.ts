// Fetches the official nats-server release of one pinned version. Nothing is written and nothing is unpacked before the
// archive matches the release's own SHA256SUMS, and only the one file that is wanted is read from it.
import { createHash } from 'node:crypto';
import { readTarGz, readZip } from './archive.ts';
import { WattleError } from './errors.ts';

/** The version fetched when the machine has none. Above the minimum of reliability.md 2.2. */
export const pinnedNatsVersion = '2.14.4';
const officialUrl = 'https://github.com/nats-io/nats-server/releases/download';

const connectTimeoutMs = 3000;
const stallTimeoutMs = 15_000;
const archiveBytes = 64 * 1024 * 1024;
const sumsBytes = 64 * 1024;

/** What came of trying to fetch: the binary, or one clause saying why not. */
export type Fetched = { readonly version: string; readonly bytes: Uint8Array } | { readonly failure: string };

export interface ReleaseOptions {
  readonly releaseUrl?: string | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

const systems: Record<string, string> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };
const machines: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** Name of the release's folder for a platform (`nats-server-v2.14.4-linux-amd64`), or undefined when there is none. */
export function releaseName(platform: string = process.platform, arch: string = process.arch): string | undefined {
  const [system, machine] = [systems[platform], machines[arch]];
  return system && machine ? `nats-server-v${pinnedNatsVersion}-${system}-${machine}` : undefined;
}

/** Fetches the pinned release. Throws E_NATS_SERVER only when the archive is not what SHA256SUMS says. */
export async function readRelease(options: ReleaseOptions): Promise<Fetched> {
  const name = releaseName();
  if (!name) return { failure: `no nats-server release for ${process.platform} ${process.arch}` };
  const base = `${options.releaseUrl ?? officialUrl}/v${pinnedNatsVersion}`;
  const windows = process.platform === 'win32';
  const file = `${name}.${windows ? 'zip' : 'tar.gz'}`;
  let archive: Uint8Array;
  let sum: string | undefined;
  try {
    sum = findSum(Buffer.from(await download(`${base}/SHA256SUMS`, sumsBytes)).toString(), file);
    if (!sum) return { failure: `the release at ${base} has no checksum for ${file}` };
    options.onProgress?.(`fetching nats-server ${pinnedNatsVersion} from ${base}`);
    archive = await download(`${base}/${file}`, archiveBytes, progressOf(file, options.onProgress));
  } catch (thrown) {
    return { failure: `the release at ${base} could not be fetched (${reasonOf(thrown)})` };
  }
  verify(archive, sum, file);
  const bytes = windows ? readZip(archive, `${name}/nats-server.exe`) : readTarGz(archive, `${name}/nats-server`);
  return { version: pinnedNatsVersion, bytes };
}

/** The checksum of `file` in a SHA256SUMS text: `<64 hex digits>  <name>` a line. */
export function findSum(text: string, file: string): string | undefined {
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{64}) [ *](\S+)\s*$/.exec(line);
    if (match?.[2] === file) return match[1];
  }
  return undefined;
}

function verify(archive: Uint8Array, sum: string, file: string): void {
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual === sum) return;
  throw new WattleError('E_NATS_SERVER', `${file} is not what SHA256SUMS says: expected ${sum}, got ${actual}`, {
    hint: 'Somebody or something changed the download; try from another network, or name a binary with --nats-server PATH.',
  });
}

const reasonOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : thrown.message;
};

/** Says every tenth of the way, as a 7 MB download on a slow line looks like a hang otherwise. */
function progressOf(file: string, onProgress?: (line: string) => void): (done: number, total: number) => void {
  let told = 0;
  return (done, total) => {
    const tenth = total > 0 ? Math.floor((done / total) * 10) : 0;
    if (tenth <= told) return;
    told = tenth;
    onProgress?.(`${file}: ${tenth * 10} % of ${(total / 1048576).toFixed(1)} MB`);
  };
}

/** GET with redirects (never from https down to http), a limit on size, and a timer that every received chunk winds again. */
async function download(
  url: string,
  limitBytes: number,
  onChunk: (done: number, total: number) => void = () => undefined,
): Promise<Uint8Array> {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error(`no answer within ${connectTimeoutMs} ms`)), connectTimeoutMs);
  try {
    const response = await follow(url, abort.signal);
    const total = Number(response.headers.get('content-length') ?? 0);
    const chunks: Uint8Array[] = [];
    let done = 0;
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(new Error(`stalled for ${stallTimeoutMs} ms`)), stallTimeoutMs);
      done += chunk.byteLength;
      if (done > limitBytes) throw new Error(`more than ${limitBytes} bytes`);
      chunks.push(chunk);
      onChunk(done, total);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

async function follow(url: string, signal: AbortSignal): Promise<Response> {
  let address = new URL(url);
  for (let hop = 0; hop < 5; hop++) {
    const response = await fetch(address, { redirect: 'manual', signal });
    const next = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || !next) {
      if (!response.ok) throw new Error(`${address.host} answered ${response.status}`);
      return response;
    }
    await response.body?.cancel();
    const target = new URL(next, address);
    if (address.protocol === 'https:' && target.protocol !== 'https:')
      throw new Error(`redirected to ${target.protocol}`);
    address = target;
  }
  throw new Error('too many redirects');
}
