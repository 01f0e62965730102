// Base32 of RFC 4648: upper case, no padding, and strict: every byte sequence has exactly one text, and no other text is
// read. Keys are compared as text, so a second spelling of a key would be a second key.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff;
    count += 8;
    while (count >= 5) {
      count -= 5;
      text += alphabet[(bits >> count) & 31];
    }
  }
  return count > 0 ? text + alphabet[(bits << (5 - count)) & 31] : text;
}

/** The bytes, or undefined when the text has another character, an impossible length, or spare bits that are set. */
export function decodeBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const character of text) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    bits = ((bits << 5) | value) & 0xffff;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = (bits >> count) & 0xff;
  }
  const spare = bits & ((1 << count) - 1);
  return count >= 5 || spare !== 0 ? undefined : bytes;
}
