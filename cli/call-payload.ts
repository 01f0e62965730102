// The body of a call as a person types and reads it: JSON, with bytes as {"$bytes": "base64"} or {"$text": "…"}. On the
// wire it is MessagePack. Integers stay integers; a body that is no MessagePack reads as bytes.
import { WattleError } from '../lattice/errors.ts';
import { decodeMessage, encodeMessage } from '../lattice/msgpack.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);

/** JSON with marked bytes → value with bytes. */
function reviveBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reviveBytes);
  if (!isRecord(value)) return value;
  const keys = Object.keys(value);
  if (keys.length === 1 && typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64');
  if (keys.length === 1 && typeof value.$text === 'string') return Buffer.from(value.$text, 'utf8');
  return Object.fromEntries(keys.map((key) => [key, reviveBytes(value[key])]));
}

function markBytes(bytes: Uint8Array): { $text: string } | { $bytes: string } {
  try {
    return { $text: utf8.decode(bytes) };
  } catch {
    return { $bytes: Buffer.from(bytes).toString('base64') };
  }
}

/** Value with bytes → JSON with marked bytes. */
function replaceBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return markBytes(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(replaceBytes);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, replaceBytes(entry)]));
}

/** What an operation's request holds where the caller leaves a field out, so that `{"path":"/x"}` is a whole request. */
const defaults: Readonly<Record<string, object>> = {
  'HttpServer.HandleRequest': { method: 'GET', path: '/', queryString: '', header: {}, body: { $text: '' } },
};

/** The body of a call from JSON text; no text is no argument (zero bytes). Throws E_PAYLOAD. */
export function encodeCallBody(operation: string, json: string | undefined): Uint8Array {
  const usual = defaults[operation];
  if (json === undefined || json.trim() === '') return encodeMessage(usual && reviveBytes(usual));
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new WattleError('E_PAYLOAD', `the body is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      hint: 'Quote it for the shell: \'{"key":"value"}\'; bytes are {"$bytes":"base64"} or {"$text":"…"}.',
      cause,
    });
  }
  return encodeMessage(reviveBytes(usual && isRecord(value) ? { ...usual, ...value } : value));
}

/** The answer of a call as JSON can show it; null when it is empty. */
export function decodeCallAnswer(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return null;
  try {
    return replaceBytes(decodeMessage(bytes));
  } catch {
    return markBytes(bytes);
  }
}
