// nkeys of every type: text ↔ bytes, generate, sign, verify. The codec is strict: a key has exactly one spelling, so text
// equality is key equality. Cryptography is node:crypto; the npm library refuses M and V keys and verifies too much
// (reliability.md 0.5). Facts: protocol.md 1.6.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { decodeBase32, encodeBase32 } from './base32.ts';
import { WattleError } from './errors.ts';

/** Types by the first letter of their public key. `host` is what NATS calls server, `service` what wasmCloud calls provider. */
const prefixBytes = {
  account: 0 << 3,
  cluster: 2 << 3,
  module: 12 << 3,
  host: 13 << 3,
  operator: 14 << 3,
  user: 20 << 3,
  service: 21 << 3,
  curve: 23 << 3,
} as const;
const privatePrefix = 15 << 3;
const seedPrefix = 18 << 3;

export type KeyType = keyof typeof prefixBytes;
export const keyTypes = Object.keys(prefixBytes) as readonly KeyType[];

/** First letter of the public keys of a type. */
export const keyLetter = (type: KeyType): string => encodeBase32(Uint8Array.of(prefixBytes[type]))[0]!;

export interface PublicKey {
  readonly type: KeyType;
  /** 56 characters. */
  readonly text: string;
  /** 32 bytes: Ed25519, or X25519 of a curve key. */
  readonly raw: Uint8Array;
}

/** A key that can sign. `seed` is secret text (58 characters, S…); the log redacts it, nothing else may print it. */
export interface KeyPair {
  readonly type: KeyType;
  readonly publicKey: string;
  readonly seed: string;
  readonly privateKey: KeyObject;
  /** Ed25519 signature, 64 bytes. Throws E_KEY for a curve key, which cannot sign. */
  sign(message: Uint8Array): Uint8Array;
}

const badKey = (what: string): WattleError => new WattleError('E_KEY', what);

/** CRC-16/XMODEM. */
function checksum(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** prefix ‖ body ‖ crc16 (little-endian) as base32. */
function encode(prefix: readonly number[], body: Uint8Array): string {
  const bytes = Buffer.alloc(prefix.length + body.length + 2);
  bytes.set(prefix);
  bytes.set(body, prefix.length);
  bytes.writeUInt16LE(checksum(bytes.subarray(0, -2)), bytes.length - 2);
  return encodeBase32(bytes);
}

/** The bytes before the checksum. `what` names the kind of text in errors, which never repeat a text that may be secret. */
function decode(text: string, length: number, what: string): Uint8Array {
  if (text.length !== length) throw badKey(`${what} has ${length} characters, not ${text.length}`);
  const bytes = decodeBase32(text);
  if (!bytes) throw badKey(`${what} has characters that are not base32, or a spare bit set`);
  const body = bytes.subarray(0, -2);
  const crc = bytes[bytes.length - 2]! | (bytes[bytes.length - 1]! << 8);
  if (crc !== checksum(body)) throw badKey(`${what} has a wrong checksum: a character was changed`);
  return body;
}

function typeOf(prefix: number): KeyType | undefined {
  return keyTypes.find((type) => prefixBytes[type] === prefix);
}

/** Public keys of small order (sign bit cleared): anybody can forge their signatures. Same list as libsodium. */
const smallOrder: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);

function hasSmallOrder(raw: Uint8Array): boolean {
  const copy = Buffer.from(raw);
  copy[31]! &= 0x7f;
  return smallOrder.has(copy.toString('hex'));
}

/** Reads a public key of any type. Throws E_KEY saying what is wrong with it. */
export function parseKey(text: string): PublicKey {
  const body = decode(text, 56, 'a public key');
  const type = typeOf(body[0]!);
  if (!type) throw badKey(`"${text}" is no public key: unknown type "${text[0]}"`);
  const raw = body.slice(1);
  if (hasSmallOrder(raw)) throw badKey(`${text} is a key of small order, whose signatures anybody can forge`);
  return { type, text, raw };
}

/** Reads a public key and insists on its type. Throws E_KEY. */
export function parseKeyOf(type: KeyType, text: string): PublicKey {
  const key = parseKey(text);
  if (key.type !== type) throw badKey(`${text} is a key of type ${key.type}, not ${type} (${keyLetter(type)}…)`);
  return key;
}

/** Public key text of 32 raw bytes. */
export const encodeKey = (type: KeyType, raw: Uint8Array): string => encode([prefixBytes[type]], raw);

const encodeSeed = (type: KeyType, raw: Uint8Array): string =>
  encode([seedPrefix | (prefixBytes[type] >> 5), (prefixBytes[type] & 31) << 3], raw);

/** DER before the raw 32 bytes: PKCS#8 and SPKI of Ed25519 (1.3.101.112) and X25519 (1.3.101.110). */
const derOf = (type: KeyType): { pkcs8: Buffer; spki: Buffer } => {
  const oid = type === 'curve' ? '6e' : '70';
  return {
    pkcs8: Buffer.from(`302e020100300506032b65${oid}04220420`, 'hex'),
    spki: Buffer.from(`302a300506032b65${oid}032100`, 'hex'),
  };
};

function createPair(type: KeyType, rawSeed: Uint8Array): KeyPair {
  const der = Buffer.concat([derOf(type).pkcs8, rawSeed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    type,
    publicKey: encodeKey(type, spki.subarray(-32)),
    seed: encodeSeed(type, rawSeed),
    privateKey,
    sign(message) {
      if (type === 'curve') throw badKey('a curve key (X…) cannot sign');
      return sign(null, message, privateKey);
    },
  };
}

/** Makes a new key of a type. */
export function createKeyPair(type: KeyType): KeyPair {
  const { privateKey } = type === 'curve' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed25519');
  return createPair(type, privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32));
}

/** Reads a seed (58 characters, S…) of any type. Throws E_KEY; the message never repeats the text. */
export function parseSeed(text: string): KeyPair {
  const body = decode(text, 58, 'a seed');
  const prefix = ((body[0]! & 7) << 5) | (body[1]! >> 3);
  const type = typeOf(prefix);
  if ((body[0]! & 0xf8) !== seedPrefix || (body[1]! & 7) !== 0 || !type)
    throw badKey('the text is not a seed: it does not begin with S and the letter of a type');
  return createPair(type, body.subarray(2));
}

/** The private form of a key (P…, 108 characters: seed ‖ public), as nats tools print it. */
export function encodePrivateKey(pair: KeyPair): string {
  const raw = decode(pair.seed, 58, 'a seed').subarray(2);
  return encode([privatePrefix], Buffer.concat([raw, parseKey(pair.publicKey).raw]));
}

/** Reads a private key (P…); it does not say its type, so the caller does. Throws E_KEY. */
export function parsePrivateKey(type: KeyType, text: string): KeyPair {
  const body = decode(text, 108, 'a private key');
  if (body[0] !== privatePrefix) throw badKey('the text is not a private key: it does not begin with P');
  const pair = createPair(type, body.subarray(1, 33));
  if (!Buffer.from(parseKey(pair.publicKey).raw).equals(body.subarray(33)))
    throw badKey('the two halves of the private key do not belong together');
  return pair;
}

const keyObjects = new Map<string, KeyObject>();
const keyObjectLimit = 256;

/** The key as node:crypto and jose take it; the last few hundred are remembered. Throws E_KEY. */
export function keyObjectOf(publicKey: string): KeyObject {
  const known = keyObjects.get(publicKey);
  if (known) return known;
  const { type, raw } = parseKey(publicKey);
  const key = createPublicKey({ key: Buffer.concat([derOf(type).spki, raw]), format: 'der', type: 'spki' });
  if (keyObjects.size >= keyObjectLimit) keyObjects.clear();
  keyObjects.set(publicKey, key);
  return key;
}

/** True when `signature` (64 bytes, canonical) is that of the key. Throws E_KEY when the key is none or cannot sign. */
export function verifySignature(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean {
  if (parseKey(publicKey).type === 'curve') throw badKey(`${publicKey} is a curve key and cannot sign`);
  return signature.length === 64 && verify(null, message, keyObjectOf(publicKey), signature);
}
