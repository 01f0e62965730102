// MessagePack as the lattice writes it: plain maps with string keys, no records, no extensions. Reading is bounded by
// the caller's size limit; a length bomb or deep nesting inside throws (measured in reliability.md 2.6).
import { Packr, Unpackr } from 'msgpackr';
import { WattleError } from './errors.ts';

const options = { useRecords: false, mapsAsObjects: true, variableMapSize: true, int64AsType: 'number' } as const;
const packr = new Packr(options);
const unpackr = new Unpackr(options);

const empty = new Uint8Array(0);

/** Encodes a value; `undefined` becomes zero bytes, which is how a unit argument or result travels (protocol.md 7.3). */
export const encodeMessage = (value: unknown): Uint8Array => (value === undefined ? empty : packr.pack(value));

/** Decodes a whole buffer; zero bytes are `undefined`. Throws E_PAYLOAD when the bytes are not one msgpack value. */
export function decodeMessage(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new WattleError('E_PAYLOAD', `${bytes.length} bytes are not a MessagePack value`, { cause });
  }
}
