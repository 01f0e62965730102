// Our own source files as data, for tests that hold the rules of the house: path, text, code without comments, imports.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Import {
  /** As written: `../lattice/errors.ts`, `node:fs`, `nats`. */
  readonly specifier: string;
  /** Path from the root when it is a file of ours. */
  readonly file: string | undefined;
  /** True when nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

export interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** Lines that are not comments. */
  readonly code: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const staticImport = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const dynamicImport = /\bimport\('([^']+)'\)/g;

function readImports(path: string, code: string): Import[] {
  const found = [
    ...[...code.matchAll(staticImport)].map((match) => ({ specifier: match[2]!, typeOnly: match[1] !== undefined })),
    ...[...code.matchAll(dynamicImport)].map((match) => ({ specifier: match[1]!, typeOnly: false })),
  ];
  return found.map(({ specifier, typeOnly }) => ({
    specifier,
    typeOnly,
    file: specifier.startsWith('.') ? posix.join(dirname(path), specifier) : undefined,
  }));
}

const isComment = (line: string): boolean => /^\s*(\/\/|\/?\*)/.test(line);

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  const lines = text.split('\n');
  const code = lines.filter((line) => !isComment(line)).join('\n');
  return { path, text, code, lines: lines.length - 1, imports: readImports(path, code) };
}

/** Folders of the product, as architecture.md names them. */
export const rooms = ['lattice', 'providers', 'host', 'wadm', 'dashboard', 'cli', 'actors'] as const;

/** Every TypeScript file of the rooms and of test/, guests' own sources and fixtures left out. */
export function readSources(): Source[] {
  const patterns = ['{lattice,providers,host,wadm,dashboard,cli,test}/**/*.ts', 'actors/*.ts'];
  return globSync(patterns, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.startsWith('test/fixtures/'))
    .sort()
    .map(readSource);
}
