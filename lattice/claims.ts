// START HERE for trust in code: the one function that says whether a module may run. It returns what is known of the
// module or throws, in a fixed order and before anybody compiles a byte (reliability.md 2.7).
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type EmbeddedToken, readEmbeddedToken } from './embedding.ts';
import { type ErrorCode, WattleError } from './errors.ts';
import { type KeyType, parseKey } from './nkeys.ts';
import {
  checkTimes,
  claimsError,
  currentRevision,
  PlainText,
  readToken,
  type Token,
  type TokenPayload,
  verifyToken,
} from './token.ts';

/** What an account states about a module. */
export interface Claims {
  /** Account key (A…) that signed. */
  readonly issuer: string;
  /** Module key (M…). */
  readonly subject: string;
  readonly name: string;
  /** Contract ids it may use. */
  readonly capabilities: readonly string[];
  readonly callAlias?: string;
  /** Grows with every release; 0 when the signer gave none. */
  readonly revision: number;
  readonly version: string;
  readonly tags: readonly string[];
  readonly issuedAt: Date;
  readonly expiresAt?: Date;
  readonly notBefore?: Date;
  /** Unique id of the token. */
  readonly jti: string;
}

export interface ClaimsPolicy {
  /** Accounts whose modules may run. */
  readonly trustedIssuers: ReadonlySet<string> | ((issuer: string) => boolean);
  /** Modules without claims may run; modules with bad claims never do. */
  readonly allowUnsigned?: boolean;
  /** A token of revision 2 or older may state another hash than that of the bytes (its signer hashed otherwise). */
  readonly allowLegacyClaims?: boolean;
  readonly requireExpiry?: boolean;
  /** The only module key accepted. */
  readonly subject?: string;
  /** Highest revision seen of a module key: an older one is a replay. */
  minimumRevision?(subject: string): number | undefined;
  readonly now?: Date;
}

export interface VerifiedModule {
  /** `sha256:` and lower-case hex of the whole file. */
  readonly digest: string;
  /** Absent only for an unsigned module under a policy that allows it. */
  readonly claims?: Claims;
}

const ModuleMetadata = z.object({
  name: PlainText.nullish(),
  hash: z.string().regex(/^[0-9A-F]{64}$/, 'must be an upper-case hex SHA-256'),
  tags: z.array(PlainText).max(256).nullish(),
  caps: z.array(PlainText).max(256).nullish(),
  rev: z.number().int().min(-2_147_483_648).max(2_147_483_647).nullish(),
  ver: PlainText.nullish(),
  call_alias: PlainText.nullish(),
  prov: z.boolean().nullish(),
});

export type ModuleMetadata = z.infer<typeof ModuleMetadata>;

/** `sha256:…` of a file. */
export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/**
 * Verifies a module against a policy. Order: size, sections, position, token text, hash, keys, header, signature, issuer,
 * times, subject, revision. Throws WattleError with the code of the first rule broken (E_WASM_…, E_TOKEN_…, E_KEY, E_SIG_…).
 */
export async function verifyModule(bytes: Uint8Array, policy: ClaimsPolicy): Promise<VerifiedModule> {
  const embedded = readEmbeddedToken(bytes);
  if (embedded) return { digest: digestOf(bytes), claims: await verifyEmbedded(embedded, policy) };
  if (!policy.allowUnsigned) throw new WattleError('E_SIG_MISSING', 'the module is not signed');
  return { digest: digestOf(bytes) };
}

async function verifyEmbedded(embedded: EmbeddedToken, policy: ClaimsPolicy): Promise<Claims> {
  const token = readToken(embedded.text);
  const metadata = parseModuleMetadata(token.payload);
  checkHash(token.payload, metadata.hash === embedded.hash, policy.allowLegacyClaims === true);
  checkKind(token.payload.iss, 'account');
  checkKind(token.payload.sub, 'module');
  await verifyToken(token);
  checkIssuer(token.payload.iss, policy.trustedIssuers);
  checkTimes(token.payload, policy.now);
  checkPolicy(token, metadata, policy);
  return toClaims(token.payload, metadata);
}

/** What a token says about a module. Throws E_SIG_KIND when it speaks of something else, E_TOKEN_CLAIMS. */
export function parseModuleMetadata(payload: TokenPayload): ModuleMetadata {
  if (payload.wascap?.hash === undefined || payload.wascap.target_url !== undefined)
    throw new WattleError('E_SIG_KIND', 'the token is not that of a module: it names no hash of one');
  const parsed = ModuleMetadata.safeParse(payload.wascap);
  if (!parsed.success) throw claimsError(parsed.error);
  return parsed.data;
}

function checkHash(payload: TokenPayload, matches: boolean, allowLegacy: boolean): void {
  if (matches) return;
  const revision = payload.wascap_revision ?? 0;
  if (revision >= currentRevision)
    throw new WattleError('E_SIG_HASH', 'the hash in the claims is not that of the module: it was changed');
  if (!allowLegacy)
    throw new WattleError(
      'E_SIG_LEGACY',
      `the claims are of revision ${revision || 'none'} and their hash is not that of these bytes`,
    );
}

function checkKind(text: string, expected: KeyType): void {
  const { type } = parseKey(text);
  if (type === expected) return;
  const role = expected === 'account' ? 'issuer' : 'subject';
  throw new WattleError('E_SIG_KIND', `the ${role} ${text} is the key of a ${type}, not of a ${expected}`);
}

function checkIssuer(issuer: string, trusted: ClaimsPolicy['trustedIssuers']): void {
  if (typeof trusted === 'function' ? trusted(issuer) : trusted.has(issuer)) return;
  throw new WattleError('E_SIG_ISSUER', `the module is signed by ${issuer}, which is not trusted here`, {
    hint: `Trust it with --trust ${issuer} or \`wattle keys trust ${issuer}\`.`,
  });
}

function checkPolicy({ payload }: Token, metadata: ModuleMetadata, policy: ClaimsPolicy): void {
  const refuse = (code: ErrorCode, message: string): never => {
    throw new WattleError(code, message);
  };
  if (policy.requireExpiry && payload.exp === undefined)
    refuse('E_SIG_NO_EXPIRY', `the claims of ${payload.sub} never expire`);
  if (policy.subject !== undefined && policy.subject !== payload.sub)
    refuse('E_SIG_SUBJECT', `the module is ${payload.sub}, not ${policy.subject}`);
  const revision = metadata.rev ?? 0;
  const minimum = policy.minimumRevision?.(payload.sub);
  if (minimum !== undefined && revision < minimum)
    refuse('E_SIG_REPLAY', `revision ${revision} of ${payload.sub} is older than ${minimum}, which was seen`);
}

const fromUnixSeconds = (seconds: number): Date => new Date(seconds * 1000);

/** The claims of a module token, in our spelling; says nothing about trust. */
export function toClaims(payload: TokenPayload, metadata: ModuleMetadata): Claims {
  return {
    issuer: payload.iss,
    subject: payload.sub,
    name: metadata.name ?? '',
    // tokens of 2020 hold an empty capability where they mean none
    capabilities: (metadata.caps ?? []).filter((capability) => capability !== ''),
    ...(metadata.call_alias ? { callAlias: metadata.call_alias } : {}),
    revision: metadata.rev ?? 0,
    version: metadata.ver ?? '',
    tags: metadata.tags ?? [],
    issuedAt: fromUnixSeconds(payload.iat),
    ...(payload.exp === undefined ? {} : { expiresAt: fromUnixSeconds(payload.exp) }),
    ...(payload.nbf === undefined ? {} : { notBefore: fromUnixSeconds(payload.nbf) }),
    jti: payload.jti,
  };
}
