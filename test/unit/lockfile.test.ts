// package-lock.json on machines other than the one that wrote it: `npm ci` refuses a lock that leaves out the optional
// package of another platform, and npm leaves those out when the registry it was written against does not have them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/sources.ts';

interface Locked {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
}

const read = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'));
const packages: Record<string, Locked> = read('package-lock.json').packages;

test('a lock names the optional packages of every platform', () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});

test('a lock asks for what package.json asks for', () => {
  const manifest: Locked = read('package.json');
  const { dependencies, devDependencies, optionalDependencies } = packages['']!;
  expect({ dependencies, devDependencies, optionalDependencies }).toEqual({
    dependencies: manifest.dependencies,
    devDependencies: manifest.devDependencies,
    optionalDependencies: manifest.optionalDependencies,
  });
});

test('nothing that must be installed needs its install script', () => {
  const scripts = Object.entries(packages).filter(([, one]) => one.hasInstallScript && !one.optional);
  expect(scripts).toEqual([]);
});
