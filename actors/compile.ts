// Compiles an actor written with the SDK to an unsigned module, once for the same sources: modules are kept by the hash of
// all that went into them. The name and version of an actor are no input of the language; the compiler reads sdk/self.ts
// through us and gets these in its place.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { WattleError } from '../lattice/errors.ts';

const sdkDirectory = join(import.meta.dirname, 'sdk');
const cacheDirectory = join(import.meta.dirname, 'build', 'cache');

/**
 * Why these: every call starts from the same state of memory, so nothing is ever freed (`stub`); one page is enough for
 * most calls, and a memory that did not grow can be put back; names stay in the module, so that traps can be read.
 */
const compilerOptions = [
  '--runtime=stub',
  '--initialMemory=1',
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--debug',
  '--use=abort=actors/sdk/guest/abort',
  '--noColors',
];

export interface ActorSource {
  /** Folder of the actor: its `index.ts`, and every file that imports. */
  readonly source: string;
  readonly name: string;
  readonly version: string;
}

/** The module, without claims. Throws E_BUILD with what the compiler says, file and line included. */
export async function compileActor(actor: ActorSource): Promise<Uint8Array> {
  const prefix = `${actor.name}-${actor.version}-`.replaceAll(/[^\w.-]/g, '_');
  const kept = join(cacheDirectory, `${prefix}${await hashSources(actor)}.wasm`);
  const known = await readFile(kept).catch(() => undefined);
  if (known) return new Uint8Array(known);
  const module = await runCompiler(actor);
  await mkdir(cacheDirectory, { recursive: true });
  for (const file of await readdir(cacheDirectory))
    if (file.startsWith(prefix) && file.length === basename(kept).length)
      await rm(join(cacheDirectory, file), { force: true });
  await replaceFile(kept, module);
  return module;
}

/** Writes a file so that nobody ever sees half of it. */
export async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const beside = `${path}.${process.pid}.tmp`;
  await writeFile(beside, content);
  await rename(beside, path);
}

/** Hash of everything a module is made of: the sources of actor and SDK, who it is, how it is compiled and by what. */
async function hashSources(actor: ActorSource): Promise<string> {
  const { version } = createRequire(import.meta.url)('assemblyscript/package.json') as { version: string };
  const hash = createHash('sha256').update(JSON.stringify([version, compilerOptions, actor.name, actor.version]));
  for (const [prefix, directory] of Object.entries(foldersOf(actor))) {
    const names = await readdir(directory, { recursive: true }).catch(() => []);
    for (const name of names.filter((file) => file.endsWith('.ts')).sort())
      hash.update(`\0${prefix}${name}\0`).update(await readFile(join(directory, name)));
  }
  return hash.digest('hex').slice(0, 32);
}

/** The file system as the compiler sees it: wherever the actor lies, the SDK is the folder beside it. */
const foldersOf = (actor: ActorSource): Record<string, string> => ({
  'actors/sdk/': sdkDirectory,
  [`actors/${basename(resolve(actor.source))}/`]: resolve(actor.source),
});

async function runCompiler(actor: ActorSource): Promise<Uint8Array> {
  const { default: asc } = await import('assemblyscript/asc');
  const entries = [`actors/${basename(resolve(actor.source))}/index.ts`, 'actors/sdk/guest.ts'];
  let module: Uint8Array | undefined;
  const { error, stderr } = await asc.main([...entries, ...compilerOptions, '-o', 'actor.wasm'], {
    readFile: (file) => readSource(actor, file),
    writeFile: (_file, contents) => {
      module = contents as Uint8Array;
    },
  });
  if (module && !error) return module;
  const said = stderr.toString().trim() || error?.message;
  throw new WattleError('E_BUILD', `the actor ${actor.name} does not compile:\n${said}`);
}

/** A source as text; null when there is no such file, which is how the compiler looks for modules. */
async function readSource(actor: ActorSource, file: string): Promise<string | null> {
  if (file === 'actors/sdk/self.ts') return writeSelf(actor);
  for (const [prefix, directory] of Object.entries(foldersOf(actor)))
    if (file.startsWith(prefix))
      return await readFile(join(directory, file.slice(prefix.length)), 'utf8').catch(() => null);
  return null;
}

/** The text of sdk/self.ts for this actor. */
const writeSelf = ({ name, version }: ActorSource): string =>
  `export const name: string = ${JSON.stringify(name)};\nexport const version: string = ${JSON.stringify(version)};\n`;
