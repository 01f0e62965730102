// The capability http-server: the provider calls `HttpServer.HandleRequest` of the actor for each request (protocol.md 7.4).
// This is the hottest message of the product, so the two directions a host needs (request out, response in) are written
// by hand; the other two exist for guests' tests and tools.
import type { Codec, Contract, Operation } from './contract.ts';
import { MessageReader } from './message-reader.ts';
import { headBytes, MessageWriter, textBytes } from './message-writer.ts';

const http = ['incoming-handler', 'outgoing-handler', 'types'];

export const httpServer: Contract = {
  name: 'http-server',
  capability: 'wasmcloud:httpserver',
  ids: ['wasmcloud:httpserver', 'wasi:http', 'wrpc:http'],
  caller: 'provider',
  interfaces: { 'wasi:http': http, 'wrpc:http': http },
};

/** Header lines as name, value, name, value …: what node calls raw headers. A name may occur more than once. */
export type HeaderLines = readonly string[];

export interface HttpRequest {
  readonly method: string;
  /** As the client sent it, not decoded; the query string comes without its `?`. */
  readonly path: string;
  readonly queryString: string;
  /** Names are written in lower case. */
  readonly header: HeaderLines;
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly statusCode: number;
  readonly header: HeaderLines;
  /** A view of the message it was read from. */
  readonly body: Uint8Array;
}

/** A text as MessagePack; the fixed keys of these messages are shorter than 32 bytes. */
const key = (name: string): Uint8Array => Buffer.from([0xa0 | name.length, ...Buffer.from(name)]);
const keys = {
  method: key('method'),
  path: key('path'),
  queryString: key('queryString'),
  header: key('header'),
  body: key('body'),
  statusCode: key('statusCode'),
};
const keysBytes = 64;
const empty: Uint8Array = new Uint8Array(0);

/** Name → values, in order of first appearance. Undefined when no name repeats, which is the common case. */
function groupRepeated(header: HeaderLines): Map<string, string[]> | undefined {
  const groups = new Map<string, string[]>();
  for (let index = 0; index < header.length; index += 2) {
    const name = header[index]!.toLowerCase();
    const values = groups.get(name);
    if (values) values.push(header[index + 1]!);
    else groups.set(name, [header[index + 1]!]);
  }
  return groups.size * 2 === header.length ? undefined : groups;
}

/** Below this many names a scan over all pairs is quicker than a map. */
const fewNames = 32;

function hasRepeated(header: HeaderLines): boolean {
  if (header.length > fewNames * 2) return true;
  for (let index = 2; index < header.length; index += 2)
    for (let before = 0; before < index; before += 2)
      if (
        header[before]!.length === header[index]!.length &&
        header[before]!.toLowerCase() === header[index]!.toLowerCase()
      )
        return true;
  return false;
}

function writeHeader(writer: MessageWriter, header: HeaderLines): void {
  const groups = hasRepeated(header) ? groupRepeated(header) : undefined;
  writer.raw(keys.header);
  writer.map(groups?.size ?? header.length / 2);
  if (groups) for (const [name, values] of groups) writeValues(writer, name, values);
  else
    for (let index = 0; index < header.length; index += 2) {
      writer.text(header[index]!.toLowerCase());
      writer.array(1);
      writer.text(header[index + 1]!);
    }
}

function writeValues(writer: MessageWriter, name: string, values: readonly string[]): void {
  writer.text(name);
  writer.array(values.length);
  for (const value of values) writer.text(value);
}

/** Most bytes a header takes. Lower-casing never lengthens a name: HTTP names are ASCII. */
function headerBytes(header: HeaderLines): number {
  let size = headBytes;
  for (let index = 0; index < header.length; index++) size += textBytes(header[index]!.length) + headBytes;
  return size;
}

function encodeRequest({ method, path, queryString, header, body }: HttpRequest): Uint8Array {
  const size = textBytes(method.length) + textBytes(path.length) + textBytes(queryString.length) + headerBytes(header);
  const writer = new MessageWriter(keysBytes + size + headBytes + body.length);
  writer.map(5);
  writer.raw(keys.method);
  writer.text(method);
  writer.raw(keys.path);
  writer.text(path);
  writer.raw(keys.queryString);
  writer.text(queryString);
  writeHeader(writer, header);
  writer.raw(keys.body);
  writer.bytes(body);
  return writer.finish();
}

function encodeResponse({ statusCode, header, body }: HttpResponse): Uint8Array {
  const writer = new MessageWriter(keysBytes + headBytes * 2 + headerBytes(header) + body.length);
  writer.map(3);
  writer.raw(keys.statusCode);
  writer.integer(statusCode);
  writeHeader(writer, header);
  writer.raw(keys.body);
  writer.bytes(body);
  return writer.finish();
}

/** Calls `onField` before each value with the place of its key in `names`; a value of an unknown key is skipped. */
function readStruct(reader: MessageReader, names: readonly string[], onField: (index: number) => void): void {
  const asArray = reader.atArray;
  const count = asArray ? reader.array() : reader.map();
  for (let position = 0; position < count; position++) {
    const index = asArray ? position : names.indexOf(reader.text());
    if (index < 0 || index >= names.length) reader.skip();
    else if (!reader.takeNil()) onField(index);
  }
  if (!reader.done) throw reader.fail('the end');
}

function readHeader(reader: MessageReader): HeaderLines {
  const lines: string[] = [];
  for (let left = reader.map(); left > 0; left--) {
    const name = reader.text();
    if (!reader.atArray) lines.push(name, reader.text());
    else for (let values = reader.array(); values > 0; values--) lines.push(name, reader.text());
  }
  return lines;
}

const responseNames = ['statusCode', 'header', 'body'];
const requestNames = ['method', 'path', 'queryString', 'header', 'body'];

/** What is left out reads as in the guest SDKs: status 200, no header, no body. */
function decodeResponse(message: Uint8Array): HttpResponse {
  const reader = new MessageReader(message);
  let statusCode = 200;
  let header: HeaderLines = [];
  let body = empty;
  readStruct(reader, responseNames, (index) => {
    if (index === 0) statusCode = reader.integer(0, 0xffff);
    else if (index === 1) header = readHeader(reader);
    else body = reader.bytes();
  });
  return { statusCode, header, body };
}

function decodeRequest(message: Uint8Array): HttpRequest {
  const reader = new MessageReader(message);
  const texts = ['GET', '/', ''];
  let header: HeaderLines = [];
  let body = empty;
  readStruct(reader, requestNames, (index) => {
    if (index < 3) texts[index] = reader.text();
    else if (index === 3) header = readHeader(reader);
    else body = reader.bytes();
  });
  return { method: texts[0]!, path: texts[1]!, queryString: texts[2]!, header, body };
}

const requestCodec: Codec<HttpRequest> = { encode: encodeRequest, decode: decodeRequest };
const responseCodec: Codec<HttpResponse> = { encode: encodeResponse, decode: decodeResponse };

export const handleRequest: Operation<HttpRequest, HttpResponse> = {
  name: 'HttpServer.HandleRequest',
  request: requestCodec,
  response: responseCodec,
};
