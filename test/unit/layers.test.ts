// The rules of the house: who may import whom, how large a file gets, where effects and wire words live, and that every list
// of implementations is complete. Each test collects the offenders, so a failure names them all.
import { basename, dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSources, type rooms, type Source } from '../support/sources.ts';

const sources = readSources();
const product = sources.filter((source) => !source.path.startsWith('test/'));
const byPath = new Map(sources.map((source) => [source.path, source]));
const roomOf = (path: string): string => path.slice(0, path.indexOf('/'));
const inEngine = (path: string): boolean => path.startsWith('host/engine/');

/** `path: what` for everything wrong in the sources. */
const offences = (among: readonly Source[], find: (source: Source) => readonly string[]): string[] =>
  among.flatMap((source) => find(source).map((what) => `${source.path}: ${what}`));

const pathsOf = (among: readonly Source[], wrong: (source: Source) => boolean): string[] =>
  among.filter(wrong).map((source) => source.path);

describe('imports', () => {
  /** architecture.md 1. actors/*.ts are the builders of the samples, which sign what they build. */
  const mayImport: Record<(typeof rooms)[number], readonly string[]> = {
    lattice: [],
    providers: ['lattice'],
    host: ['lattice', 'providers'],
    wadm: ['lattice'],
    dashboard: ['lattice'],
    cli: ['lattice', 'providers', 'host', 'wadm', 'dashboard'],
    actors: ['lattice'],
  };

  test('a room imports only the rooms it may', () => {
    const wrong = offences(product, (source) => {
      const room = roomOf(source.path) as (typeof rooms)[number];
      return source.imports
        .map((one) => one.file)
        .filter((file) => file !== undefined)
        .filter((file) => roomOf(file) !== room && !mayImport[room].includes(roomOf(file)));
    });
    expect(wrong).toEqual([]);
  });

  test('every relative import names a file that exists, with its extension', () => {
    const wrong = offences(sources, (source) =>
      source.imports
        .map((one) => one.file)
        .filter((file) => file !== undefined)
        .filter((file) => file.endsWith('.ts') && !file.startsWith('test/fixtures/') && !byPath.has(file)),
    );
    expect(wrong).toEqual([]);
  });

  test('the engine reaches nothing that knows NATS, keys or the environment', () => {
    const forbidden =
      /^(nats|@nats-io\/.*|jose|redis|fastify|lattice\/(connection|settings|claims|nkeys|signing)\.ts)$/;
    const wrong = product
      .filter((source) => inEngine(source.path))
      .flatMap((source) =>
        [...reachable(source)]
          .filter((name) => forbidden.test(name) || (/^(host|providers)\//.test(name) && !inEngine(name)))
          .map((name) => `${source.path} reaches ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test('only frames, limits and the module parser of the engine are imported from outside', () => {
    const doors = ['frames', 'limits', 'wasm-module'].map((name) => `host/engine/${name}.ts`);
    const outside = product.filter((source) => !inEngine(source.path));
    const wrong = offences(outside, (source) =>
      source.imports.flatMap(({ file }) => (file && inEngine(file) && !doors.includes(file) ? [file] : [])),
    );
    expect(wrong).toEqual([]);
  });

  test('no cycle is left at run time', () => {
    expect(findCycles()).toEqual([]);
  });

  test('nothing is re-exported wholesale', () => {
    expect(pathsOf(sources, (source) => /^export \*/m.test(source.code))).toEqual([]);
  });
});

describe('files', () => {
  test('a file of the product has at most 300 lines', () => {
    expect(pathsOf(product, (source) => source.lines > 300)).toEqual([]);
  });

  test('a file opens with a comment that says what it is', () => {
    const named = sources.filter(({ path }) => !path.endsWith('.test.ts'));
    expect(pathsOf(named, (source) => !/^(#!.*\n)?(\/\/ \S|\/\*\*)/.test(source.text))).toEqual([]);
  });

  test('a file of ours is not named by its extension, which is another one in a packed tarball', () => {
    const named = /['"`][./\w-]*\/[\w-]+\.ts['"`]/;
    const beside = (source: Source): boolean =>
      source.code.split('\n').some((line) => named.test(line.replace(/(from|import\() ?'[^']*'/g, '')));
    expect(
      pathsOf(
        product.filter(({ path }) => roomOf(path) !== 'actors'),
        beside,
      ),
    ).toEqual([]);
  });

  test('a file is named with a noun in kebab case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|d))?\.ts$/;
    const empty = /^(utils?|helpers?|common|misc|shared|manager|impl)$|-(utils?|helpers?|manager|impl)$/;
    const wrong = (source: Source): boolean => {
      const parts = source.path.replace(/(\.test)?\.ts$/, '').split('/');
      return !kebab.test(basename(source.path)) || parts.some((part) => empty.test(part));
    };
    expect(pathsOf(sources, wrong)).toEqual([]);
  });

  test('nothing is left to do', () => {
    const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`);
    expect(pathsOf(sources, (source) => marks.test(source.text))).toEqual([]);
  });

  test('the type checker is never silenced', () => {
    expect(pathsOf(product, (source) => /@ts-(ignore|expect-error|nocheck)/.test(source.text))).toEqual([]);
  });
});

describe('places', () => {
  test('process.env is read in lattice/settings.ts only', () => {
    const readers = pathsOf(product, (source) => /process\.env\b/.test(source.code));
    expect(readers.filter((path) => path !== 'lattice/settings.ts')).toEqual([]);
  });

  test('subjects are written in lattice/subjects.ts only', () => {
    const subject = /['"`](wasmbus\.|wadm\.(api|status|evt|event|cmd)\b|\$KV|\$JS)/;
    const writers = pathsOf(product, (source) => subject.test(source.code));
    expect(writers.filter((path) => path !== 'lattice/subjects.ts')).toEqual([]);
  });
});

describe('lists', () => {
  /** A member is a file whose code matches; the contract itself is none. */
  const families = [
    { folder: 'providers', contract: 'provider.ts', member: /^export const \w+.*= defineProvider\b/m },
    { folder: 'cli/commands', contract: 'command.ts', member: /^export const \w+: Command\b/m },
    {
      folder: 'lattice/contracts',
      contract: 'contract.ts',
      member: /^export const \w+(: Contract\b|.*satisfies Contract\b|[\s\S]*\} satisfies Contract\b)/m,
    },
    { folder: 'wadm/scalers', contract: 'scaler.ts', member: /^export const \w+: Scaler\b/m },
    { folder: 'host/engine/abi', contract: 'abi.ts', member: /^export const \w+: Abi\b/m },
  ];

  for (const { folder, contract, member } of families) {
    const files = product.filter((source) => dirname(source.path) === folder);
    const members = files.filter(
      ({ path, code }) => !/\/(index)\.ts$/.test(path) && basename(path) !== contract && member.test(code),
    );

    test(`${folder}/index.ts lists every member and nothing else`, () => {
      expect(members.length, `members found in ${folder}`).toBeGreaterThan(0);
      const listed = byPath
        .get(`${folder}/index.ts`)
        ?.imports.flatMap(({ file, typeOnly }) => (file && !typeOnly ? [file] : []));
      expect(listed?.filter((path) => basename(path) !== contract).sort()).toEqual(
        members.map(({ path }) => path).sort(),
      );
    });
  }

  test('index.ts exists as a list only', () => {
    const lists = families.map(({ folder }) => `${folder}/index.ts`);
    expect(pathsOf(product, ({ path }) => path.endsWith('/index.ts') && !lists.includes(path))).toEqual([]);
  });
});

/** All that a file imports at run time, directly or not: our paths, and the names of packages. */
function reachable(from: Source, seen = new Set<string>()): Set<string> {
  for (const { file, specifier, typeOnly } of from.imports) {
    const name = file ?? specifier;
    if (typeOnly || seen.has(name)) continue;
    seen.add(name);
    const next = file && byPath.get(file);
    if (next) reachable(next, seen);
  }
  return seen;
}

/** Each cycle once, as `a → b → a`, found depth first. */
function findCycles(): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    if (done.has(path)) return;
    for (const { file, typeOnly } of byPath.get(path)?.imports ?? [])
      if (file && !typeOnly) visit(file, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return cycles;
}
