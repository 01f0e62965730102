// Artifacts by reference: `file:` and `http(s):`, known by the digest of their bytes. What came over the network is cached
// by digest, so a source that is down does not stop what ran here before.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../lattice/claims.ts';
import { WattleError } from '../lattice/errors.ts';
import { admissionLimits } from './engine/limits.ts';

export interface Artifact {
  readonly bytes: Uint8Array;
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest: string;
}

export interface ArtifactOptions {
  readonly cacheDir: string;
  readonly limitBytes?: number;
  readonly timeoutMs?: number;
  /** Told when a cached copy stands in for a source that does not answer. */
  onStale?(reason: string): void;
}

/** A reference may pin its bytes: `https://example.org/a.wasm@sha256:…`. */
const pinPattern = /@(sha256:[0-9a-f]{64})$/;
const maxRedirects = 3;

/**
 * Reads an artifact. Throws E_ARTIFACT_REF (no such scheme), E_ARTIFACT_NOT_FOUND, E_ARTIFACT_FETCH, E_ARTIFACT_DIGEST
 * (other bytes than the reference pins) or E_TOO_LARGE.
 */
export async function readArtifact(ref: string, options: ArtifactOptions): Promise<Artifact> {
  const pin = pinPattern.exec(ref)?.[1];
  const location = pin ? ref.slice(0, -pin.length - 1) : ref;
  const artifact = /^https?:/i.test(location)
    ? await readHttp(location, pin, options)
    : await readLocal(location, options.limitBytes ?? admissionLimits.fileBytes);
  if (pin && artifact.digest !== pin)
    throw new WattleError('E_ARTIFACT_DIGEST', `${location}: expected ${pin}, got ${artifact.digest}`);
  return artifact;
}

function pathOf(ref: string): string {
  if (ref.startsWith('file://') && !ref.startsWith('file://.')) return fileURLToPath(ref);
  if (ref.startsWith('file:')) return resolve(ref.slice(ref.startsWith('file://') ? 7 : 5));
  if (isAbsolute(ref) || ref.startsWith('./') || ref.startsWith('../')) return resolve(ref);
  throw new WattleError('E_ARTIFACT_REF', `"${ref}" is not a reference this host can read`);
}

async function readLocal(ref: string, limitBytes: number): Promise<Artifact> {
  const path = pathOf(ref);
  try {
    const { size } = await stat(path);
    if (size > limitBytes) throw tooLarge(path, limitBytes);
    const bytes = await readFile(path);
    return { bytes, digest: digestOf(bytes) };
  } catch (cause) {
    if (cause instanceof WattleError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    throw new WattleError('E_ARTIFACT_NOT_FOUND', `cannot read ${path}: ${code ?? cause}`, { cause });
  }
}

const tooLarge = (what: string, limitBytes: number): WattleError =>
  new WattleError('E_TOO_LARGE', `${what} is larger than ${limitBytes} bytes`);

/** What the cache remembers of a URL: the digest it gave last, and how to ask whether that still holds. */
interface CachedSource {
  readonly digest: string;
  readonly etag?: string;
}

async function readHttp(url: string, pin: string | undefined, options: ArtifactOptions): Promise<Artifact> {
  const cache = new ArtifactCache(options.cacheDir);
  const pinned = pin ? await cache.read(pin) : undefined;
  if (pinned) return pinned;
  const known = await cache.source(url);
  const cached = known ? await cache.read(known.digest) : undefined;
  try {
    const response = await request(url, cached ? known?.etag : undefined, options.timeoutMs ?? 30_000);
    if (response.status === 304 && cached) return cached;
    if (response.status === 404 || response.status === 410)
      throw new WattleError('E_ARTIFACT_NOT_FOUND', `${url} answered ${response.status}`);
    if (response.status !== 200) throw new WattleError('E_ARTIFACT_FETCH', `${url} answered ${response.status}`);
    const bytes = await readBody(response, url, options.limitBytes ?? admissionLimits.fileBytes);
    const artifact = { bytes, digest: digestOf(bytes) };
    await cache.write(url, artifact, response.headers.get('etag') ?? undefined);
    return artifact;
  } catch (cause) {
    const error = fetchError(url, cause);
    if (!cached || error.code !== 'E_ARTIFACT_FETCH') throw error;
    options.onStale?.(`${error.message}; using the cached ${cached.digest}`);
    return cached;
  }
}

function fetchError(url: string, cause: unknown): WattleError {
  if (cause instanceof WattleError) return cause;
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const reason = (inner as { code?: string }).code ?? (inner instanceof Error ? inner.message : String(inner));
  return new WattleError('E_ARTIFACT_FETCH', `cannot fetch ${url}: ${reason}`, { cause });
}

/** Follows redirects by hand: never to another scheme than https, never from the network into this machine. */
async function request(url: string, etag: string | undefined, timeoutMs: number): Promise<Response> {
  const signal = AbortSignal.timeout(timeoutMs);
  let target = new URL(url);
  for (let count = 0; count <= maxRedirects; count++) {
    const response = await fetch(target, {
      redirect: 'manual',
      signal,
      headers: etag ? { 'if-none-match': etag } : {},
    });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status === 304 || response.status > 399 || !location) return response;
    await response.body?.cancel();
    const next = new URL(location, target);
    const downgrade = next.protocol !== target.protocol && next.protocol !== 'https:';
    if (downgrade || (isLoopback(next.hostname) && !isLoopback(target.hostname)))
      throw new WattleError('E_ARTIFACT_FETCH', `${url} redirects to ${next.origin}, which is not followed`);
    target = next;
  }
  throw new WattleError('E_ARTIFACT_FETCH', `${url} redirects more than ${maxRedirects} times`);
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\./.test(host);

async function readBody(response: Response, url: string, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limitBytes) throw tooLarge(url, limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Files named by digest, and one small file a URL. Writes are atomic; a file whose digest is wrong is as good as absent. */
class ArtifactCache {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async read(digest: string): Promise<Artifact | undefined> {
    const bytes = await readFile(join(this.#dir, digest.slice(7))).catch(() => undefined);
    return bytes && digestOf(bytes) === digest ? { bytes, digest } : undefined;
  }

  async source(url: string): Promise<CachedSource | undefined> {
    const text = await readFile(this.#sourceFile(url), 'utf8').catch(() => undefined);
    try {
      return text === undefined ? undefined : (JSON.parse(text) as CachedSource);
    } catch {
      return undefined;
    }
  }

  async write(url: string, artifact: Artifact, etag: string | undefined): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await this.#replace(join(this.#dir, artifact.digest.slice(7)), artifact.bytes);
    const source: CachedSource = { digest: artifact.digest, ...(etag ? { etag } : {}) };
    await this.#replace(this.#sourceFile(url), Buffer.from(JSON.stringify(source)));
  }

  #sourceFile(url: string): string {
    return join(this.#dir, `url-${createHash('sha256').update(url).digest('hex')}.json`);
  }

  async #replace(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.${randomUUID()}`;
    await writeFile(temporary, bytes, { mode: 0o600 });
    await rename(temporary, path);
  }
}
