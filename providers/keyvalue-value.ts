// A value as keyvalue-nats keeps it, and its bytes. A text without expiry is its own UTF-8, so that other tools read and
// write the bucket; everything else is a MessagePack envelope behind a byte that begins no UTF-8 text.
import { createHash } from 'node:crypto';
import { integer, list, optional, struct, text } from '../lattice/contracts/shape.ts';
import { WattleError } from '../lattice/errors.ts';
import { decodeMessage, encodeMessage } from '../lattice/msgpack.ts';

export interface StoredValue {
  readonly kind: 'text' | 'list' | 'set';
  /** One item for a text. */
  readonly items: readonly string[];
  /** Milliseconds of the epoch; absent: never. */
  readonly expiresMs?: number;
}

/** Never the first byte of UTF-8, nor of a MessagePack value. */
const envelopeMark = 0xc1;
const Envelope = struct({ kind: text, items: list(text), expires: optional(integer(0, Number.MAX_SAFE_INTEGER)) });
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

export function encodeValue({ kind, items, expiresMs }: StoredValue): Uint8Array {
  if (kind === 'text' && expiresMs === undefined) return encoder.encode(items[0]);
  const body = encodeMessage({ kind, items, ...(expiresMs === undefined ? {} : { expires: expiresMs }) });
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = envelopeMark;
  bytes.set(body, 1);
  return bytes;
}

/** Throws E_STORE when an envelope is not one of ours. */
export function decodeValue(bytes: Uint8Array): StoredValue {
  if (bytes[0] !== envelopeMark) return { kind: 'text', items: [utf8.decode(bytes)] };
  try {
    const { kind, items, expires } = Envelope.read(decodeMessage(bytes.subarray(1)), 'value');
    if (kind !== 'text' && kind !== 'list' && kind !== 'set') throw new Error(`unknown kind ${kind}`);
    return { kind, items, ...(expires === undefined ? {} : { expiresMs: expires }) };
  } catch (cause) {
    throw new WattleError('E_STORE', 'the bucket holds a value that keyvalue-nats did not write', { cause });
  }
}

export const isExpired = (value: StoredValue, nowMs: number): boolean =>
  value.expiresMs !== undefined && value.expiresMs <= nowMs;

/** Longest encoded key that is kept readable. */
const readableKey = 400;

/**
 * A key of the bucket for any text: letters, digits, `_` and `-` stay, every other byte of its UTF-8 becomes `=XX`. The
 * empty key is `=`, a very long one its hash; neither can come from another key.
 */
export function encodeKey(key: string): string {
  if (key === '') return '=';
  if (key.length <= readableKey && /^[A-Za-z0-9_-]+$/.test(key)) return key;
  let encoded = '';
  for (const byte of encoder.encode(key)) {
    const character = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9_-]/.test(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    if (encoded.length > readableKey) return `=sha256-${createHash('sha256').update(key).digest('hex')}`;
  }
  return encoded;
}
