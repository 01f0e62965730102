// What a user gets from npm: the packed tarball, installed in an empty folder, run with npx by whatever Node.js is there.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { eventually } from '../support/eventually.ts';
import { cacheDir } from '../support/nats.ts';
import { findProcesses } from '../support/processes.ts';
import { root } from '../support/sources.ts';
import { startTemporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts';

interface Packed {
  readonly filename: string;
  readonly version: string;
  readonly files: readonly { readonly path: string }[];
}

/** The environment without what `npm test` puts there for its own scripts. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST)/i.test(name)));

const run = async (cwd: string, command: string, ...words: string[]): Promise<string> =>
  (await promisify(execFile)(command, words, { cwd, env, maxBuffer: 16 * 1024 * 1024 })).stdout;

let folder: TemporaryDirectory;
let packed: Packed;

beforeAll(async () => {
  folder = await startTemporaryDirectory();
  const output = await run(root, 'npm', 'pack', '--json', '--silent', '--pack-destination', folder.path);
  packed = JSON.parse(output.slice(output.indexOf('[')))[0];
  await writeFile(join(folder.path, 'package.json'), '{"private":true}');
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--silent'];
  await run(folder.path, 'npm', 'install', ...quiet, join(folder.path, packed.filename));
}, 300_000);

afterAll(() => folder[Symbol.asyncDispose]());

test('a tarball holds what runs and nothing else', () => {
  const paths = packed.files.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(['bin/wattle.js', 'dist/cli/main.js', 'LICENSE', 'README.md']));
  expect(paths.filter((path) => !/^(bin|dist)\/[\w/-]+\.js$|^(LICENSE|README\.md|package\.json)$/.test(path))).toEqual(
    [],
  );
});

test('an installed tarball tells its version', async () => {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  expect(await run(folder.path, 'npx', 'wattle', '--version')).toBe(`${version}\n`);
});

test('an installed tarball runs `npx wattle up` until it is told to stop, and leaves no process behind', async () => {
  const dataDir = join(folder.path, 'data');
  const { path } = await findNatsBinary({ cacheDir });
  const words = ['wattle', 'up', '--nats-port', '0', '--data-dir', dataDir, '--nats-server', path];
  const up = spawn('npx', words, { cwd: folder.path, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [up.stdout, up.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const closed = once(up, 'close');
  try {
    await eventually(() => said.includes('ready') || up.exitCode !== null, {
      timeoutMs: 60_000,
      what: 'wattle up is ready',
    });
    expect(said).toContain('ready');
  } finally {
    // as a terminal does it: the whole group at once
    if (up.exitCode === null) process.kill(-up.pid!, 'SIGINT');
  }
  // npx itself ends as the signal says; the platform has ended in its own order before
  const [code, signal] = await closed;
  expect(code === 0 || signal === 'SIGINT', said).toBe(true);
  await eventually(() => findProcesses(folder.path).length === 0, { what: 'no process left' });
});
