// `npm run build:actors [-- FOLDER…]`: compiles and signs actors written with the SDK; without a folder, the samples here.
// FOLDER/actor.json says what the claims state, build/NAME.wasm beside FOLDER is the result. A module that is there and
// says what it should is left alone: signing it again would make it another one, and every host would replace it.
import { realpathSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { removeToken, upperHash } from '../lattice/embedding.ts';
import { exitCodeOf, formatError, toWattleError, WattleError } from '../lattice/errors.ts';
import { type Keyring, openKeyring } from '../lattice/keyring.ts';
import { readSettings } from '../lattice/settings.ts';
import { type ClaimsDraft, inspectModule, normalizeCallAlias, signModule } from '../lattice/signing.ts';
import { type ActorSource, compileActor, replaceFile } from './compile.ts';

/** `actor.json`: what the signer states about the actor. */
const ActorFile = z.strictObject({
  name: z.string().min(1),
  version: z.string().min(1),
  /** Grows with every release. */
  revision: z.int().positive().optional(),
  /** Contract ids the actor may use: `wasmcloud:httpserver`. */
  capabilities: z.array(z.string().min(1)).default([]),
  /** Name by which other actors call it: `wattle/pong`. */
  callAlias: z.string().min(1).optional(),
  tags: z.array(z.string().min(1)).default([]),
});

export interface ActorBuild extends ActorSource, Omit<ClaimsDraft, 'version'> {
  /** The file to write. */
  readonly out: string;
  /** Whose account signs; the module key of the actor's name is kept there too. */
  readonly keyring: Keyring;
}

/** Compiles and signs one actor. False when `out` was up to date already. Throws E_BUILD, E_KEY…, E_TOKEN_CLAIMS. */
export async function buildActor({ source, out, keyring, ...claims }: ActorBuild): Promise<boolean> {
  const module = await compileActor({ source, name: claims.name, version: claims.version });
  const [issuer, subject] = await Promise.all([keyring.account(), keyring.module(claims.name)]);
  const present = await readFile(out).catch(() => undefined);
  if (present && (await states(present, module, { ...claims, issuer: issuer.publicKey, subject: subject.publicKey })))
    return false;
  await mkdir(dirname(out), { recursive: true });
  await replaceFile(out, await signModule(module, { issuer, subject, claims }));
  return true;
}

type Statement = ClaimsDraft & { readonly issuer: string; readonly subject: string };

/** Whether a signed module is this one, with these claims. */
async function states(signed: Uint8Array, module: Uint8Array, wanted: Statement): Promise<boolean> {
  const { claims, signatureValid, hashMatches } = await inspectModule(signed).catch(() => ({}) as Inspected);
  if (!claims || !signatureValid || !hashMatches) return false;
  if (upperHash(removeToken(signed)) !== upperHash(removeToken(module))) return false;
  const alias = wanted.callAlias === undefined ? undefined : normalizeCallAlias(wanted.callAlias);
  const pairs: [unknown, unknown][] = [
    [claims.issuer, wanted.issuer],
    [claims.subject, wanted.subject],
    [claims.name, wanted.name],
    [claims.version, wanted.version],
    [claims.revision, wanted.revision ?? 0],
    [claims.callAlias, alias],
    [claims.capabilities.join('\n'), (wanted.capabilities ?? []).join('\n')],
    [claims.tags.join('\n'), (wanted.tags ?? []).join('\n')],
    [claims.expiresAt?.getTime(), wanted.expiresAt?.getTime()],
    [claims.notBefore?.getTime(), wanted.notBefore?.getTime()],
  ];
  return pairs.every(([stated, expected]) => stated === expected);
}

type Inspected = Partial<Awaited<ReturnType<typeof inspectModule>>>;

/** What `actor.json` of a folder says, and where its module goes. Throws E_BUILD. */
export async function readActorFile(folder: string): Promise<Omit<ActorBuild, 'keyring'>> {
  const path = join(folder, 'actor.json');
  const refuse = (what: string, cause?: unknown): never => {
    throw new WattleError('E_BUILD', `${relative('.', path)}: ${what}`, { cause });
  };
  const text = await readFile(path, 'utf8').catch((cause) => refuse('there is no such file', cause));
  const parsed = ActorFile.safeParse(parseJson(text, refuse));
  if (!parsed.success) {
    const { path: field, message } = parsed.error.issues[0]!;
    return refuse(field.length > 0 ? `${field.join('.')}: ${message}` : message);
  }
  return { ...parsed.data, source: folder, out: join(dirname(folder), 'build', `${basename(folder)}.wasm`) };
}

function parseJson(text: string, refuse: (what: string, cause?: unknown) => never): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return refuse((cause as Error).message, cause);
  }
}

/** The folders of the samples: those with an `actor.json`. */
async function findSamples(): Promise<string[]> {
  const entries = await readdir(import.meta.dirname, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile() && entry.name === 'actor.json').map((entry) => entry.parentPath);
}

async function buildFolders(folders: readonly string[]): Promise<void> {
  const keyring = openKeyring(readSettings(['dataDir']).dataDir);
  for (const folder of folders) {
    const actor = await readActorFile(resolve(folder));
    const built = await buildActor({ ...actor, keyring });
    if (built) console.log(`built ${relative('.', actor.out)} (${actor.name} ${actor.version})`);
  }
}

// true for bin/run.js FILE, which imports it; false for whoever imports buildActor
if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) {
  const folders = process.argv.slice(2);
  await buildFolders(folders.length > 0 ? folders : (await findSamples()).sort()).catch((thrown: unknown) => {
    const error = toWattleError(thrown);
    console.error(`${formatError(error)}\n${error.hint}`);
    process.exitCode = exitCodeOf(error.code);
  });
}
