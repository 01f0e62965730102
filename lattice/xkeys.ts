// Sealed boxes between curve keys (X…), as secrets of 1.x travel: ASCII `xkv1`, a 24-byte nonce, a NaCl box (X25519,
// XSalsa20-Poly1305). node:crypto has no XSalsa20, so the box is that of the NATS client's own nkeys library; keys are
// read by our codec first, because that library accepts keys that are none. Facts: protocol.md 1.6.
import { randomBytes } from 'node:crypto';
import { nkeys } from 'nats';
import { WattleError } from './errors.ts';
import { type KeyPair, parseKeyOf } from './nkeys.ts';

const nonceBytes = 24;

function createBox(own: KeyPair) {
  if (own.type !== 'curve') throw new WattleError('E_KEY', `${own.publicKey} is not a curve key (X…)`);
  return nkeys.fromCurveSeed(new TextEncoder().encode(own.seed));
}

/** Seals a message for the owner of `receiver` (X…), from `own`. Throws E_KEY. */
export function sealMessage(own: KeyPair, receiver: string, message: Uint8Array): Uint8Array {
  return createBox(own).seal(message, parseKeyOf('curve', receiver).text, randomBytes(nonceBytes));
}

/** Opens what `sender` (X…) sealed for `own`. Throws E_KEY for keys, E_PAYLOAD for a box that is not theirs. */
export function openMessage(own: KeyPair, sender: string, box: Uint8Array): Uint8Array {
  const key = parseKeyOf('curve', sender).text;
  const opener = createBox(own);
  try {
    const message = opener.open(box, key);
    if (message) return message;
  } catch (cause) {
    throw sealed(key, cause);
  }
  throw sealed(key);
}

const sealed = (sender: string, cause?: unknown): WattleError =>
  new WattleError('E_PAYLOAD', `the sealed message is not one of ${sender} to this key`, { cause });
