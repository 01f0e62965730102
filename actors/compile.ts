// Compiles an actor written with the SDK to an unsigned module. The name and version of an actor are no input of the
// language: the compiler reads sdk/self.ts through us, and gets these in its place.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { WattleError } from '../lattice/errors.ts';

/** Folder of the SDK. */
export const sdkDirectory = resolve(import.meta.dirname, 'sdk');
/** What file names in the messages of a failing actor are relative to. */
const baseDirectory = resolve(import.meta.dirname, '..');
/** File of the SDK that states who the actor is. */
const selfFile = 'self.ts';

/**
 * Why these: every call starts from the same state of memory, so nothing is ever freed (`stub`); two pages are enough for
 * the calls there mostly are, and a memory that does not grow can be put back; names stay, so that traps can be read.
 */
export const compilerOptions = [
  '--runtime=stub',
  '--initialMemory=2',
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--converge',
  '--debug',
  '--use=abort=actors/sdk/guest/abort',
  '--noColors',
];

export interface ActorSource {
  /** Folder with the actor's `index.ts`. */
  readonly source: string;
  readonly name: string;
  readonly version: string;
}

/** The module, without claims. Throws E_BUILD with what the compiler says, file and line included. */
export async function compileActor(actor: ActorSource): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  const output = await mkdtemp(join(tmpdir(), 'wattle-build-'));
  try {
    const file = join(output, 'actor.wasm');
    const entries = [join(resolve(actor.source), 'index.ts'), join(sdkDirectory, 'guest.ts')];
    const words = [...entries.map(fromBase), ...compilerOptions, '--baseDir', baseDirectory, '-o', fromBase(file)];
    const { error, stderr } = await asc.main(words, {
      readFile: (name, base) => readSource(actor, resolve(base, name)),
    });
    if (error) throw buildError(actor, stderr.toString() || error.message);
    return new Uint8Array(await readFile(file));
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

const fromBase = (path: string): string => relative(baseDirectory, path);

async function readSource(actor: ActorSource, path: string): Promise<string | null> {
  if (path === join(sdkDirectory, selfFile)) return writeSelf(actor);
  return await readFile(path, 'utf8').catch(() => null);
}

/** The text of sdk/self.ts for this actor. */
const writeSelf = ({ name, version }: ActorSource): string =>
  `export const name: string = ${JSON.stringify(name)};\nexport const version: string = ${JSON.stringify(version)};\n`;

const buildError = (actor: ActorSource, output: string): WattleError =>
  new WattleError('E_BUILD', `${basename(resolve(actor.source))} does not compile:\n${output.trim()}`);
