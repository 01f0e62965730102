// wascap tokens: a compact JWS whose header is exactly {"typ":"jwt","alg":"Ed25519"}. jose signs and verifies; before it
// sees a token, the text is held to one spelling (strict base64url, canonical JSON), so that equal meaning is equal text
// and a duplicate key or a second encoding has nowhere to hide. Facts: protocol.md 1.1, 1.2.
import { randomBytes } from 'node:crypto';
import { CompactSign, compactVerify, errors as joseErrors } from 'jose';
import { z } from 'zod';
import { WattleError } from './errors.ts';
import { type KeyPair, keyObjectOf } from './nkeys.ts';

/** Longest token read, in characters: real ones have 400–900. */
export const maxTokenLength = 64 * 1024;

const header = { typ: 'jwt', alg: 'Ed25519' } as const;
const headerSegment = Buffer.from(JSON.stringify(header)).toString('base64url');

/** Control and line-breaking characters never stand in a name; a terminal or a log would act on them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const plain = (text: string): boolean => text.isWellFormed() && !controlCharacters.test(text);

/** A short printable text. */
export const PlainText = z.string().max(256).refine(plain, 'must have no control characters');

/** Seconds since 1970, until the year 9999. */
const UnixSeconds = z.number().int().min(0).max(253_402_300_799);

const TokenPayload = z.object({
  exp: UnixSeconds.optional(),
  jti: PlainText,
  iat: UnixSeconds,
  iss: z.string().min(1).max(64),
  sub: z.string().min(1).max(256).refine(plain, 'must have no control characters'),
  nbf: UnixSeconds.optional(),
  /** What it states; the shape depends on the kind of its subject. */
  wascap: z.record(z.string(), z.unknown()).optional(),
  wascap_revision: z.number().int().min(0).max(1_000_000).optional(),
});
/** The payload as it stands in the token, wire spelling. Its `wascap` object is not checked yet. */
export type TokenPayload = z.infer<typeof TokenPayload>;

export interface Token {
  readonly text: string;
  /** Decoded header, as text: not judged yet. */
  readonly header: string;
  readonly payload: TokenPayload;
}

const segmentPattern = /^[A-Za-z0-9_-]+$/;

function decodeSegment(segment: string, name: string): string {
  const bytes = segmentPattern.test(segment) ? Buffer.from(segment, 'base64url') : undefined;
  if (bytes?.toString('base64url') !== segment)
    throw new WattleError('E_TOKEN_ENCODING', `the ${name} of the token is not canonical base64url`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new WattleError('E_TOKEN_ENCODING', `the ${name} of the token is not UTF-8`);
  }
}

function parsePayload(text: string): TokenPayload {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WattleError('E_TOKEN', 'the payload of the token is not JSON');
  }
  // every signer writes compact JSON; a text that reads back differently has duplicate keys, blanks or odd numbers
  if (JSON.stringify(value) !== text)
    throw new WattleError('E_TOKEN', 'the payload of the token is not canonical JSON: it can be read in two ways');
  const parsed = TokenPayload.safeParse(value);
  if (!parsed.success) throw claimsError(parsed.error);
  return parsed.data;
}

/** E_TOKEN_CLAIMS naming the first field that is wrong. */
export function claimsError(error: z.ZodError): WattleError {
  const issue = error.issues[0]!;
  return new WattleError('E_TOKEN_CLAIMS', `claim "${issue.path.join('.') || 'payload'}": ${issue.message}`);
}

/**
 * Reads a token without trusting it: shape, encodings, payload. Throws E_TOKEN_SIZE, E_TOKEN (segments, JSON),
 * E_TOKEN_ENCODING or E_TOKEN_CLAIMS. The signature is not looked at: that is `verifyToken`.
 */
export function readToken(text: string): Token {
  if (text.length > maxTokenLength)
    throw new WattleError('E_TOKEN_SIZE', `the token has ${text.length} characters, at most ${maxTokenLength}`);
  const segments = text.split('.');
  if (segments.length !== 3)
    throw new WattleError('E_TOKEN', `invalid token format, expected 3 segments, found ${segments.length}`);
  const [head, payload, signature] = segments as [string, string, string];
  const decodedHeader = decodeSegment(head, 'header');
  const decodedPayload = decodeSegment(payload, 'payload');
  if (!segmentPattern.test(signature) || Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    throw new WattleError('E_TOKEN_ENCODING', 'the signature of the token is not canonical base64url');
  return { text, header: decodedHeader, payload: parsePayload(decodedPayload) };
}

/** Throws E_TOKEN_HEADER unless the header is byte for byte the only one accepted. */
export function checkHeader(token: Token): void {
  if (token.text.startsWith(`${headerSegment}.`)) return;
  throw new WattleError('E_TOKEN_HEADER', `the header of the token is ${token.header.slice(0, 200)}`);
}

/** Throws E_TOKEN_HEADER, E_KEY or E_SIG_INVALID unless the issuer named inside signed exactly this text. */
export async function verifyToken(token: Token): Promise<void> {
  checkHeader(token);
  const key = keyObjectOf(token.payload.iss);
  try {
    await compactVerify(token.text, key, { algorithms: [header.alg] });
  } catch (cause) {
    if (!(cause instanceof joseErrors.JOSEError) && !(cause instanceof TypeError)) throw cause;
    throw new WattleError('E_SIG_INVALID', `the token is not signed by ${token.payload.iss}`, { cause });
  }
}

/** Seconds a clock elsewhere may be ahead of ours: applies to "not before" only, an expired token is expired. */
const skewSeconds = 60;

/** Throws E_SIG_EXPIRED or E_SIG_NOT_YET. */
export function checkTimes(payload: TokenPayload, now: Date = new Date()): void {
  const seconds = Math.floor(now.getTime() / 1000);
  if (payload.exp !== undefined && payload.exp < seconds)
    throw new WattleError('E_SIG_EXPIRED', `the claims of ${payload.sub} expired at ${instant(payload.exp)}`);
  if (payload.nbf !== undefined && payload.nbf > seconds + skewSeconds)
    throw new WattleError('E_SIG_NOT_YET', `the claims of ${payload.sub} hold from ${instant(payload.nbf)}`);
}

const instant = (seconds: number): string => new Date(seconds * 1000).toISOString();

export interface TokenDraft {
  readonly subject: string;
  readonly wascap: Readonly<Record<string, unknown>>;
  readonly issuedAt?: Date | undefined;
  readonly expiresAt?: Date | undefined;
  readonly notBefore?: Date | undefined;
}

export const toUnixSeconds = (time: Date): number => Math.floor(time.getTime() / 1000);

/** Signs a token of revision 3; field order as upstream writes it. Optional fields are left out, never null. */
export async function signToken(issuer: KeyPair, draft: TokenDraft): Promise<string> {
  const payload = TokenPayload.safeParse({
    ...(draft.expiresAt ? { exp: toUnixSeconds(draft.expiresAt) } : {}),
    jti: createTokenId(),
    iat: toUnixSeconds(draft.issuedAt ?? new Date()),
    iss: issuer.publicKey,
    sub: draft.subject,
    ...(draft.notBefore ? { nbf: toUnixSeconds(draft.notBefore) } : {}),
    wascap: draft.wascap,
    wascap_revision: currentRevision,
  });
  if (!payload.success) throw claimsError(payload.error);
  const bytes = new TextEncoder().encode(JSON.stringify(payload.data));
  return new CompactSign(bytes).setProtectedHeader(header).sign(issuer.privateKey);
}

/** `wascap_revision` of tokens whose hash is binding (protocol.md 1.5). */
export const currentRevision = 3;

const tokenIdAlphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 22 characters of base 62, the shape of a NUID. */
const createTokenId = (): string => Array.from(randomBytes(22), (byte) => tokenIdAlphabet[byte % 62]).join('');
