// Joining a NATS system that others run: every way to sign in, every way to be refused, and what happens to requests when the
// system goes away. Real servers with real keys, tokens and certificates.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectionOptions, LatticeConnection } from '../../lattice/connection.ts';
import { WattleError } from '../../lattice/errors.ts';
import { openKeyring } from '../../lattice/keyring.ts';
import { createKeyPair } from '../../lattice/nkeys.ts';
import { eventually } from '../support/eventually.ts';
import { runWattle, startWattle } from '../support/platform.ts';
import {
  type Certificates,
  createCertificates,
  createOperator,
  type SecuredNats,
  startSecuredNats,
  writeSecret,
} from '../support/secured-nats.ts';
import { startTemporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts';
import { echoActor } from '../support/wat.ts';

let directory: TemporaryDirectory;
let dir: string;
beforeAll(async () => {
  directory = await startTemporaryDirectory();
  dir = directory.path;
});
afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

type SignIn = Omit<ConnectionOptions, 'lattice' | 'name'>;
const connect = (options: SignIn): Promise<LatticeConnection> =>
  LatticeConnection.start({ ...options, lattice: 'test', name: 'test' });

let servers = 0;
async function startServer(config: string, jetStream = true): Promise<SecuredNats> {
  const dataDir = join(dir, `server-${++servers}`);
  await mkdir(dataDir);
  return startSecuredNats({ dataDir, config, jetStream });
}

/** Joins and uses what a host needs first: a bucket. */
async function expectJoined(options: SignIn): Promise<void> {
  await using connection = await connect(options);
  const bucket = await connection.bucket('LATTICEDATA_test');
  await bucket.put('key', 'value');
  expect((await bucket.get('key'))?.string()).toBe('value');
}

async function refusalOf(attempt: Promise<unknown>): Promise<WattleError> {
  const thrown = await attempt.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  );
  if (thrown instanceof WattleError) return thrown;
  throw thrown;
}

/** Nothing printed, and no part of an error, looks like it. */
const seedPattern = /S[A-Z][A-Z2-7]{56}/;

describe('a system with nkeys', () => {
  const user = createKeyPair('user');
  let nats: SecuredNats;
  let seedFile: string;
  beforeAll(async () => {
    nats = await startServer(`authorization { users: [{ nkey: ${user.publicKey} }] }`);
    seedFile = await writeSecret(dir, 'user.nk', `${user.seed}\n`);
  });
  afterAll(() => nats[Symbol.asyncDispose]());

  test('is joined with the seed of a user it knows', () => expectJoined({ url: nats.url, nkey: seedFile }));

  test('refuses strangers, and the error says how to sign in', async () => {
    const stranger = await writeSecret(dir, 'stranger.nk', createKeyPair('user').seed);
    for (const nkey of [undefined, stranger]) {
      const { code, message, hint } = await refusalOf(connect({ url: nats.url, nkey }));
      expect({ code, message }).toEqual({
        code: 'E_LATTICE',
        message: `cannot reach the lattice at ${nats.url}: Authorization Violation`,
      });
      expect(hint).toContain('--nats-nkey FILE');
    }
  });

  test('is joined by commands with --nats-nkey, and refusals are one line and a hint', async () => {
    const list = ['host', 'list', '--nats-url', nats.url];
    const joined = await runWattle([...list, '--nats-nkey', seedFile, '--output', 'json']);
    expect(joined).toMatchObject({ code: 0, stdout: '[]\n', stderr: '' });
    const refused = await runWattle(list);
    expect(refused.code).toBe(69);
    expect(refused.stderr).toMatch(/^E_LATTICE: .*Authorization Violation\n {2}→ Sign in with .*\n$/);
    const missing = await runWattle([...list, '--nats-nkey', join(dir, 'none.nk')]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(
      /^E_SETTING: cannot read \S+none\.nk \(--nats-nkey\): there is no such file\n {2}→ .*\n$/,
    );
  });
});

describe('a system with an operator', () => {
  const operator = createOperator();
  let nats: SecuredNats;
  let creds: string;
  beforeAll(async () => {
    nats = await startServer(operator.config);
    creds = await writeSecret(dir, 'user.creds', operator.createCreds());
  });
  afterAll(() => nats[Symbol.asyncDispose]());

  test('is joined with credentials of an account it knows, also with Windows line ends', async () => {
    await expectJoined({ url: nats.url, creds });
    const text = operator.createCreds().replaceAll('\n', '\r\n');
    await expectJoined({ url: nats.url, creds: await writeSecret(dir, 'windows.creds', text) });
  });

  test('refuses those of another account, and expired ones', async () => {
    for (const options of [{ foreign: true }, { expiresAt: 1_000_000_000 }]) {
      const wrong = await writeSecret(dir, 'wrong.creds', operator.createCreds(options));
      const error = await refusalOf(connect({ url: nats.url, creds: wrong }));
      expect(String(error.message)).toMatch(/Authorization Violation$/);
      expect(error.hint).toContain('--nats-creds FILE');
    }
  });

  test('is joined again when the credentials expired and their file was renewed', async () => {
    const expiresAt = Math.floor(Date.now() / 1000) + 2;
    const short = await writeSecret(dir, 'short.creds', operator.createCreds({ expiresAt }));
    await using connection = await connect({ url: nats.url, creds: short });
    const seen: string[] = [];
    void (async () => {
      for await (const { type } of connection.nats.status()) seen.push(type);
    })();
    await writeSecret(dir, 'short.creds', 'half wri');
    await eventually(() => seen.includes('disconnect'), { what: 'the server to end the session' });
    await writeSecret(dir, 'short.creds', operator.createCreds());
    // within the second in which they expire the server may take the old ones once more
    const isBack = () => Date.now() / 1000 > expiresAt + 1 && connection.nats.flush().then(() => true);
    await eventually(isBack, { what: 'the connection to come back' });
  });

  test('is joined by a host started with --nats-creds', async () => {
    const dataDir = join(dir, 'creds-host');
    const words = ['--nats-url', nats.url, '--nats-creds', creds];
    await using host = await startWattle(['host', 'start', '--data-dir', dataDir, '--name', 'afar', ...words]);
    const { stdout } = await runWattle(['host', 'list', ...words, '--output', 'json']);
    expect(JSON.parse(stdout)).toMatchObject([{ friendly_name: 'afar' }]);
    expect(host.output()).not.toMatch(seedPattern);
    expect(host.output()).not.toContain('eyJ');
  });
});

describe('a system with TLS', () => {
  let own: Certificates;
  let other: Certificates;
  let nats: SecuredNats;
  let mutual: SecuredNats;
  beforeAll(async () => {
    own = await createCertificates(dir, 'own');
    other = await createCertificates(dir, 'other');
    const tls = (verify: boolean): string =>
      `tls { cert_file: "${own.cert}", key_file: "${own.key}", ca_file: "${own.ca}", verify: ${verify} }`;
    [nats, mutual] = await Promise.all([startServer(tls(false)), startServer(tls(true))]);
  });
  afterAll(async () => {
    await nats[Symbol.asyncDispose]();
    await mutual[Symbol.asyncDispose]();
  });

  test('is joined by its address when its CA is named', () => expectJoined({ url: nats.url, tlsCa: own.ca }));

  test('is not joined with another CA or none, and the error names the certificate', async () => {
    for (const tlsCa of [other.ca, undefined]) {
      const error = await refusalOf(connect({ url: nats.url, tlsCa }));
      expect(error.code).toBe('E_LATTICE');
      expect(error.message).toMatch(/: unable to verify the first certificate$/);
      expect(error.hint).toContain('--nats-tls-ca FILE');
    }
  });

  test('is not joined under a name its certificate is not for', async () => {
    const url = nats.url.replace('127.0.0.1', 'localhost');
    const error = await refusalOf(connect({ url, tlsCa: own.ca }));
    expect(error.message).toContain("does not match certificate's altnames");
    expect(error.hint).toContain('--nats-url');
  });

  test('that asks for client certificates is joined with one of its CA only', async () => {
    await expectJoined({ url: mutual.url, tlsCa: own.ca, tlsCert: own.cert, tlsKey: own.key });
    for (const pair of [{}, { tlsCert: other.cert, tlsKey: other.key }]) {
      const error = await refusalOf(connect({ url: mutual.url, tlsCa: own.ca, timeoutMs: 500, ...pair }));
      expect(error.code).toBe('E_LATTICE');
      expect(error.hint).toContain('--nats-tls-cert FILE');
    }
  });

  test('is told from one without, which a tls:// address does not accept', async () => {
    await using plain = await startServer('');
    const url = plain.url.replace('nats:', 'tls:');
    for (const options of [{ url }, { url: plain.url, tlsCa: own.ca }]) {
      const error = await refusalOf(connect(options));
      expect(error.message).toMatch(/does not support 'tls'$/);
    }
  });

  test('is joined by commands with --nats-tls-ca', async () => {
    const joined = await runWattle(['host', 'list', '--nats-url', nats.url, '--nats-tls-ca', own.ca]);
    expect(joined).toMatchObject({ code: 0, stdout: 'No host answers.\n' });
  });
});

test('A system without JetStream is refused with a hint, and a host does not start on it', async () => {
  await using nats = await startServer('', false);
  await using connection = await connect({ url: nats.url });
  const error = await refusalOf(connection.bucket('LATTICEDATA_test'));
  expect(error.message).toBe('cannot open bucket LATTICEDATA_test: jetstream is not enabled');
  expect(error.hint).toContain('JetStream');
  const host = await runWattle(['host', 'start', '--data-dir', join(dir, 'no-js'), '--nats-url', nats.url]);
  expect(host.code).toBe(69);
  expect(host.stderr).toMatch(/^E_LATTICE: .*jetstream is not enabled\n {2}→ .*JetStream.*\n$/m);
});

describe('a request in flight when the system goes away', () => {
  test('fails at once, as does one sent meanwhile; when it is back they are answered again', async () => {
    await using nats = await startServer('');
    await using connection = await connect({ url: nats.url });
    const subscription = connection.nats.subscribe('question', { callback: () => undefined });
    const missing = new WattleError('E_NO_HOST', 'nobody listens');
    const request = refusalOf(connection.requestJson('question', undefined, 60_000, missing));
    await eventually(() => subscription.getReceived() === 1, { what: 'the request to arrive' });
    const startedAt = performance.now();
    await nats.stop();
    expect((await request).code).toBe('E_LATTICE');
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect((await refusalOf(connection.requestJson('echo', undefined, 60_000, missing))).code).toBe('E_LATTICE');
    connection.nats.subscribe('echo', { callback: (_error, message) => void message.respond(message.data) });
    await nats.start();
    const answer = () => connection.requestJson('echo', { n: 1 }, 1000, missing);
    expect(await eventually(answer, { what: 'an answer' })).toEqual({ n: 1 });
  });

  test('ends the command that sent it, also while the system is away', async () => {
    await using nats = await startServer('');
    await using connection = await connect({ url: nats.url });
    const subscription = connection.nats.subscribe('wasmbus.>', { callback: () => undefined });
    await connection.nats.flush();
    const words = ['call', 'silent', 'Op', '--nats-url', nats.url, '--data-dir', join(dir, 'caller')];
    const running = runWattle([...words, '--timeout', '60000']);
    await eventually(() => subscription.getReceived() === 1, { what: 'the call to arrive' });
    const startedAt = performance.now();
    await nats.stop();
    const { code, stderr } = await running;
    expect(performance.now() - startedAt).toBeLessThan(8000);
    expect(stderr).toMatch(
      /^E_LATTICE: the connection to nats:\S+ was lost while a request was under way\n {2}→ .*\n$/,
    );
    expect(code).toBe(69);
  });
});

describe('invocations signed with another cluster key', () => {
  test('are refused as forged, and accepted from a key that is named', async () => {
    await using nats = await startServer('');
    const module = join(dir, 'echo.wasm');
    await writeFile(module, echoActor());
    const callerDir = join(dir, 'other-caller');
    const cluster = await openKeyring(callerDir).cluster();
    const at = ['--nats-url', nats.url];
    const callOn = async (lattice: string, ...more: string[]) => {
      const words = [...at, '--lattice', lattice];
      const start = ['host', 'start', '--data-dir', join(dir, lattice), '--allow-unsigned', ...words, ...more];
      await using _host = await startWattle(start);
      const started = await runWattle(['actor', 'start', module, 'echo', ...words]);
      expect(started, started.stderr).toMatchObject({ code: 0 });
      return await runWattle(['call', 'echo', 'Op', 'hello', '--raw', ...words, '--data-dir', callerDir]);
    };
    const [refused, accepted] = await Promise.all([
      callOn('apart'),
      callOn('joined', '--cluster-issuer', cluster.publicKey),
    ]);
    expect(refused.stderr).toMatch(/^E_FORGED: .*\n {2}→ .*cluster/);
    expect(refused.code).toBe(1);
    expect(accepted).toMatchObject({ code: 0, stdout: 'hello' });
  });
});
