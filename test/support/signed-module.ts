// Small modules for tests of claims: one with every kind of section, a component around it, and tokens that no honest
// signer would write.
import { appendToken, upperHash } from '../../lattice/embedding.ts';
import { createKeyPair, type KeyPair } from '../../lattice/nkeys.ts';
import { encodeU32 } from '../../lattice/wasm.ts';

const text = new TextEncoder();
export const section = (id: number, body: Iterable<number>): Uint8Array => {
  const bytes = [...body];
  return Uint8Array.from([id, ...encodeU32(bytes.length), ...bytes]);
};
export const custom = (name: string, data: Iterable<number>): Uint8Array =>
  section(0, [...encodeU32(text.encode(name).length), ...text.encode(name), ...data]);
export const tokenSection = (token: string, name = 'wasmcloud_jwt'): Uint8Array => custom(name, text.encode(token));
export const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export const modulePreamble = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
export const componentPreamble = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0);

/** Every kind of section of a core module, in order, by name; V8 compiles it. */
export const sectionsOfModule: readonly (readonly [string, Uint8Array])[] = [
  ['type', section(1, [1, 0x60, 0, 0])],
  ['import', section(2, [1, 3, 0x65, 0x6e, 0x76, 1, 0x66, 0, 0])],
  ['function', section(3, [1, 0])],
  ['table', section(4, [1, 0x70, 0, 1])],
  ['memory', section(5, [1, 0, 1])],
  ['global', section(6, [1, 0x7f, 0, 0x41, 7, 0x0b])],
  ['export', section(7, [1, 3, 0x72, 0x75, 0x6e, 0, 1])],
  ['start', section(8, [1])],
  ['element', section(9, [1, 0, 0x41, 0, 0x0b, 1, 1])],
  ['data count', section(12, [1])],
  ['code', section(10, [1, 4, 0, 0x10, 0, 0x0b])],
  ['data', section(11, [1, 0, 0x41, 0, 0x0b, 2, 0x68, 0x69])],
  ['custom "name"', custom('name', [0, 2, 1, 0x6d])],
];

export const plainModule = concat(modulePreamble, ...sectionsOfModule.map(([, bytes]) => bytes));
/** A component that holds the module, and a component with another module inside. */
export const plainComponent = concat(
  componentPreamble,
  section(1, plainModule),
  section(4, concat(componentPreamble, section(1, modulePreamble))),
);

export const issuer = createKeyPair('account');
export const subject = createKeyPair('module');

/** The payload an honest signer of today writes for these bytes. */
export const payloadOf = (bytes: Uint8Array): TokenPayloadDraft => ({
  jti: 'SjB5fm974Sju9WMgTUchsb',
  iat: 1_700_000_000,
  iss: issuer.publicKey,
  sub: subject.publicKey,
  wascap: {
    name: 'Echo',
    hash: upperHash(bytes),
    tags: [],
    caps: ['wasmcloud:httpserver'],
    rev: 4,
    ver: '0.3.4',
    prov: false,
  },
  wascap_revision: 3,
});
export type TokenPayloadDraft = Record<string, unknown> & { wascap: Record<string, unknown> };

export const goodHeader = '{"typ":"jwt","alg":"Ed25519"}';
export const base64url = (value: string | Uint8Array): string => Buffer.from(value).toString('base64url');

/** A token of any header and payload, with a signature that is right for the key. */
export function createToken(payload: unknown, header: string = goodHeader, key: KeyPair = issuer): string {
  const head = base64url(header);
  const body = base64url(typeof payload === 'string' ? payload : JSON.stringify(payload));
  return `${head}.${body}.${base64url(key.sign(text.encode(`${head}.${body}`)))}`;
}

/** The module with a token of this payload; a function gets the honest payload to change. */
export function signWith(
  change: (payload: TokenPayloadDraft) => unknown = (payload) => payload,
  {
    bytes = plainModule,
    header = goodHeader,
    key = issuer,
  }: { bytes?: Uint8Array; header?: string; key?: KeyPair } = {},
): Uint8Array {
  return appendToken(bytes, createToken(change(payloadOf(bytes)), header, key));
}
