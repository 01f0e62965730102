import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKeyPair } from '../../../../lattice/nkeys.ts';
import { runCommand } from '../../../support/command-line.ts';
import { plainModule, signWith, issuer as stranger } from '../../../support/signed-module.ts';

let folder: string;
let dataDir: readonly string[];
let file: string;
const inFolder = (name: string): string => join(folder, name);
const json = async (...words: string[]) => JSON.parse((await runCommand(...words, '--output', 'json')).stdout);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wattle-claims-'));
  dataDir = ['--data-dir', inFolder('data')];
  file = inFolder('echo.wasm');
  writeFileSync(file, plainModule);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('wattle claims', () => {
  test('sign, inspect and verify agree', async () => {
    const words = [
      '-c',
      'wasmcloud:httpserver,wasmcloud:keyvalue',
      '--tag',
      'sample',
      '--revision',
      '2',
      '--ver',
      '0.2',
    ];
    const signed = await json('claims', 'sign', file, ...words, '--expires', '30d', '--call-alias', 'Echo', ...dataDir);
    const stated = {
      name: 'echo',
      capabilities: ['wasmcloud:httpserver', 'wasmcloud:keyvalue'],
      tags: ['sample'],
      revision: 2,
      version: '0.2',
      callAlias: 'echo',
    };
    expect(signed).toMatchObject({ file: inFolder('echo_s.wasm'), ...stated });
    expect(Date.parse(signed.expiresAt) - Date.now()).toBeGreaterThan(29 * 86_400_000);
    const read = await json('claims', 'inspect', signed.file);
    expect(read).toMatchObject({ claims: stated, signatureValid: true, hashMatches: true, wascapRevision: 3 });
    const verified = await json('claims', 'verify', signed.file, ...dataDir);
    expect(verified).toMatchObject({ claims: stated, digest: read.digest });
  });

  test('signing again keeps the module key, under any issuer', async () => {
    await runCommand('keys', 'gen', 'account', '--name', 'ci', ...dataDir);
    const first = await json('claims', 'sign', file, ...dataDir);
    const second = await json('claims', 'sign', first.file, '--issuer', 'ci', ...dataDir);
    expect(second.file).toBe(first.file);
    expect(second.subject).toBe(first.subject);
    expect(second.issuer).not.toBe(first.issuer);
  });

  test('a seed file and a public module key can be named', async () => {
    const account = createKeyPair('account');
    const module = createKeyPair('module').publicKey;
    writeFileSync(inFolder('a.nk'), account.seed, { mode: 0o600 });
    const out = inFolder('out.wasm');
    const words = ['--issuer', inFolder('a.nk'), '--subject', module, '-d', out];
    expect(await json('claims', 'sign', file, ...words, ...dataDir)).toMatchObject({
      file: out,
      issuer: account.publicKey,
      subject: module,
    });
  });

  test('a link in the place of the destination is replaced, not followed', async () => {
    writeFileSync(inFolder('precious'), 'precious');
    symlinkSync(inFolder('precious'), inFolder('echo_s.wasm'));
    await runCommand('claims', 'sign', file, ...dataDir);
    expect(readFileSync(inFolder('precious'), 'utf8')).toBe('precious');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a module of a stranger is verified after trust, and refused before with the command to give', async () => {
    writeFileSync(file, signWith());
    const before = await runCommand('claims', 'verify', file, ...dataDir);
    expect(before).toMatchObject({ exitCode: 1, stdout: '' });
    expect(before.stderr).toContain('E_SIG_ISSUER');
    expect(before.stderr).toContain(`wattle keys trust ${stranger.publicKey}`);
    expect((await runCommand('claims', 'verify', file, '--trust', stranger.publicKey, ...dataDir)).exitCode).toBe(0);
    await runCommand('keys', 'trust', stranger.publicKey, ...dataDir);
    expect((await runCommand('claims', 'verify', file, ...dataDir)).exitCode).toBe(0);
  });

  test('inspect tells the fault of a module that verify refuses', async () => {
    expect((await runCommand('claims', 'inspect', file)).stdout).toContain('E_SIG_MISSING');
    writeFileSync(
      file,
      signWith((p) => ({ ...p, wascap: { ...p.wascap, hash: '0'.repeat(64) } })),
    );
    expect((await runCommand('claims', 'inspect', file)).stdout).toMatch(/hash matches +NO/);
  });

  test.each([
    ['unsigned', [], 'E_SIG_MISSING', 1],
    ['unsigned but allowed', ['--allow-unsigned'], '', 0],
    ['a bad trust', ['--trust', 'A'], 'E_KEY', 1],
    ['a bad number', ['--min-revision', 'x'], 'E_USAGE', 64],
  ])('verify: %s', async (_name, words, code, exitCode) => {
    const run = await runCommand('claims', 'verify', file, ...words, ...dataDir);
    expect(run.exitCode).toBe(exitCode);
    expect(run.stderr).toContain(code);
  });

  test.each([
    ['a time that is none', ['--expires', 'soon'], 'E_USAGE'],
    ['an issuer that is not there', ['--issuer', 'nobody'], 'E_KEY_NOT_FOUND'],
    ['a seed file that is not there', ['--issuer', './nobody.nk'], 'E_KEY_NOT_FOUND'],
    ['a module key as issuer', ['--issuer', 'module-x'], 'E_KEY'],
    ['an account as subject', ['--subject', 'account'], 'E_KEY'],
    ['a name with a line end', ['--name', 'a\nb'], 'E_TOKEN_CLAIMS'],
    ['a destination that is no place', ['-d', '/proc/none/x.wasm'], 'E_USAGE'],
  ])('sign: %s is refused in one line', async (_name, words, code) => {
    await runCommand('keys', 'gen', 'module', '--name', 'module-x', ...dataDir);
    const run = await runCommand('claims', 'sign', file, ...words, ...dataDir);
    expect(run.stderr.trim().split('\n')[0]).toMatch(new RegExp(`^${code}: `));
    expect(run.exitCode).not.toBe(0);
    expect(readdirSync(folder)).not.toContain('echo_s.wasm');
  });
});

describe('wattle keys', () => {
  test('a generated key is listed, its seed is in its file only', async () => {
    const made = await runCommand('keys', 'gen', 'provider', '--name', 'store', ...dataDir);
    expect(made.stdout).toMatch(/^V[A-Z2-7]{55}\n$/);
    expect(made.stdout + made.stderr).not.toMatch(/\bSV/);
    const path = inFolder('data/keys/store.nk');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const keys = await json('keys', 'list', ...dataDir);
    expect(keys).toContainEqual({
      name: 'store',
      type: 'service',
      publicKey: made.stdout.trim(),
      trusted: false,
      path,
    });
    expect(JSON.stringify(keys)).not.toContain(readFileSync(path, 'utf8').trim());
  });

  test('the seed is printed when asked for', async () => {
    const { stdout } = await runCommand('keys', 'gen', 'account', '--show-seed', ...dataDir);
    expect(stdout).toMatch(/^A[A-Z2-7]{55}\nSA[A-Z2-7]{56}\n$/);
  });

  test('trust shows in the list and ends with untrust', async () => {
    const { publicKey } = createKeyPair('account');
    await runCommand('keys', 'trust', publicKey, ...dataDir);
    expect(await json('keys', 'list', ...dataDir)).toContainEqual({ type: 'account', publicKey, trusted: true });
    await runCommand('keys', 'untrust', publicKey, ...dataDir);
    expect(JSON.stringify(await json('keys', 'list', ...dataDir))).not.toContain(publicKey);
  });

  test('a key is inspected by name, by text and by seed, which is never repeated', async () => {
    const pair = createKeyPair('module');
    expect(await json('keys', 'inspect', pair.publicKey, ...dataDir)).toEqual({
      type: 'module',
      publicKey: pair.publicKey,
      trusted: false,
    });
    expect(await json('keys', 'inspect', 'account', ...dataDir)).toMatchObject({ type: 'account', trusted: true });
    const bySeed = await runCommand('keys', 'inspect', pair.seed, ...dataDir);
    expect(bySeed.stdout).toContain(pair.publicKey);
    expect(bySeed.stdout + bySeed.stderr).not.toContain(pair.seed);
  });

  test.each([
    ['gen', 'frob', 'E_USAGE'],
    ['trust', createKeyPair('module').publicKey, 'E_KEY'],
    ['untrust', createKeyPair('account').publicKey, 'E_KEY_NOT_FOUND'],
    ['inspect', 'nobody', 'E_KEY_NOT_FOUND'],
    ['inspect', `${createKeyPair('account').publicKey.slice(0, -1)}=`, 'E_KEY_NOT_FOUND'],
    ['inspect', `${createKeyPair('account').publicKey}A`, 'E_KEY'],
  ])('%s %s is refused with %s', async (verb, word, code) => {
    const run = await runCommand('keys', verb, word, ...dataDir);
    expect(run.stderr).toMatch(new RegExp(`^${code}: `));
  });
});
