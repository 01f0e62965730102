import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Keyring, openKeyring, readSeedFile } from '../../../lattice/keyring.ts';
import { createKeyPair } from '../../../lattice/nkeys.ts';

const run = promisify(execFile);
const code = (name: string) => expect.objectContaining({ code: name });

let dataDir: string;
let ring: Keyring;
beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'wattle-keys-')), 'data');
  ring = openKeyring(dataDir);
});
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true }));

const mode = (path: string): number => statSync(path).mode & 0o777;

describe('keys of the machine', () => {
  it('the account, the cluster, a host and a module get a key on first use and keep it', async () => {
    const first = [await ring.account(), await ring.cluster(), await ring.host('blue'), await ring.module('Echo')];
    expect(first.map(({ type }) => type)).toEqual(['account', 'cluster', 'host', 'module']);
    const again = openKeyring(dataDir);
    const second = [await again.account(), await again.cluster(), await again.host('blue'), await again.module('Echo')];
    expect(second.map(({ seed }) => seed)).toEqual(first.map(({ seed }) => seed));
  });

  it('key files are open to their owner only', async () => {
    await ring.account();
    expect(mode(join(dataDir, 'keys'))).toBe(0o700);
    expect(mode(join(dataDir, 'keys', 'account.nk'))).toBe(0o600);
  });

  it('twenty first uses at once make one key', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => openKeyring(dataDir).account()));
    expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1);
    expect(readdirSync(join(dataDir, 'keys'))).toEqual(['account.nk']);
  });

  it('processes that start at once make one key', async () => {
    const module = fileURLToPath(new URL('../../../lattice/keyring.ts', import.meta.url));
    const script = `import { openKeyring } from ${JSON.stringify(module)};
      console.log((await openKeyring(process.argv[1]).account()).publicKey)`;
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, ['--input-type=module', '-e', script, dataDir])),
    );
    expect(new Set(outputs.map(({ stdout }) => stdout.trim())).size).toBe(1);
  }, 20_000);

  it('a file or folder open to others is refused with what to do', async () => {
    await ring.account();
    const file = join(dataDir, 'keys', 'account.nk');
    chmodSync(file, 0o640);
    await expect(ring.account()).rejects.toMatchObject({ code: 'E_KEY_FILE', hint: `Close it: chmod 600 ${file}` });
    chmodSync(file, 0o600);
    chmodSync(join(dataDir, 'keys'), 0o755);
    await expect(ring.account()).rejects.toThrow(code('E_KEY_FILE'));
    await expect(ring.generate('module')).rejects.toThrow(code('E_KEY_FILE'));
  });

  it('a file that holds no seed, or one of another type, is refused without repeating it', async () => {
    await ring.account();
    const file = join(dataDir, 'keys', 'account.nk');
    writeFileSync(file, 'SAnonsense');
    await expect(ring.account()).rejects.toThrow(code('E_KEY'));
    await expect(ring.account()).rejects.not.toThrow('nonsense');
    writeFileSync(file, createKeyPair('module').seed);
    await expect(ring.account()).rejects.toThrow(code('E_KEY'));
  });
});

describe('named keys', () => {
  it('a key made under a name is found by name and by public key, and listed', async () => {
    const made = await ring.generate('service', 'my-store');
    expect((await ring.find('my-store')).publicKey).toBe(made.publicKey);
    expect((await ring.find(made.publicKey)).publicKey).toBe(made.publicKey);
    expect((await readSeedFile(made.path)).publicKey).toBe(made.publicKey);
    const unnamed = await ring.generate('module');
    expect(unnamed.name).toBe(unnamed.publicKey);
    expect((await ring.list()).map(({ name, type }) => [name, type])).toEqual(
      [
        ['my-store', 'service'],
        [unnamed.name, 'module'],
      ].sort(([a], [b]) => (a! < b! ? -1 : 1)),
    );
  });

  it('a name that is taken is refused and the key stays', async () => {
    const made = await ring.generate('account', 'ci');
    await expect(ring.generate('account', 'ci')).rejects.toThrow(code('E_CONFLICT'));
    expect((await ring.find('ci')).publicKey).toBe(made.publicKey);
  });

  it.each(['', '.', '..', '../account', 'a/b', '-x', 'a b', 'a\0', 'x'.repeat(129)])(
    'the name %j is refused',
    async (name) => {
      await expect(ring.generate('account', name)).rejects.toThrow(code('E_KEY'));
    },
  );

  it('a key that is not there is an answer', async () => {
    expect(await ring.list()).toEqual([]);
    await expect(ring.find('nobody')).rejects.toThrow(code('E_KEY_NOT_FOUND'));
  });

  it('any module name gets a file of its own', async () => {
    expect((await ring.module('Key Value/Counter ☃')).type).toBe('module');
    expect((await ring.list())[0]!.name).toMatch(/^module-Key_Value_Counter__-[0-9a-f]{8}$/);
    expect((await ring.module('a b')).publicKey).not.toBe((await ring.module('a_b')).publicKey);
  });
});

describe('trusted accounts', () => {
  it('the own account is trusted, others are after trust and until untrust', async () => {
    const own = (await ring.account()).publicKey;
    const other = createKeyPair('account').publicKey;
    expect(await ring.trusted()).toEqual([own]);
    await ring.trust(other);
    await ring.trust(other);
    expect(await openKeyring(dataDir).trusted()).toEqual([own, other]);
    expect(JSON.parse(readFileSync(join(dataDir, 'trust.json'), 'utf8'))).toEqual({ accounts: [other] });
    await ring.untrust(other);
    expect(await ring.trusted()).toEqual([own]);
    await expect(ring.untrust(other)).rejects.toThrow(code('E_KEY_NOT_FOUND'));
  });

  it('only account keys can be trusted', async () => {
    await expect(ring.trust(createKeyPair('module').publicKey)).rejects.toThrow(code('E_KEY'));
    await expect(ring.trust('A')).rejects.toThrow(code('E_KEY'));
  });

  it('a list that others can write, or that is not a list of keys, is refused', async () => {
    await ring.trust(createKeyPair('account').publicKey);
    const path = join(dataDir, 'trust.json');
    chmodSync(path, 0o666);
    await expect(ring.trusted()).rejects.toThrow(code('E_KEY_FILE'));
    chmodSync(path, 0o600);
    writeFileSync(path, '{"accounts":["A"]}');
    await expect(ring.trusted()).rejects.toThrow(code('E_KEY_FILE'));
  });
});
