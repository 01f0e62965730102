// A deployment seen from outside: put the manifest, deploy the version, watch the status until the application is deployed
// or its cause is known. What is not deployed in the end is an error that names the reason and the manifest line.
import { isDeepStrictEqual } from 'node:util';
import type { LatticeConnection } from '../lattice/connection.ts';
import { type ErrorCode, errorTable, WattleError } from '../lattice/errors.ts';
import { wadmSubjects } from '../lattice/subjects.ts';
import type { AppStatus, Finding, ScalerStatus, WadmClient } from '../lattice/wadm-client.ts';
import { parseManifest } from '../wadm/manifest.ts';
import type { ManifestFile } from './manifest-name.ts';

export interface Deployed {
  readonly name: string;
  readonly version: string;
}

/** `file:line:column: error: message`. */
export const formatFinding = (file: string, { line, column, level, message }: Finding): string =>
  `${file}:${line}:${column}: ${level}: ${message}`;

/** Validates a manifest here. Throws E_MANIFEST with its first error; `onFinding` hears of all of them, warnings too. */
export function checkManifest(
  { text, file }: ManifestFile,
  onFinding: (line: string) => void,
): { name: string; version: string | undefined; manifest: unknown } {
  const { application, manifest, findings } = parseManifest(text);
  const errors = findings.filter((finding) => finding.level === 'error');
  for (const finding of findings) if (finding !== errors[0]) onFinding(formatFinding(file, finding));
  const [first] = errors;
  if (first) throw new WattleError('E_MANIFEST', `${file}:${first.line}:${first.column}: ${first.message}`);
  if (!application) throw new WattleError('E_MANIFEST', `${file}: not a manifest`);
  return { name: application.name, version: application.version, manifest };
}

/** Stores a manifest. A version that is stored already with the same content is that version; with other content, E_MANIFEST_VERSION. */
export async function putManifest(
  wadm: WadmClient,
  source: ManifestFile,
  onFinding: (line: string) => void,
): Promise<Deployed & { created: boolean }> {
  const { name, version, manifest } = checkManifest(source, onFinding);
  try {
    const { current_version } = await wadm.put(source.text);
    return { name, version: version ?? current_version, created: true };
  } catch (error) {
    const taken = error instanceof WattleError && error.code === 'E_MANIFEST_VERSION';
    if (!taken || version === undefined) throw error;
    if (isDeepStrictEqual(plain(await wadm.get(name, version)), plain(manifest)))
      return { name, version, created: false };
    throw new WattleError(
      'E_MANIFEST_VERSION',
      `${source.file}: version ${version} of ${name} is stored with other content`,
      {
        hint: 'Give it another version annotation, or leave the annotation out: every change is a version then.',
        cause: error,
      },
    );
  }
}

/** As it looks after a journey as JSON. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

export interface DeploymentWatch {
  /** Manifest file for positions; the application's name when it came from the store. */
  readonly file: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** One line for each change of a part, and the part. */
  onProgress(line: string, part: ScalerStatus): void;
}

const pollMs = 500;

const positionOf = (file: string, part: ScalerStatus): string =>
  part.line === undefined ? '' : ` (${file}:${part.line}:${part.column ?? 1})`;

/** One line on a part; where it stands in the manifest only when that is of use. */
function describePart(file: string, part: ScalerStatus): string {
  const { type, message } = part.status;
  const position = type === 'failed' || type === 'unhealthy' ? positionOf(file, part) : '';
  return `  ${type.padEnd(11)}  ${part.kind} ${part.name}${message ? `: ${message}` : ''}${position}`;
}

/** Failed by what a user wrote or must do: waiting would only hide it, though wadm goes on trying. */
const needsUser = (part: ScalerStatus): boolean =>
  part.status.type === 'failed' &&
  part.code !== undefined &&
  Object.hasOwn(errorTable, part.code) &&
  errorTable[part.code as ErrorCode].fault === 'user';

/** Why an application is not deployed, from its parts: the worst one first. */
export function explainStatus(app: Deployed, status: AppStatus, file: string): WattleError {
  const open = status.scalers.filter((part) => part.status.type !== 'deployed');
  const worst = open.find((part) => part.status.type === 'failed') ?? open.find((part) => part.code) ?? open[0];
  const summary = `${app.name} is ${status.status.type}`;
  const reason = worst?.status.message ?? status.status.message;
  const position = worst ? positionOf(file, worst) : '';
  const more = open.length > 1 ? ` (and ${open.length - 1} more)` : '';
  const known = worst?.code !== undefined && Object.hasOwn(errorTable, worst.code);
  const message = `${summary}${reason ? `: ${reason}` : ''}${position}${more}`;
  if (known) return new WattleError(worst.code as ErrorCode, message);
  return new WattleError('E_APP_FAILED', message, { hint: `See \`wattle app status ${app.name}\`.` });
}

/** Watches until the application is deployed. Throws why it is not: at once when a user has to act, else after `timeoutMs`. */
export async function awaitDeployed(
  connection: LatticeConnection,
  wadm: WadmClient,
  app: Deployed,
  watch: DeploymentWatch,
): Promise<AppStatus> {
  const deadline = performance.now() + watch.timeoutMs;
  const seen = new Map<string, string>();
  const changes = createChangeSignal(connection, app.name);
  try {
    for (;;) {
      watch.signal?.throwIfAborted();
      const status = await wadm.status(app.name);
      const current = isOfVersion(status, app);
      if (current) for (const part of status.scalers) reportChange(seen, part, watch);
      if (current && status.status.type === 'deployed') return status;
      const late = performance.now() >= deadline;
      if (late || (current && status.scalers.some(needsUser))) throw explainStatus(app, status, watch.file);
      await changes.next(Math.min(pollMs, deadline - performance.now()));
    }
  } finally {
    changes[Symbol.dispose]();
  }
}

/** A status of the version before may still be around; upstream leaves the version empty. */
const isOfVersion = (status: AppStatus, app: Deployed): boolean =>
  status.version === '' || app.version === '' || status.version === app.version;

function reportChange(seen: Map<string, string>, part: ScalerStatus, watch: DeploymentWatch): void {
  const line = describePart(watch.file, part);
  if (seen.get(part.id) === line) return;
  seen.set(part.id, line);
  watch.onProgress(line, part);
}

interface ChangeSignal extends Disposable {
  /** Resolves at the next published status, or after `atMostMs`. */
  next(atMostMs: number): Promise<void>;
}

function createChangeSignal(connection: LatticeConnection, name: string): ChangeSignal {
  let wake = (): void => undefined;
  const subject = wadmSubjects.status(connection.lattice, name);
  const subscription = connection.nats.subscribe(subject, { callback: () => wake() });
  return {
    next: (atMostMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, atMostMs));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    [Symbol.dispose]: () => subscription.unsubscribe(),
  };
}
