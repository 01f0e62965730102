// The signature table of reliability.md 2.7 (T2): what an attacker may hand us, each with the code it is refused with.
// None of it is ever compiled: WebAssembly is taken away while the table runs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClaimsPolicy, verifyModule } from '../../../lattice/claims.ts';
import { appendToken, maxModuleBytes, upperHash } from '../../../lattice/embedding.ts';
import type { ErrorCode } from '../../../lattice/errors.ts';
import { createKeyPair, encodeKey, encodePrivateKey, type KeyType } from '../../../lattice/nkeys.ts';
import { encodeU32 } from '../../../lattice/wasm.ts';
import {
  base64url,
  componentPreamble,
  concat,
  createToken,
  custom,
  goodHeader,
  issuer,
  modulePreamble,
  payloadOf,
  plainComponent,
  plainModule,
  section,
  sectionsOfModule,
  signWith,
  subject,
  type TokenPayloadDraft,
  tokenSection,
} from '../../support/signed-module.ts';

const now = new Date('2026-01-01T00:00:00Z');
const nowSeconds = now.getTime() / 1000;
const policy: ClaimsPolicy = { trustedIssuers: new Set([issuer.publicKey]), now };

type Row = readonly [name: string, code: ErrorCode, bytes: Uint8Array, policy?: Partial<ClaimsPolicy>];

const signed = signWith();
const token = createToken(payloadOf(plainModule));
const [head, body, signature] = token.split('.') as [string, string, string];
const withToken = (text: string): Uint8Array => appendToken(plainModule, text);
const withClaim = (change: Record<string, unknown>): Uint8Array => signWith((payload) => ({ ...payload, ...change }));
const withMetadata = (change: Record<string, unknown>): Uint8Array =>
  signWith((payload) => ({ ...payload, wascap: { ...payload.wascap, ...change } }));
const without = (claim: string): Uint8Array => signWith(({ [claim]: _gone, ...rest }) => rest);

const presence: Row[] = [
  ['an unsigned module', 'E_SIG_MISSING', plainModule],
  ['an unsigned component', 'E_SIG_MISSING', plainComponent],
  ['an empty module', 'E_SIG_MISSING', modulePreamble],
  ['a module whose section was stripped', 'E_SIG_MISSING', signed.subarray(0, plainModule.length)],
  ['a token in a section of another name', 'E_SIG_MISSING', concat(plainModule, tokenSection(token, 'wasmcloud-jwt'))],
  ['a token in a section named in upper case', 'E_SIG_MISSING', concat(plainModule, tokenSection(token, 'JWT'))],
  ['a token in a section that is not custom', 'E_SIG_MISSING', concat(plainModule, section(13, tokenSection(token)))],
  ['a second section of the same name after', 'E_SIG_DUPLICATE', concat(signed, tokenSection(token))],
  ['a second section of the legacy name after', 'E_SIG_DUPLICATE', concat(signed, tokenSection(token, 'jwt'))],
  [
    'a second section before',
    'E_SIG_DUPLICATE',
    concat(modulePreamble, tokenSection(token), signed.subarray(modulePreamble.length)),
  ],
  [
    'a legacy section before',
    'E_SIG_DUPLICATE',
    concat(modulePreamble, tokenSection(token, 'jwt'), signed.subarray(modulePreamble.length)),
  ],
  ['an empty second section', 'E_SIG_DUPLICATE', concat(signed, tokenSection('', 'jwt'))],
  ['ten sections', 'E_SIG_DUPLICATE', concat(plainModule, ...Array.from({ length: 10 }, () => tokenSection(token)))],
  ['a custom section appended', 'E_SIG_POSITION', concat(signed, custom('producers', [1, 2]))],
  ['an empty custom section appended', 'E_SIG_POSITION', concat(signed, custom('', []))],
  ['a data section appended', 'E_SIG_POSITION', concat(signed, sectionsOfModule[11]![1])],
  ['an unknown section appended', 'E_SIG_POSITION', concat(signed, section(99, []))],
  [
    'the section moved first',
    'E_SIG_POSITION',
    concat(modulePreamble, tokenSection(token), plainModule.subarray(modulePreamble.length)),
  ],
];

const nestedWith = (inner: Uint8Array): Uint8Array => signWith(undefined, { bytes: inner });
const nest = (depth: number, inner: Uint8Array): Uint8Array =>
  depth === 0 ? inner : concat(componentPreamble, section(4, nest(depth - 1, inner)));
const nested: Row[] = [
  ['a token in a nested module', 'E_SIG_NESTED', nestedWith(concat(componentPreamble, section(1, signed)))],
  [
    'a legacy token in a nested module',
    'E_SIG_NESTED',
    nestedWith(concat(componentPreamble, section(1, concat(plainModule, tokenSection(token, 'jwt'))))),
  ],
  [
    'a token in a nested component',
    'E_SIG_NESTED',
    nestedWith(concat(componentPreamble, section(4, concat(componentPreamble, tokenSection(token))))),
  ],
  ['a token three components deep', 'E_SIG_NESTED', nestedWith(nest(3, concat(componentPreamble, tokenSection('x'))))],
  ['a nested token and none outside', 'E_SIG_NESTED', concat(componentPreamble, section(1, signed))],
  ['components nested 20 deep', 'E_WASM_LIMIT', nestedWith(nest(20, componentPreamble))],
  [
    'a nested module cut short',
    'E_WASM_MALFORMED',
    nestedWith(concat(componentPreamble, section(1, plainModule.subarray(0, 20)))),
  ],
  ['a nested file that is none', 'E_WASM_MALFORMED', nestedWith(concat(componentPreamble, section(1, [1, 2, 3])))],
];

/** The signed module with the byte in the middle of one section changed by one bit. */
function flip(index: number): Uint8Array {
  const bytes = new Uint8Array(signed);
  const before = concat(modulePreamble, ...sectionsOfModule.slice(0, index).map(([, each]) => each)).length;
  bytes[before + 2 + Math.floor((sectionsOfModule[index]![1].length - 2) / 2)]! ^= 1;
  return bytes;
}
const flipToken = (at: number): Uint8Array =>
  withToken(token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1));

const changed: Row[] = [
  ...sectionsOfModule.map(([name], index): Row => [`a flipped bit in section ${name}`, 'E_SIG_HASH', flip(index)]),
  ['a component in place of the module', 'E_WASM_MALFORMED', concat(componentPreamble, signed.subarray(8))],
  [
    'a module in place of the component',
    'E_SIG_HASH',
    concat(modulePreamble, signWith(undefined, { bytes: plainComponent }).subarray(8)),
  ],
  ['the token of another module', 'E_SIG_HASH', appendToken(modulePreamble, token)],
  ['the token of a module on a component', 'E_SIG_HASH', appendToken(plainComponent, token)],
  ['a section added before the token', 'E_SIG_HASH', appendToken(concat(plainModule, custom('x', [])), token)],
  [
    'a section removed before the token',
    'E_SIG_HASH',
    appendToken(plainModule.subarray(0, -sectionsOfModule[12]![1].length), token),
  ],
  ['the hash of the whole signed file', 'E_SIG_HASH', withMetadata({ hash: upperHash(signed) })],
  ['a hash of zeros', 'E_SIG_HASH', withMetadata({ hash: '0'.repeat(64) })],
  [
    'an old revision over other bytes',
    'E_SIG_LEGACY',
    signWith((p) => ({ ...p, wascap: { ...p.wascap, hash: '0'.repeat(64) }, wascap_revision: 2 })),
  ],
  [
    'no revision over other bytes',
    'E_SIG_LEGACY',
    signWith(({ wascap_revision: _gone, ...p }) => ({ ...p, wascap: { ...p.wascap, hash: '0'.repeat(64) } })),
  ],
  [
    'revision 3 over other bytes, legacy allowed',
    'E_SIG_HASH',
    withMetadata({ hash: '0'.repeat(64) }),
    { allowLegacyClaims: true },
  ],
  [
    'a bad signature over other bytes, legacy allowed',
    'E_SIG_INVALID',
    signWith((p) => ({ ...p, wascap: { ...p.wascap, hash: '0'.repeat(64) }, wascap_revision: 2 }), {
      key: createKeyPair('account'),
    }),
    { allowLegacyClaims: true },
  ],
];

const headers: Row[] = [
  ['alg none', '{"typ":"jwt","alg":"none"}'],
  ['alg None', '{"typ":"jwt","alg":"None"}'],
  ['alg HS256', '{"typ":"jwt","alg":"HS256"}'],
  ['alg RS256', '{"typ":"jwt","alg":"RS256"}'],
  ['alg EdDSA', '{"typ":"jwt","alg":"EdDSA"}'],
  ['alg ed25519-nkey', '{"typ":"jwt","alg":"ed25519-nkey"}'],
  ['alg ed25519 in lower case', '{"typ":"jwt","alg":"ed25519"}'],
  ['an empty alg', '{"typ":"jwt","alg":""}'],
  ['an alg that is null', '{"typ":"jwt","alg":null}'],
  ['an alg that is a list', '{"typ":"jwt","alg":["Ed25519"]}'],
  ['two algs, the good one last', '{"typ":"jwt","alg":"none","alg":"Ed25519"}'],
  ['two algs, the good one first', '{"typ":"jwt","alg":"Ed25519","alg":"none"}'],
  ['no alg', '{"typ":"jwt"}'],
  ['no typ', '{"alg":"Ed25519"}'],
  ['typ JWT', '{"typ":"JWT","alg":"Ed25519"}'],
  ['another typ', '{"typ":"at+jwt","alg":"Ed25519"}'],
  ['the fields in the other order', '{"alg":"Ed25519","typ":"jwt"}'],
  ['a blank', '{"typ":"jwt", "alg":"Ed25519"}'],
  ['a line end', `${goodHeader}\n`],
  ['an escaped letter', '{"typ":"jwt","alg":"\\u0045d25519"}'],
  ['a jwk', `{"typ":"jwt","alg":"Ed25519","jwk":{"kty":"OKP"}}`],
  ['a kid', '{"typ":"jwt","alg":"Ed25519","kid":"x"}'],
  ['a crit', '{"typ":"jwt","alg":"Ed25519","crit":["b64"]}'],
  ['b64 false', '{"typ":"jwt","alg":"Ed25519","crit":["b64"],"b64":false}'],
  ['a jku', '{"typ":"jwt","alg":"Ed25519","jku":"http://127.0.0.1"}'],
  ['an x5c', '{"typ":"jwt","alg":"Ed25519","x5c":[]}'],
  ['an empty object', '{}'],
  ['no JSON', 'jwt'],
  ['a list', '[]'],
].map(([name, header]): Row => [`a header with ${name}`, 'E_TOKEN_HEADER', signWith(undefined, { header: header! })]);

const order = (1n << 252n) + 27742317777372353535851937790883648493n;
const signatureBytes = Buffer.from(signature, 'base64url');
function malleated(): string {
  const s = BigInt(`0x${Buffer.from(signatureBytes.subarray(32)).reverse().toString('hex')}`) + order;
  const low = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return base64url(concat(signatureBytes.subarray(0, 32), low));
}
const withSignature = (text: string): Uint8Array => withToken(`${head}.${body}.${text}`);
const signatures: Row[] = [
  ['a flipped letter in the signature', 'E_SIG_INVALID', flipToken(token.length - 40)],
  ['a signature by another key', 'E_SIG_INVALID', signWith(undefined, { key: createKeyPair('account') })],
  ['a signature by the module itself', 'E_SIG_INVALID', signWith(undefined, { key: subject })],
  ['a signature of 63 bytes', 'E_SIG_INVALID', withSignature(base64url(signatureBytes.subarray(0, 63)))],
  ['a signature of 65 bytes', 'E_SIG_INVALID', withSignature(base64url(concat(signatureBytes, Uint8Array.of(0))))],
  ['a signature of zeros', 'E_SIG_INVALID', withSignature(base64url(new Uint8Array(64)))],
  ['a signature with S + L', 'E_SIG_INVALID', withSignature(malleated())],
  ['the signature twice', 'E_SIG_INVALID', withSignature(base64url(concat(signatureBytes, signatureBytes)))],
  [
    'the signature of another payload',
    'E_SIG_INVALID',
    withSignature(createToken({ ...payloadOf(plainModule), iat: 1 }).split('.')[2]!),
  ],
  [
    'a changed payload under the old signature',
    'E_SIG_INVALID',
    withToken(`${head}.${base64url(JSON.stringify({ ...payloadOf(plainModule), iat: 1 }))}.${signature}`),
  ],
];

const oddBase64 = (text: string): string =>
  text.slice(0, -1) + 'ABCDEFGH'[('AEIMQUYcgkosw048'.indexOf(text.at(-1)!) + 1) % 8];
const raw = (segment: Uint8Array): Uint8Array => withToken(`${head}.${base64url(segment)}.${signature}`);
const encodings: Row[] = [
  ['no segments', 'E_TOKEN', withToken('')],
  ['one segment', 'E_TOKEN', withToken(head)],
  ['two segments', 'E_TOKEN', withToken(`${head}.${body}`)],
  ['four segments', 'E_TOKEN', withToken(`${token}.${signature}`)],
  ['five segments (JWE)', 'E_TOKEN', withToken(`${head}.${body}.${signature}.${body}.${signature}`)],
  ['an empty header', 'E_TOKEN_ENCODING', withToken(`.${body}.${signature}`)],
  ['an empty payload', 'E_TOKEN_ENCODING', withToken(`${head}..${signature}`)],
  ['an empty signature', 'E_TOKEN_ENCODING', withToken(`${head}.${body}.`)],
  ['the standard alphabet', 'E_TOKEN_ENCODING', withToken(`${head}.${body}.+/${signature.slice(2)}`)],
  ['padding', 'E_TOKEN_ENCODING', withToken(`${token}==`)],
  ['a blank at the end', 'E_TOKEN_ENCODING', withToken(`${token} `)],
  ['a line end', 'E_TOKEN_ENCODING', withToken(`${token}\n`)],
  ['a blank in front', 'E_TOKEN_ENCODING', withToken(` ${token}`)],
  ['a NUL at the end', 'E_TOKEN_ENCODING', withToken(`${token}\0`)],
  ['a line end inside', 'E_TOKEN_ENCODING', withToken(`${head}.${body.slice(0, 40)}\n${body.slice(40)}.${signature}`)],
  ['a non-canonical tail', 'E_TOKEN_ENCODING', withSignature(oddBase64(signature))],
  ['a length that base64 cannot have', 'E_TOKEN_ENCODING', withSignature(`${signature}AAA`)],
  ['a byte-order mark in front', 'E_TOKEN_ENCODING', withToken(`\ufeff${token}`)],
  ['quotes', 'E_TOKEN_ENCODING', withToken(`"${token}"`)],
  ['a payload that is not UTF-8', 'E_TOKEN_ENCODING', raw(Uint8Array.of(0x7b, 0xff, 0x7d))],
  ['a token of 1 MB', 'E_TOKEN_SIZE', withToken(`${head}.${body}.${'A'.repeat(1_000_000)}`)],
];

const text = (payload: TokenPayloadDraft): string => JSON.stringify(payload);
const payloads: Row[] = [
  ['no JSON', 'E_TOKEN', signWith(() => 'x')],
  ['half a JSON', 'E_TOKEN', signWith((p) => text(p).slice(0, -1))],
  ['two JSONs', 'E_TOKEN', signWith((p) => text(p) + text(p))],
  ['duplicate iss, the good one last', 'E_TOKEN', signWith((p) => `{"iss":"A",${text(p).slice(1)}`)],
  ['duplicate sub, the good one first', 'E_TOKEN', signWith((p) => `${text(p).slice(0, -1)},"sub":"M"}`)],
  ['a duplicate hash', 'E_TOKEN', signWith((p) => text(p).replace('"hash":', '"hash":"0","hash":'))],
  ['a duplicate key by escape', 'E_TOKEN', signWith((p) => `${text(p).slice(0, -1)},"is\\u0073":"A"}`)],
  ['blanks', 'E_TOKEN', signWith((p) => JSON.stringify(p, null, 1))],
  ['a comment', 'E_TOKEN', signWith((p) => `${text(p)}/**/`)],
  ['a list', 'E_TOKEN_CLAIMS', signWith(() => '[]')],
  ['null', 'E_TOKEN_CLAIMS', signWith(() => 'null')],
  ['a number', 'E_TOKEN_CLAIMS', signWith(() => '7')],
  ['nothing in it', 'E_TOKEN_CLAIMS', signWith(() => '{}')],
  ...['iss', 'sub', 'iat', 'jti'].map((claim): Row => [`no ${claim}`, 'E_TOKEN_CLAIMS', without(claim)]),
  ['an empty iss', 'E_TOKEN_CLAIMS', withClaim({ iss: '' })],
  ['an empty sub', 'E_TOKEN_CLAIMS', withClaim({ sub: '' })],
  ['iss as a list', 'E_TOKEN_CLAIMS', withClaim({ iss: [issuer.publicKey] })],
  ['sub as an object', 'E_TOKEN_CLAIMS', withClaim({ sub: {} })],
  ['iss with a prototype', 'E_TOKEN_CLAIMS', signWith(() => '{"__proto__":{"iss":"A"}}')],
  ['exp as text', 'E_TOKEN_CLAIMS', withClaim({ exp: '9999999999' })],
  ['exp null', 'E_TOKEN_CLAIMS', withClaim({ exp: null })],
  ['exp negative', 'E_TOKEN_CLAIMS', withClaim({ exp: -1 })],
  ['exp a fraction', 'E_TOKEN_CLAIMS', withClaim({ exp: nowSeconds + 0.5 })],
  ['exp huge', 'E_TOKEN_CLAIMS', withClaim({ exp: Number.MAX_SAFE_INTEGER })],
  ['exp beyond integers', 'E_TOKEN_CLAIMS', withClaim({ exp: 1e300 })],
  ['exp 1e400', 'E_TOKEN', signWith((p) => `${text(p).slice(0, -1)},"exp":1e400}`)],
  ['exp 1e10 in another spelling', 'E_TOKEN', signWith((p) => `${text(p).slice(0, -1)},"exp":1e10}`)],
  ['nbf as text', 'E_TOKEN_CLAIMS', withClaim({ nbf: 'now' })],
  ['iat as text', 'E_TOKEN_CLAIMS', withClaim({ iat: '1' })],
  ['wascap as text', 'E_TOKEN_CLAIMS', withClaim({ wascap: 'x' })],
  ['wascap as a list', 'E_TOKEN_CLAIMS', withClaim({ wascap: [] })],
  ['a revision of the token as text', 'E_TOKEN_CLAIMS', withClaim({ wascap_revision: '3' })],
  ['a negative revision of the token', 'E_TOKEN_CLAIMS', withClaim({ wascap_revision: -3 })],
  ['a hash in lower case', 'E_TOKEN_CLAIMS', withMetadata({ hash: upperHash(plainModule).toLowerCase() })],
  ['a short hash', 'E_TOKEN_CLAIMS', withMetadata({ hash: 'AB' })],
  ['a hash that is a number', 'E_TOKEN_CLAIMS', withMetadata({ hash: 1 })],
  ['caps as text', 'E_TOKEN_CLAIMS', withMetadata({ caps: 'wasmcloud:httpserver' })],
  ['caps with a number', 'E_TOKEN_CLAIMS', withMetadata({ caps: [1] })],
  ['rev as text', 'E_TOKEN_CLAIMS', withMetadata({ rev: '4' })],
  ['rev a fraction', 'E_TOKEN_CLAIMS', withMetadata({ rev: 1.5 })],
  ['a name with NUL', 'E_TOKEN_CLAIMS', withMetadata({ name: 'Echo\0' })],
  ['a name with a terminal escape', 'E_TOKEN_CLAIMS', withMetadata({ name: '\u001b[2J' })],
  ['a name with U+2028', 'E_TOKEN_CLAIMS', withMetadata({ name: 'a\u2028b' })],
  ['a name with a lone surrogate', 'E_TOKEN_CLAIMS', withMetadata({ name: '\ud800' })],
  ['a tag with a line end', 'E_TOKEN_CLAIMS', withMetadata({ tags: ['a\nb'] })],
  ['a name of 300 letters', 'E_TOKEN_CLAIMS', withMetadata({ name: 'a'.repeat(300) })],
  ['a jti with a line end', 'E_TOKEN_CLAIMS', withClaim({ jti: '\n' })],
];

const other = Object.fromEntries(
  (['account', 'cluster', 'module', 'host', 'operator', 'user', 'service', 'curve'] as KeyType[]).map((type) => [
    type,
    createKeyPair(type),
  ]),
) as Record<KeyType, ReturnType<typeof createKeyPair>>;
const signedAs = (type: KeyType): Uint8Array =>
  signWith((p) => ({ ...p, iss: other[type].publicKey }), { key: type === 'curve' ? issuer : other[type] });
const smallOrder = encodeKey(
  'account',
  Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0)),
);
/** R = identity, S = 0: verifies for the identity key under careless verifiers, whatever the message. */
const universal = base64url(Uint8Array.from({ length: 64 }, (_, index) => (index === 0 ? 1 : 0)));

const keys: Row[] = [
  ...(['cluster', 'module', 'host', 'operator', 'user', 'service', 'curve'] as const).map(
    (type): Row => [`an issuer that is a ${type}`, 'E_SIG_KIND', signedAs(type), { trustedIssuers: () => true }],
  ),
  ...(['account', 'cluster', 'host', 'operator', 'user', 'service', 'curve'] as const).map(
    (type): Row => [`a subject that is a ${type}`, 'E_SIG_KIND', withClaim({ sub: other[type].publicKey })],
  ),
  ['an issuer that is a seed', 'E_KEY', withClaim({ iss: issuer.seed })],
  ['a private key as subject', 'E_KEY', withClaim({ sub: encodePrivateKey(subject) })],
  ['an issuer with a 57th character', 'E_KEY', withClaim({ iss: `${issuer.publicKey}A` })],
  ['an issuer in lower case', 'E_KEY', withClaim({ iss: issuer.publicKey.toLowerCase() })],
  ['an issuer with a wrong checksum', 'E_KEY', withClaim({ iss: `${issuer.publicKey.slice(0, -2)}AA` })],
  ['an issuer with a blank', 'E_KEY', withClaim({ iss: ` ${issuer.publicKey}` })],
  ['an issuer with padding', 'E_KEY', withClaim({ iss: `${issuer.publicKey}=` })],
  ['an issuer that is a name', 'E_KEY', withClaim({ iss: 'wasmCloud' })],
  ['a subject that is a name', 'E_KEY', withClaim({ sub: 'echo' })],
  ['a subject one character short', 'E_KEY', withClaim({ sub: subject.publicKey.slice(1) })],
  [
    'a key of small order with the universal signature',
    'E_KEY',
    withToken(`${head}.${base64url(JSON.stringify({ ...payloadOf(plainModule), iss: smallOrder }))}.${universal}`),
    { trustedIssuers: () => true },
  ],
  [
    'the token of an account',
    'E_SIG_KIND',
    withClaim({ sub: other.account.publicKey, wascap: { name: 'acme', valid_signers: [] } }),
  ],
  ['the token of an operator', 'E_SIG_KIND', withClaim({ sub: other.operator.publicKey, wascap: { name: 'acme' } })],
  [
    'the token of a provider',
    'E_SIG_KIND',
    withClaim({ sub: other.service.publicKey, wascap: { capid: 'a:b', vendor: 'v', target_hashes: {} } }),
  ],
  ['the token of an invocation', 'E_SIG_KIND', withMetadata({ target_url: 'wasmbus://x', origin_url: 'wasmbus://y' })],
  ['a token without metadata', 'E_SIG_KIND', without('wascap')],
  ['metadata at the top level (2019)', 'E_SIG_KIND', signWith(({ wascap, ...p }) => ({ ...p, ...wascap }))],
];

const trust: Row[] = [
  ['an issuer nobody trusts', 'E_SIG_ISSUER', signedAs('account')],
  ['an issuer when none is trusted', 'E_SIG_ISSUER', signed, { trustedIssuers: new Set() }],
  ['an issuer a rule does not trust', 'E_SIG_ISSUER', signed, { trustedIssuers: () => false }],
  ['an untrusted issuer where unsigned is allowed', 'E_SIG_ISSUER', signedAs('account'), { allowUnsigned: true }],
  ['a bad token where unsigned is allowed', 'E_TOKEN', withToken('x'), { allowUnsigned: true }],
  ['claims that expired a second ago', 'E_SIG_EXPIRED', withClaim({ exp: nowSeconds - 1 })],
  ['claims that expired in 1970', 'E_SIG_EXPIRED', withClaim({ exp: 0 })],
  ['claims that begin in an hour', 'E_SIG_NOT_YET', withClaim({ nbf: nowSeconds + 3600 })],
  ['claims that begin in 61 seconds', 'E_SIG_NOT_YET', withClaim({ nbf: nowSeconds + 61 })],
  ['claims that never expire where they must', 'E_SIG_NO_EXPIRY', signed, { requireExpiry: true }],
  ['another module than expected', 'E_SIG_SUBJECT', signed, { subject: createKeyPair('module').publicKey }],
  ['an older revision than was seen', 'E_SIG_REPLAY', signed, { minimumRevision: () => 5 }],
  ['no revision where one was seen', 'E_SIG_REPLAY', withMetadata({ rev: undefined }), { minimumRevision: () => 1 }],
  ['a negative revision', 'E_SIG_REPLAY', withMetadata({ rev: -1 }), { minimumRevision: () => 0 }],
];

const rawSection = (id: number, length: number[], body: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(id, ...length), body);
const unsigned = { allowUnsigned: true };
const tokenBody = tokenSection(token).subarray(3);
const longName = concat(Uint8Array.of(0x8d, 0), tokenBody.subarray(1));
const binary: Row[] = [
  ['no bytes', 'E_WASM_MALFORMED', new Uint8Array(0)],
  ['text', 'E_WASM_MALFORMED', new TextEncoder().encode('(module)')],
  ['a gzip', 'E_WASM_MALFORMED', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0)],
  [
    'an unknown version',
    'E_WASM_MALFORMED',
    concat(Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), signed.subarray(8)),
  ],
  [
    'an old component version',
    'E_WASM_MALFORMED',
    concat(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0a, 0, 1, 0), signed.subarray(8)),
  ],
  [
    'a length of 1 in two bytes',
    'E_WASM_MALFORMED',
    concat(modulePreamble, rawSection(0, [0x81, 0], Uint8Array.of(0))),
    unsigned,
  ],
  [
    'a length of 1 in five bytes',
    'E_WASM_MALFORMED',
    concat(modulePreamble, rawSection(0, [0x81, 0x80, 0x80, 0x80, 0], Uint8Array.of(0))),
    unsigned,
  ],
  [
    'a length of six bytes',
    'E_WASM_MALFORMED',
    concat(modulePreamble, rawSection(0, [0x81, 0x80, 0x80, 0x80, 0x80, 0], Uint8Array.of(0))),
    unsigned,
  ],
  [
    'a length beyond 32 bits',
    'E_WASM_MALFORMED',
    concat(modulePreamble, rawSection(0, [0xff, 0xff, 0xff, 0xff, 0x1f], Uint8Array.of(0))),
    unsigned,
  ],
  ['a length past the end', 'E_WASM_MALFORMED', concat(modulePreamble, rawSection(1, [5], Uint8Array.of(0))), unsigned],
  [
    'a length of 4 GiB',
    'E_WASM_MALFORMED',
    concat(modulePreamble, rawSection(1, [0xff, 0xff, 0xff, 0xff, 0x0f], new Uint8Array(4))),
    unsigned,
  ],
  ['an id without a length', 'E_WASM_MALFORMED', concat(plainModule, Uint8Array.of(0)), unsigned],
  ['a custom section of no bytes', 'E_WASM_MALFORMED', concat(plainModule, section(0, [])), unsigned],
  ['a name longer than its section', 'E_WASM_MALFORMED', concat(plainModule, section(0, [9, 0x61])), unsigned],
  ['a name that is not UTF-8', 'E_WASM_MALFORMED', concat(plainModule, section(0, [2, 0xc3, 0x28])), unsigned],
  ['a name of a lone surrogate', 'E_WASM_MALFORMED', concat(plainModule, section(0, [3, 0xed, 0xa0, 0x80])), unsigned],
  [
    'the length of the claims section in another spelling',
    'E_WASM_MALFORMED',
    concat(
      plainModule,
      rawSection(
        0,
        [...encodeU32(tokenBody.length).map((b, i, a) => (i === a.length - 1 ? b | 0x80 : b)), 0],
        tokenBody,
      ),
    ),
  ],
  [
    'the name length of the claims section in another spelling',
    'E_WASM_MALFORMED',
    concat(plainModule, section(0, longName)),
  ],
  ['one byte after the last section', 'E_WASM_MALFORMED', concat(signed, Uint8Array.of(0))],
  ['text after the last section', 'E_WASM_MALFORMED', concat(signed, new TextEncoder().encode('trailing garbage'))],
  ['a second module after the last section', 'E_WASM_MALFORMED', concat(signed, signed)],
  ['17 MiB', 'E_WASM_LIMIT', new Uint8Array(maxModuleBytes + 1), unsigned],
];

const tables = { presence, nested, changed, headers, signatures, encodings, payloads, keys, trust, binary };

describe('modules that must not run', () => {
  const engine = Reflect.get(globalThis, 'WebAssembly') as Record<'compile' | 'Module', unknown>;
  const { compile, Module } = engine;
  beforeAll(() => {
    const refuse = (): never => {
      throw new Error('a module was compiled before it was verified');
    };
    Object.assign(engine, { compile: refuse, Module: refuse });
  });
  afterAll(() => {
    Object.assign(engine, { compile, Module });
  });

  it('the table has 120 rows and more, no two of them the same bytes and policy', () => {
    const rows = Object.values(tables).flat();
    expect(rows.length).toBeGreaterThanOrEqual(120);
    const names = rows.map(([name]) => name);
    expect(
      new Set(Object.entries(tables).flatMap(([group, list]) => list.map(([name]) => `${group} ${name}`))).size,
    ).toBe(names.length);
  });

  it('the module the table is made of is accepted, compiled or as component', async () => {
    expect((await verifyModule(signed, policy)).claims?.name).toBe('Echo');
    expect((await verifyModule(nestedWith(plainComponent), policy)).claims?.name).toBe('Echo');
  });

  for (const [group, rows] of Object.entries(tables))
    for (const [name, code, bytes, change = {}] of rows)
      it(`${group}: ${name} is refused with ${code}`, async () => {
        await expect(verifyModule(bytes, { ...policy, ...change })).rejects.toMatchObject({
          code,
          hint: expect.stringMatching(/\S/),
        });
      });

  it('a signed module cut at any byte is refused', async () => {
    for (let length = 0; length < signed.length; length++)
      await expect(verifyModule(signed.subarray(0, length), policy), `cut at ${length}`).rejects.toMatchObject({
        code:
          length === plainModule.length || length === 8
            ? 'E_SIG_MISSING'
            : expect.stringMatching(/^E_(WASM|SIG|TOKEN)_/),
      });
  });

  it('a signed module with any bit flipped is refused', async () => {
    for (let at = 0; at < signed.length; at++) {
      const bytes = new Uint8Array(signed);
      bytes[at]! ^= 1 << (at % 8);
      await expect(verifyModule(bytes, policy), `bit ${at % 8} of byte ${at}`).rejects.toMatchObject({
        code: expect.stringMatching(/^E_(WASM|SIG|TOKEN|KEY)/),
      });
    }
  });
});
