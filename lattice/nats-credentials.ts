// How a connection signs in: credentials file, user seed, certificates, each from a file the user named. Every file is read
// and checked before the first byte is sent, so that a wrong one is a line with its name and no riddle of the server's. No
// message repeats what a file holds. File modes are not looked at: secrets mounted into containers are open by design.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  jwtAuthenticator,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  type TlsOptions,
} from 'nats';
import { WattleError } from './errors.ts';
import { parseSeed } from './nkeys.ts';

/** Where the system is, and the paths of files that open it. */
export interface Credentials {
  /** `nats://HOST:PORT`, or `tls://…` to insist on TLS. */
  readonly url: string;
  /** User token and seed between BEGIN and END lines, as `nsc` writes them. */
  readonly creds?: string | undefined;
  /** Seed of a user (SU…). */
  readonly nkey?: string | undefined;
  /** Certificates, PEM; what the system trusts when absent. */
  readonly tlsCa?: string | undefined;
  /** Certificate of this client and its key, PEM; one needs the other. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    throw new WattleError('E_SETTING', `cannot read ${path} (${flag}): ${reasons[code] ?? code}`, {
      hint: 'Name a file that can be read.',
      cause,
    });
  }
}

/** Without a cause: what a parser says may quote the text. */
const malformed = (flag: string, path: string, what: string, hint: string): WattleError =>
  new WattleError('E_SETTING', `${path} (${flag}) ${what}`, { hint });

function checkUserSeed(flag: string, path: string, seed: string): Uint8Array {
  let reason = 'is not the seed of a user (SU…)';
  try {
    if (parseSeed(seed).type === 'user') return Buffer.from(seed);
  } catch (thrown) {
    if (thrown instanceof WattleError) reason = `holds no seed of a user (SU…): ${thrown.message}`;
  }
  throw malformed(flag, path, reason, 'Make one with `wattle keys gen user`.');
}

function readNkey(path: string): Authenticator {
  return nkeyAuthenticator(checkUserSeed('--nats-nkey', path, readText('--nats-nkey', path).trim()));
}

function readCreds(path: string): Authenticator {
  const flag = '--nats-creds';
  const sections = [...readText(flag, path).matchAll(/-{3,}\s*BEGIN [^\n]*-{3,}\s+(\S+)\s+-{3,}\s*END /g)];
  const [token, seed] = sections.map((match) => match[1]!);
  if (!token || !seed || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token))
    throw malformed(
      flag,
      path,
      'is no NATS credentials file: it must hold a user token and a seed',
      'Make one with `nsc generate creds`.',
    );
  return jwtAuthenticator(token, checkUserSeed(flag, path, seed));
}

/** Signs in with what the file holds at that time: tokens expire and are renewed in place. A broken renewal keeps the last. */
function renew(path: string, read: (path: string) => Authenticator): Authenticator {
  let current = read(path);
  let first = true;
  return (nonce) => {
    try {
      if (!first) current = read(path);
    } catch {
      // half written or gone for a moment: the server decides whether the last one still counts
    }
    first = false;
    return current(nonce);
  };
}

function readCertificate(flag: string, path: string): X509Certificate {
  const text = readText(flag, path);
  try {
    return new X509Certificate(text);
  } catch {
    throw malformed(flag, path, 'holds no certificate', 'A certificate is PEM text: -----BEGIN CERTIFICATE-----.');
  }
}

function checkClientKey(path: string, certificate: X509Certificate, certificatePath: string): void {
  const flag = '--nats-tls-key';
  const text = readText(flag, path);
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(text));
  } catch {
    throw malformed(
      flag,
      path,
      'holds no private key without a passphrase',
      'A key is PEM text: -----BEGIN PRIVATE KEY-----.',
    );
  }
  if (!matches)
    throw malformed(
      flag,
      path,
      `is not the key of the certificate in ${certificatePath}`,
      'Name the key it was made with.',
    );
}

/** Throws E_SETTING for what is no URL, and for one with a user in it: the client would ignore that, and we print URLs. */
function parseUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `nats://${text}`);
  const hint = 'Name host and port, as in nats://10.0.0.5:4222; sign in with --nats-creds FILE or --nats-nkey FILE.';
  if (!url?.hostname) throw new WattleError('E_SETTING', 'the NATS URL is none', { hint });
  if (url.username || url.password)
    throw new WattleError('E_SETTING', 'the NATS URL carries a user or password', { hint });
  return url;
}

/**
 * Undefined leaves TLS to what the server offers. Paths go to the client, which reads them at each connect: certificates are
 * renewed in place as well. Without `host` it would hold the certificate of a server named by address against "localhost".
 */
function planTls({ url, tlsCa, tlsCert, tlsKey }: Credentials): (TlsOptions & { readonly host: string }) | undefined {
  const { protocol, hostname } = parseUrl(url);
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new WattleError('E_SETTING', '--nats-tls-cert and --nats-tls-key are given together or not at all');
  if (tlsCa === undefined && tlsCert === undefined && protocol !== 'tls:') return undefined;
  if (tlsCa !== undefined) readCertificate('--nats-tls-ca', tlsCa);
  if (tlsCert !== undefined && tlsKey !== undefined)
    checkClientKey(tlsKey, readCertificate('--nats-tls-cert', tlsCert), tlsCert);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(tlsCa === undefined ? {} : { caFile: tlsCa }),
    ...(tlsCert === undefined ? {} : { certFile: tlsCert }),
    ...(tlsKey === undefined ? {} : { keyFile: tlsKey }),
  };
}

/** What they give the NATS client. Throws E_SETTING naming the flag and the file that is missing or malformed. */
export function readCredentials(given: Credentials): Pick<NodeConnectionOptions, 'authenticator' | 'tls'> {
  const { creds, nkey } = given;
  if (creds !== undefined && nkey !== undefined)
    throw new WattleError('E_SETTING', '--nats-creds and --nats-nkey are two ways to sign in: give one of them');
  const tls = planTls(given);
  return {
    ...(creds === undefined ? {} : { authenticator: renew(creds, readCreds) }),
    ...(nkey === undefined ? {} : { authenticator: renew(nkey, readNkey) }),
    ...(tls ? { tls } : {}),
  };
}
