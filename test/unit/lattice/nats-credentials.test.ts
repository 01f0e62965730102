// The files a connection signs in with, and its URL: what is missing, malformed or does not belong together is said in one
// line that names the file, before anybody is asked, and never with what the file holds.
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WattleError } from '../../../lattice/errors.ts';
import { readCredentials } from '../../../lattice/nats-credentials.ts';
import { createKeyPair } from '../../../lattice/nkeys.ts';
import { createCertificates, writeSecret } from '../../support/secured-nats.ts';
import { startTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts';

let directory: TemporaryDirectory;
let dir: string;
beforeAll(async () => {
  directory = await startTemporaryDirectory();
  dir = directory.path;
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function refusalOf(attempt: () => unknown): WattleError {
  try {
    attempt();
  } catch (thrown) {
    if (thrown instanceof WattleError) return thrown;
    throw thrown;
  }
  throw new Error('it was not refused');
}

const seedPattern = /S[A-Z][A-Z2-7]{56}/;

describe('a file that signs in', () => {
  const url = 'nats://127.0.0.1:1';
  const account = createKeyPair('account').seed;
  const user = createKeyPair('user').seed;

  test('is named when it is missing or cannot be read', async () => {
    for (const name of ['creds', 'nkey', 'tlsCa'] as const) {
      const missing = refusalOf(() => readCredentials({ url, [name]: join(dir, 'none') }));
      expect(missing.code).toBe('E_SETTING');
      expect(missing.message).toMatch(/^cannot read \S+none \(--nats-[a-z-]+\): there is no such file$/);
      const folder = refusalOf(() => readCredentials({ url, [name]: dir }));
      expect(folder.message).toMatch(/: it is a directory$/);
    }
  });

  test('is named when it is malformed, and what it holds is not repeated', async () => {
    const changed = `${user.slice(0, 20)}${user[20] === 'A' ? 'B' : 'A'}${user.slice(21)}`;
    const seeds = [account, user.slice(0, -1), changed, ''];
    const token = 'eyJ.eyJ.sig';
    const section = (name: string, text: string): string => `-----BEGIN ${name}-----\n${text}\n-----END ${name}-----\n`;
    const texts = {
      nkey: seeds,
      creds: [user, section('JWT', token), section('JWT', 'x') + section('SEED', user)].concat(
        seeds.map((seed) => section('JWT', token) + section('SEED', seed)),
      ),
      tlsCa: [user, section('CERTIFICATE', user)],
    };
    for (const [name, values] of Object.entries(texts))
      for (const text of values) {
        const path = await writeSecret(dir, 'malformed', text);
        const error = refusalOf(() => readCredentials({ url, [name]: path }));
        expect(error.code, text).toBe('E_SETTING');
        expect(error.message).toContain(path);
        expect(inspect(error, { depth: 9 })).not.toMatch(seedPattern);
      }
  });

  test('comes with its other half, and they belong together', async () => {
    const [one, two] = [await createCertificates(dir, 'one'), await createCertificates(dir, 'two')];
    const pair = { tlsCert: one.cert, tlsKey: one.key };
    const refused = [
      { tlsCert: one.cert },
      { tlsKey: one.key },
      { ...pair, tlsKey: two.key },
      { ...pair, tlsKey: one.cert },
      { creds: 'a', nkey: 'b' },
    ];
    const errors = refused.map((files) => refusalOf(() => readCredentials({ url, ...files })));
    expect(errors.map(({ code }) => code)).toEqual(refused.map(() => 'E_SETTING'));
    expect(errors.map(({ message }) => message.replaceAll(`${dir}/`, ''))).toEqual([
      '--nats-tls-cert and --nats-tls-key are given together or not at all',
      '--nats-tls-cert and --nats-tls-key are given together or not at all',
      'two-key.pem (--nats-tls-key) is not the key of the certificate in one-cert.pem',
      'one-cert.pem (--nats-tls-key) holds no private key without a passphrase',
      '--nats-creds and --nats-nkey are two ways to sign in: give one of them',
    ]);
  });

  test('is what signs in: a URL with a password in it is refused and not repeated', async () => {
    for (const odd of [
      'nats://me:hunter2@127.0.0.1:1',
      'me:hunter2@127.0.0.1',
      'nats://hunter2@h:1,nats://b:2',
      'hunter 2',
    ]) {
      const { code, message, hint } = refusalOf(() => readCredentials({ url: odd }));
      expect(code).toBe('E_SETTING');
      expect(message + hint).not.toContain('hunter');
    }
  });
});
