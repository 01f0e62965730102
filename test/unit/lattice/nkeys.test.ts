import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeBase32, encodeBase32 } from '../../../lattice/base32.ts';
import {
  createKeyPair,
  encodeKey,
  encodePrivateKey,
  type KeyType,
  keyLetter,
  keyTypes,
  parseKey,
  parseKeyOf,
  parsePrivateKey,
  parseSeed,
  verifySignature,
} from '../../../lattice/nkeys.ts';

const refused = expect.objectContaining({ code: 'E_KEY' });
const utf8 = new TextEncoder();
const account = createKeyPair('account');

describe('keys of every type', () => {
  const letters: Record<KeyType, string> = {
    account: 'A',
    cluster: 'C',
    module: 'M',
    host: 'N',
    operator: 'O',
    user: 'U',
    service: 'V',
    curve: 'X',
  };
  it.each(keyTypes)('a key of type %s begins with its letter and survives its seed and its private form', (type) => {
    const pair = createKeyPair(type);
    expect(keyLetter(type)).toBe(letters[type]);
    expect(pair.publicKey).toMatch(new RegExp(`^${letters[type]}[A-Z2-7]{55}$`));
    expect(pair.seed).toMatch(new RegExp(`^S${letters[type]}[A-Z2-7]{56}$`));
    expect(parseKey(pair.publicKey)).toMatchObject({ type, text: pair.publicKey });
    expect(parseSeed(pair.seed)).toMatchObject({ type, publicKey: pair.publicKey, seed: pair.seed });
    expect(parsePrivateKey(type, encodePrivateKey(pair)).seed).toBe(pair.seed);
  });

  it('a key of another type than asked for is refused', () => {
    expect(() => parseKeyOf('module', account.publicKey)).toThrow(refused);
    expect(parseKeyOf('account', account.publicKey).text).toBe(account.publicKey);
  });
});

describe('a key has one spelling', () => {
  const key = account.publicKey;
  const other = (at: number): string => key.slice(0, at) + (key[at] === 'B' ? 'C' : 'B') + key.slice(at + 1);
  it.each([
    ['57th character', `${key}A`],
    ['padding', `${key}=`],
    ['lower case', key.toLowerCase()],
    ['one character less', key.slice(1)],
    ['a blank in front', ` ${key.slice(1)}`],
    ['a line end', `${key}\n`],
    ['a character outside base32', `${key.slice(0, 20)}1${key.slice(21)}`],
    ['an emoji of two code units', `${key.slice(0, 20)}😀${key.slice(22)}`],
    ['a seed', account.seed],
    ['nothing', ''],
  ])('%s is refused', (_name, text) => {
    expect(() => parseKey(text)).toThrow(refused);
  });

  it('a change of any character is refused', () => {
    for (let at = 0; at < 56; at++) expect(() => parseKey(other(at))).toThrow(refused);
  });

  it('a change of any character of a seed is refused, and the message never repeats it', () => {
    for (let at = 0; at < 58; at++) {
      const text = account.seed.slice(0, at) + (account.seed[at] === 'B' ? 'C' : 'B') + account.seed.slice(at + 1);
      expect(() => parseSeed(text)).toThrow(refused);
      expect(() => parseSeed(text)).not.toThrow(text.slice(8, 40));
    }
  });

  it('spare bits of base32 must be zero', () => {
    expect(decodeBase32(encodeBase32(Uint8Array.of(0xff)))).toEqual(Uint8Array.of(0xff));
    expect(encodeBase32(Uint8Array.of(0xff))).toBe('74');
    expect(decodeBase32('75')).toBeUndefined();
    expect(decodeBase32('A')).toBeUndefined();
  });
});

describe('signatures', () => {
  const message = utf8.encode('a call');
  const signature = account.sign(message);

  it('a signature verifies with its key and message only', () => {
    expect(verifySignature(account.publicKey, message, signature)).toBe(true);
    expect(verifySignature(account.publicKey, utf8.encode('another'), signature)).toBe(false);
    expect(verifySignature(createKeyPair('account').publicKey, message, signature)).toBe(false);
  });

  it.each([63, 65, 0])('a signature of %i bytes does not verify', (length) => {
    const wrong = new Uint8Array(length);
    wrong.set(signature.subarray(0, length));
    expect(verifySignature(account.publicKey, message, wrong)).toBe(false);
  });

  it('a malleated signature (S + L) does not verify', () => {
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    const malleated = Buffer.from(signature);
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse().copy(malleated, 32);
    expect(verifySignature(account.publicKey, message, malleated)).toBe(false);
  });

  it('a key of small order is no key', () => {
    for (const first of [0, 1]) {
      const raw = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? first : 0));
      expect(() => parseKey(encodeKey('account', raw))).toThrow(refused);
      raw[31] = 0x80;
      expect(() => parseKey(encodeKey('account', raw))).toThrow(refused);
    }
  });

  it('a curve key cannot sign', () => {
    const curve = createKeyPair('curve');
    expect(() => curve.sign(message)).toThrow(refused);
    expect(() => verifySignature(curve.publicKey, message, signature)).toThrow(refused);
  });
});

describe('published vectors', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../../../shared/vectors/nkeys.json', import.meta.url), 'utf8'),
  ) as {
    seed_to_public: { seed: string; public: string; private?: string; type: KeyType }[];
    key_type: { public?: string; seed?: string; type: KeyType }[];
    sign: { seed: string; message_utf8: string; signature_base64: string }[];
    reject_seed: { seed: string; error: string }[];
    reject_public: { public: string; error: string }[];
  };

  it.each(vectors.seed_to_public)('$type seed of $src gives its public key', (row) => {
    const pair = parseSeed(row.seed);
    expect(pair).toMatchObject({ type: row.type, publicKey: row.public, seed: row.seed });
    if (row.private) expect(encodePrivateKey(pair)).toBe(row.private);
  });

  it.each(vectors.key_type)('a $type key has its type', (row) => {
    expect((row.seed ? parseSeed(row.seed) : parseKey(row.public!)).type).toBe(row.type);
  });

  it.each(vectors.sign)('the signature of $src is the same bytes', (row) => {
    expect(Buffer.from(parseSeed(row.seed).sign(utf8.encode(row.message_utf8))).toString('base64')).toBe(
      row.signature_base64,
    );
  });

  it.each(vectors.reject_seed)('seed $seed is refused: $error', (row) => {
    expect(() => parseSeed(row.seed)).toThrow(refused);
  });

  it.each(vectors.reject_public)('public key $public is refused: $error', (row) => {
    expect(() => parseKey(row.public)).toThrow(refused);
  });
});
