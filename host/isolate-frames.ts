// What the host reads from and writes into frames beyond plain bytes: host calls come in, operation names go out.
import { WattleError } from '../lattice/errors.ts';
import type { Frame } from './engine/frames.ts';
import type { HostCall } from './isolates.ts';

/** The host call in a frame; throws E_INVOCATION when its lengths do not fit it. */
export function readHostCall({ bytes, start, end }: Frame): HostCall {
  const lengths = [bytes.readUInt16LE(start), bytes.readUInt16LE(start + 2), bytes.readUInt16LE(start + 4)] as const;
  let at = start + 6;
  const names = lengths.map((length) => {
    at += length;
    return bytes.toString('utf8', at - length, at);
  });
  if (at > end) throw new WattleError('E_INVOCATION', 'a host call is malformed');
  const [binding, namespace, operation] = names as [string, string, string];
  return { binding, namespace, operation, payload: bytes.subarray(at, end) };
}

const operations = new Map<string, Buffer>();
const knownOperations = 1000;

/** Operations are few and come again: their bytes are kept. */
export function encodeOperation(operation: string): Buffer {
  const known = operations.get(operation);
  if (known) return known;
  const bytes = Buffer.from(operation);
  if (operations.size < knownOperations) operations.set(operation, bytes);
  return bytes;
}
