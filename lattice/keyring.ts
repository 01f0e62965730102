// The keys of this machine: one file a key under {dataDir}/keys, seed as text, readable by its owner only. Keys the
// machine needs (its account, its cluster, its hosts) are made on first use; a key file, once there, is never rewritten.
import { createHash } from 'node:crypto';
import { chmod, link, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WattleError } from './errors.ts';
import { createKeyPair, type KeyPair, type KeyType, keyLetter, parseKeyOf, parseSeed } from './nkeys.ts';
import { changeTrust, readTrust } from './trust.ts';

export interface KeyEntry {
  /** File name without its ending. */
  readonly name: string;
  readonly type: KeyType;
  readonly publicKey: string;
  readonly path: string;
}

export interface Keyring {
  /** The account (A…) that signs what this machine builds; made on first use. */
  account(): Promise<KeyPair>;
  /** The cluster key (C…) that signs invocations between hosts; made on first use. */
  cluster(): Promise<KeyPair>;
  /** The key (N…) of a host of this machine; made on first use. */
  host(name?: string): Promise<KeyPair>;
  /** The key (M…) of a module by its name: signing the same name again keeps the subject. Made on first use. */
  module(name: string): Promise<KeyPair>;
  /** All keys, by name. */
  list(): Promise<KeyEntry[]>;
  /** Makes a key under a name (default: its public key). Throws E_CONFLICT when the name is taken. */
  generate(type: KeyType, name?: string): Promise<KeyEntry>;
  /** A key by name or public key. Throws E_KEY_NOT_FOUND. */
  find(nameOrPublicKey: string): Promise<KeyPair>;
  /** Accounts whose modules may run: the machine's own, those of trust.json, and `named` (--trust). Throws E_KEY. */
  trusted(named?: readonly string[]): Promise<string[]>;
  trust(account: string): Promise<void>;
  untrust(account: string): Promise<void>;
}

const extension = '.nk';
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** The keyring of a data directory; nothing is read or made before it is asked for. */
export function openKeyring(dataDir: string): Keyring {
  const dir = join(dataDir, 'keys');
  const ensure = (name: string, type: KeyType): Promise<KeyPair> => ensureKey(dir, name, type);
  const account = (): Promise<KeyPair> => ensure('account', 'account');
  return {
    account,
    cluster: () => ensure('cluster', 'cluster'),
    host: (name = 'default') => ensure(`host-${name}`, 'host'),
    module: (name) => ensure(`module-${toFileName(name)}`, 'module'),
    list: () => listKeys(dir),
    generate: (type, name) => generateKey(dir, type, name),
    find: (wanted) => findKey(dir, wanted),
    trusted: async (named = []) => {
      const accounts = named.map((key) => parseKeyOf('account', key).text);
      return [...new Set([(await account()).publicKey, ...(await readTrust(dataDir)), ...accounts])];
    },
    trust: (key) => changeTrust(dataDir, key, true),
    untrust: (key) => changeTrust(dataDir, key, false),
  };
}

/** A module name as part of a file name; where characters are lost a hash keeps two names apart. */
function toFileName(name: string): string {
  if (/^[A-Za-z0-9_.-]{1,100}$/.test(name)) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 80)}-${hash}`;
}

function keyPath(dir: string, name: string): string {
  if (!namePattern.test(name))
    throw new WattleError('E_KEY', `"${name}" cannot name a key`, {
      hint: 'A key name is 1–128 letters, digits, _ . or -, and does not begin with . or -.',
    });
  return join(dir, name + extension);
}

/** Throws E_KEY_FILE when somebody else may read or change the path. */
async function checkMode(path: string, expected: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await lstat(path);
  if ((mode & 0o077) === 0) return;
  throw new WattleError('E_KEY_FILE', `${path} is open to others (mode ${(mode & 0o777).toString(8)})`, {
    hint: `Close it: chmod ${expected} ${path}`,
  });
}

const isMissing = (thrown: unknown): boolean => (thrown as NodeJS.ErrnoException).code === 'ENOENT';
const isTaken = (thrown: unknown): boolean => (thrown as NodeJS.ErrnoException).code === 'EEXIST';

/** Reads a seed file (a path of the user's, or one of the ring). Throws E_KEY_FILE, E_KEY; ENOENT when there is none. */
export async function readSeedFile(path: string): Promise<KeyPair> {
  await checkMode(path, '600');
  const text = (await readFile(path, 'utf8')).trim();
  try {
    return parseSeed(text);
  } catch (cause) {
    throw new WattleError('E_KEY', `${path} does not hold a seed: ${(cause as Error).message}`, { cause });
  }
}

async function readKey(dir: string, name: string): Promise<KeyPair | undefined> {
  const path = keyPath(dir, name);
  try {
    await checkMode(dir, '700');
    return await readSeedFile(path);
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** Writes a key that is not there yet; false when another process was first. The file appears whole or not at all. */
async function writeKey(dir: string, name: string, pair: KeyPair): Promise<boolean> {
  const path = keyPath(dir, name);
  if (await mkdir(dir, { recursive: true, mode: 0o700 })) await chmod(dir, 0o700);
  await checkMode(dir, '700');
  const draft = `${path}.${process.pid}.${pair.publicKey.slice(1, 9)}`;
  try {
    await writeFile(draft, `${pair.seed}\n`, { mode: 0o600, flag: 'wx' });
    await link(draft, path);
    return true;
  } catch (thrown) {
    if (isTaken(thrown)) return false;
    throw thrown;
  } finally {
    await rm(draft, { force: true });
  }
}

async function ensureKey(dir: string, name: string, type: KeyType): Promise<KeyPair> {
  const known = await readKey(dir, name);
  if (known) return requireType(known, type, name);
  const made = createKeyPair(type);
  if (await writeKey(dir, name, made)) return made;
  return requireType((await readKey(dir, name))!, type, name);
}

function requireType(pair: KeyPair, type: KeyType, name: string): KeyPair {
  if (pair.type === type) return pair;
  throw new WattleError('E_KEY', `the key named ${name} is of type ${pair.type}, not ${type} (${keyLetter(type)}…)`);
}

async function generateKey(dir: string, type: KeyType, name?: string): Promise<KeyEntry> {
  const pair = createKeyPair(type);
  const entry = { name: name ?? pair.publicKey, type, publicKey: pair.publicKey };
  if (!(await writeKey(dir, entry.name, pair)))
    throw new WattleError('E_CONFLICT', `a key named ${entry.name} exists already`, { hint: 'Choose another --name.' });
  return { ...entry, path: keyPath(dir, entry.name) };
}

async function listKeys(dir: string): Promise<KeyEntry[]> {
  const files = await readdir(dir).catch((thrown: unknown) => {
    if (isMissing(thrown)) return [];
    throw thrown;
  });
  const names = files.filter((file) => file.endsWith(extension)).map((file) => file.slice(0, -extension.length));
  const entries: KeyEntry[] = [];
  for (const name of names.filter((candidate) => namePattern.test(candidate)).sort()) {
    const pair = await readKey(dir, name);
    if (pair) entries.push({ name, type: pair.type, publicKey: pair.publicKey, path: keyPath(dir, name) });
  }
  return entries;
}

async function findKey(dir: string, wanted: string): Promise<KeyPair> {
  const entry = (await listKeys(dir)).find(({ name, publicKey }) => name === wanted || publicKey === wanted);
  const pair = entry && (await readKey(dir, entry.name));
  if (!pair) throw new WattleError('E_KEY_NOT_FOUND', `no key here is named ${wanted}`);
  return pair;
}
