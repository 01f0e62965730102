// Signs modules, and reads the claims of modules without trusting them (for `wattle claims inspect`; code that decides
// whether a module may run calls verifyModule).
import { type Claims, digestOf, parseModuleMetadata, toClaims } from './claims.ts';
import { appendToken, readEmbeddedToken, removeToken, upperHash } from './embedding.ts';
import { toWattleError, WattleError } from './errors.ts';
import { type KeyPair, parseKeyOf } from './nkeys.ts';
import { readToken, signToken, type Token, verifyToken } from './token.ts';

/** What the signer states; see Claims for the meaning of each. */
export interface ClaimsDraft {
  readonly name: string;
  readonly capabilities?: readonly string[] | undefined;
  readonly callAlias?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly revision?: number | undefined;
  readonly version?: string | undefined;
  readonly expiresAt?: Date | undefined;
  readonly notBefore?: Date | undefined;
}

export interface Signers {
  /** Account that signs. */
  readonly issuer: KeyPair;
  /** Key of the module (M…); only its public half is used. */
  readonly subject: KeyPair | string;
  readonly claims: ClaimsDraft;
}

/**
 * Returns the module with its claims as last section, in place of any it had. Works for core modules and components.
 * Throws E_KEY for keys of the wrong type, E_WASM_MALFORMED, E_SIG_NESTED, E_TOKEN_CLAIMS.
 */
export async function signModule(bytes: Uint8Array, signers: Signers): Promise<Uint8Array> {
  const subject = typeof signers.subject === 'string' ? signers.subject : signers.subject.publicKey;
  parseKeyOf('module', subject);
  parseKeyOf('account', signers.issuer.publicKey);
  const unsigned = removeToken(bytes);
  const token = await signToken(signers.issuer, {
    subject,
    wascap: createMetadata(signers.claims, upperHash(unsigned)),
    expiresAt: signers.claims.expiresAt,
    notBefore: signers.claims.notBefore,
  });
  const signed = appendToken(unsigned, token);
  // what we sign must be what we accept: the reader is stricter than the schema of a token
  parseModuleMetadata(readToken(readEmbeddedToken(signed)!.text).payload);
  return signed;
}

/** The `wascap` object; field order as upstream writes it, `rev` … only when given. */
function createMetadata(claims: ClaimsDraft, hash: string): Record<string, unknown> {
  const callAlias = claims.callAlias === undefined ? '' : normalizeCallAlias(claims.callAlias);
  return {
    name: claims.name,
    hash,
    tags: claims.tags ?? [],
    caps: claims.capabilities ?? [],
    ...(claims.revision === undefined ? {} : { rev: claims.revision }),
    ...(claims.version === undefined ? {} : { ver: claims.version }),
    ...(callAlias === '' ? {} : { call_alias: callAlias }),
    prov: false,
  };
}

/** As upstream signers do: trimmed, lower case, ASCII only, blank `-` `.` become `_`; slashes stay. */
export const normalizeCallAlias = (alias: string): string =>
  [...alias.trim().toLowerCase()]
    .filter((character) => character <= '\x7f')
    .join('')
    .replaceAll(/[ .-]/g, '_');

/** What stands in a module, believed or not. */
export interface ModuleInspection {
  readonly digest: string;
  readonly token?: Token;
  readonly claims?: Claims;
  readonly wascapRevision?: number;
  readonly signatureValid?: boolean;
  readonly hashMatches?: boolean;
  /** Why there is not more to tell. */
  readonly fault?: WattleError;
}

/** Reads as much as can be read; faults of the claims are reported, not thrown. Throws only what is no module at all. */
export async function inspectModule(bytes: Uint8Array): Promise<ModuleInspection> {
  const digest = digestOf(bytes);
  const embedded = readEmbeddedToken(bytes);
  if (!embedded) return { digest, fault: new WattleError('E_SIG_MISSING', 'the module is not signed') };
  let token: Token;
  try {
    token = readToken(embedded.text);
  } catch (thrown) {
    return { digest, fault: toWattleError(thrown) };
  }
  const read = { digest, token, wascapRevision: token.payload.wascap_revision ?? 0 };
  const fault = await verifyToken(token).catch((thrown: unknown) => toWattleError(thrown));
  try {
    const metadata = parseModuleMetadata(token.payload);
    return {
      ...read,
      claims: toClaims(token.payload, metadata),
      signatureValid: fault === undefined,
      hashMatches: metadata.hash === embedded.hash,
      ...(fault ? { fault } : {}),
    };
  } catch (thrown) {
    return { ...read, signatureValid: fault === undefined, fault: toWattleError(thrown) };
  }
}
