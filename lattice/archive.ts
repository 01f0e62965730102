// Reads one file out of a .tar.gz or .zip in memory. Nothing is extracted to disk, so names, links and modes inside the
// archive have no effect: only the expected regular file is taken.
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { WattleError } from './errors.ts';

/** Most bytes an archive may unpack to. */
const unpackedBytes = 256 * 1024 * 1024;

const damaged = (why: string, cause?: unknown): WattleError =>
  new WattleError('E_NATS_SERVER', `the archive is damaged: ${why}`, { cause });

function inflate(unpack: typeof gunzipSync, bytes: Uint8Array): Buffer {
  try {
    return unpack(bytes, { maxOutputLength: unpackedBytes });
  } catch (cause) {
    throw damaged(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

const field = (block: Buffer, start: number, length: number): string => {
  const text = block.toString('latin1', start, start + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
};

/** The bytes of the regular file `name` (ustar header, POSIX.1-1988). Throws E_NATS_SERVER when it is not there. */
export function readTarGz(archive: Uint8Array, name: string): Uint8Array {
  const tar = inflate(gunzipSync, archive);
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    if (header.every((byte) => byte === 0)) break;
    const size = Number.parseInt(field(header, 124, 12).trim(), 8);
    if (!(size >= 0) || at + 512 + size > tar.length) throw damaged('an entry runs past its end');
    const prefix = field(header, 257, 5) === 'ustar' ? field(header, 345, 155) : '';
    const entry = prefix ? `${prefix}/${field(header, 0, 100)}` : field(header, 0, 100);
    const regular = header[156] === 0x30 || header[156] === 0;
    if (entry === name && regular) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw damaged(`it holds no file ${name}`);
}

/** The bytes of the file `name` (PKWARE APPNOTE 4.3; stored or deflated, no zip64). Throws E_NATS_SERVER when it is not there. */
export function readZip(archive: Uint8Array, name: string): Uint8Array {
  const zip = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  try {
    const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
    if (end < 0) throw damaged('it has no directory');
    let at = zip.readUInt32LE(end + 16);
    for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
      const nameLength = zip.readUInt16LE(at + 28);
      if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) return readZipEntry(zip, at);
      at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
    }
  } catch (thrown) {
    if (thrown instanceof WattleError) throw thrown;
    throw damaged('its directory runs past its end', thrown);
  }
  throw damaged(`it holds no file ${name}`);
}

function readZipEntry(zip: Buffer, entry: number): Uint8Array {
  const method = zip.readUInt16LE(entry + 10);
  const size = zip.readUInt32LE(entry + 20);
  const local = zip.readUInt32LE(entry + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  if (start + size > zip.length) throw damaged('an entry runs past its end');
  const packed = zip.subarray(start, start + size);
  if (method === 0) return packed;
  if (method === 8) return inflate(inflateRawSync, packed);
  throw damaged(`compression method ${method} is not known`);
}
