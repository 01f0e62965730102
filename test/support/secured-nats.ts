// NATS systems as others run them: a nats-server with a configuration of the test, which asks for an nkey, for credentials
// of an operator, or for certificates. Keys, tokens and certificates are made here, for the test alone.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GuardedProcess } from '../../lattice/guarded-process.ts';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { createKeyPair, type KeyPair } from '../../lattice/nkeys.ts';
import { eventually } from './eventually.ts';
import { cacheDir } from './nats.ts';

export interface SecuredNats extends AsyncDisposable {
  readonly url: string;
  /** Ends the server and starts it again on the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface SecuredNatsOptions {
  /** Its store and configuration; one server a directory. */
  readonly dataDir: string;
  /** Further lines of the configuration. */
  readonly config: string;
  /** Default true. */
  readonly jetStream?: boolean;
}

/** Starts a nats-server on a port of the system; resolves when it listens. */
export async function startSecuredNats({
  dataDir,
  config,
  jetStream = true,
}: SecuredNatsOptions): Promise<SecuredNats> {
  const { path } = await findNatsBinary({ cacheDir });
  const configFile = join(dataDir, 'nats.conf');
  let port = -1;
  let server: GuardedProcess | undefined;
  const start = async (): Promise<void> => {
    const text = [
      'host: "127.0.0.1"',
      `port: ${port}`,
      ...(jetStream ? [`jetstream { store_dir: ${JSON.stringify(join(dataDir, 'store'))} }`] : []),
      config,
    ].join('\n');
    await writeFile(configFile, text);
    let log = '';
    const child = GuardedProcess.start({
      command: path,
      words: ['-c', configFile],
      onLine: (line) => (log += `${line}\n`),
    });
    server = child;
    // the ports file that nats-ports.ts reads is not for TLS
    await eventually(() => !child.running || /Server is ready/.test(log), { what: 'nats-server to be ready' });
    port = Number(/client connections on 127\.0\.0\.1:(\d+)/.exec(log)?.[1] ?? 0);
    if (port === 0) throw new Error(`nats-server did not start:\n${log}`);
  };
  const stop = async (): Promise<void> => server?.[Symbol.asyncDispose]();
  await start();
  return { url: `nats://127.0.0.1:${port}`, start, stop, [Symbol.asyncDispose]: stop };
}

/** Writes a file only we may read, and gives its path. */
export async function writeSecret(dir: string, name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as NATS accounts use them (JWT v2, algorithm `ed25519-nkey`). */
function signToken(issuer: KeyPair, subject: string, nats: object, expiresAt?: number): string {
  const head = base64url({ typ: 'JWT', alg: 'ed25519-nkey' });
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = { jti: subject, iat: issuedAt, iss: issuer.publicKey, sub: subject, name: 'test' };
  const body = base64url({ ...claims, ...(expiresAt ? { exp: expiresAt } : {}), nats: { ...nats, version: 2 } });
  const signature = Buffer.from(issuer.sign(Buffer.from(`${head}.${body}`))).toString('base64url');
  return `${head}.${body}.${signature}`;
}

const unlimited = { subs: -1, data: -1, payload: -1 };
const accountLimits = {
  ...unlimited,
  ...{ imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
  ...{ mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 },
};

export interface Operator {
  /** Lines of the configuration of a server that trusts it, with its accounts in memory. */
  readonly config: string;
  /** Text of a credentials file for a new user; of an account the server does not know when `foreign`. */
  createCreds(options?: { foreign?: boolean; expiresAt?: number }): string;
}

/** An operator with one account for users and one for the system, which JetStream wants. */
export function createOperator(): Operator {
  const [operator, system, account, unknown] = [
    createKeyPair('operator'),
    createKeyPair('account'),
    createKeyPair('account'),
    createKeyPair('account'),
  ];
  const signAccount = (pair: KeyPair, limits: object): string =>
    signToken(operator, pair.publicKey, { type: 'account', limits });
  return {
    config: [
      `operator: ${signToken(operator, operator.publicKey, { type: 'operator' })}`,
      'resolver: MEMORY',
      `system_account: ${system.publicKey}`,
      'resolver_preload: {',
      `  ${system.publicKey}: ${signAccount(system, { ...accountLimits, mem_storage: 0, disk_storage: 0 })}`,
      `  ${account.publicKey}: ${signAccount(account, accountLimits)}`,
      '}',
    ].join('\n'),
    createCreds({ foreign = false, expiresAt } = {}) {
      const user = createKeyPair('user');
      const issuer = foreign ? unknown : account;
      const token = signToken(issuer, user.publicKey, { type: 'user', pub: {}, sub: {}, ...unlimited }, expiresAt);
      return [
        '-----BEGIN NATS USER JWT-----',
        token,
        '------END NATS USER JWT------',
        '',
        '-----BEGIN USER NKEY SEED-----',
        user.seed,
        '------END USER NKEY SEED------',
        '',
      ].join('\n');
    },
  };
}

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A CA of its own, and a certificate of it for 127.0.0.1 that serves servers and clients; paths of PEM files. */
export async function createCertificates(dir: string, name: string): Promise<Certificates> {
  const path = (what: string): string => join(dir, `${name}-${what}.pem`);
  const openssl = (...words: string[]): void => void execFileSync('openssl', words, { stdio: 'pipe' });
  const created = ['-newkey', 'ed25519', '-noenc', '-days', '2'];
  openssl('req', '-x509', ...created, '-subj', `/CN=${name} CA`, '-keyout', path('ca-key'), '-out', path('ca'));
  openssl(
    ...['req', '-x509', ...created, '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth,clientAuth'],
    ...['-CA', path('ca'), '-CAkey', path('ca-key'), '-keyout', path('key'), '-out', path('cert')],
  );
  return { ca: path('ca'), cert: path('cert'), key: path('key') };
}
