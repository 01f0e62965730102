// The accounts an operator trusts beside the machine's own: {dataDir}/trust.json. Who can write that file decides whose
// code runs here, so it must be writable by its owner only.
import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { WattleError } from './errors.ts';
import { parseKeyOf } from './nkeys.ts';

const TrustFile = z.strictObject({ accounts: z.array(z.string()) });

const trustPath = (dataDir: string): string => join(dataDir, 'trust.json');

/** Account keys of the file; none when there is no file. Throws E_KEY_FILE, E_KEY. */
export async function readTrust(dataDir: string): Promise<string[]> {
  const path = trustPath(dataDir);
  let text: string;
  try {
    const { mode } = await lstat(path);
    if (process.platform !== 'win32' && (mode & 0o022) !== 0)
      throw new WattleError('E_KEY_FILE', `${path} can be written by others (mode ${(mode & 0o777).toString(8)})`, {
        hint: `Close it: chmod 600 ${path}`,
      });
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
  return parseTrust(text, path);
}

function parseTrust(text: string, path: string): string[] {
  try {
    const { accounts } = TrustFile.parse(JSON.parse(text));
    return accounts.map((account) => parseKeyOf('account', account).text);
  } catch (cause) {
    throw new WattleError('E_KEY_FILE', `${path} is not a list of account keys`, {
      hint: `Correct it, or delete it and trust again with \`wattle keys trust KEY\`.`,
      cause,
    });
  }
}

/** Adds (`trusted`) or removes an account. Throws E_KEY for what is no account key, E_KEY_NOT_FOUND when it was not there. */
export async function changeTrust(dataDir: string, account: string, trusted: boolean): Promise<void> {
  parseKeyOf('account', account);
  const known = await readTrust(dataDir);
  if (!trusted && !known.includes(account))
    throw new WattleError('E_KEY_NOT_FOUND', `${account} is not in the list of trusted accounts`, {
      hint: 'The account of this machine itself is always trusted; `wattle keys list` shows the others.',
    });
  const accounts = trusted ? [...new Set([...known, account])] : known.filter((key) => key !== account);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${trustPath(dataDir)}.${process.pid}.${account.slice(1, 9)}`;
  try {
    await writeFile(draft, `${JSON.stringify({ accounts }, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, trustPath(dataDir));
  } finally {
    await rm(draft, { force: true });
  }
}
