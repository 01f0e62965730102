// Reads the body of a request whole, within a limit. A request without one costs nothing.
import type { IncomingMessage } from 'node:http';
import { WattleError } from '../lattice/errors.ts';
import { headerValue } from './http-cors.ts';

const empty = new Uint8Array(0);

const tooLarge = (maxBytes: number): WattleError =>
  new WattleError('E_TOO_LARGE', `the body is larger than ${maxBytes} bytes`, {
    hint: 'Send less, or raise max_content_len of the link.',
  });

/** True when a body follows; node has checked the two headers already. */
const hasBody = (request: IncomingMessage): boolean =>
  request.method !== 'GET' && request.method !== 'HEAD'
    ? true
    : headerValue(request.rawHeaders, 'content-length') !== '' ||
      headerValue(request.rawHeaders, 'transfer-encoding') !== '';

/** The body, or undefined when the client went away. Rejects with E_TOO_LARGE before more than `maxBytes` are held. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> | Uint8Array {
  if (!hasBody(request)) return empty;
  const declared = headerValue(request.rawHeaders, 'content-length');
  if (declared === '0') return empty;
  if (declared !== '' && Number(declared) > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return collectBody(request, maxBytes);
}

function collectBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      // the rest is read and dropped: closing on unread bytes resets the connection before the answer is seen
      if (size <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(maxBytes));
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}
