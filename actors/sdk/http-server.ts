// HTTP (contract `wasmcloud:httpserver`): the provider calls the actor with a request and gets the response. What a small
// actor does not look at is not decoded: headers are read when they are first asked for, the body is a view.
import { onCall } from './actor';
import { Headers } from './headers';
import { quote } from './json';
import { Reader } from './reader';
import { failure, Result, success } from './result';
import { Writer } from './writer';

export { Headers };

/**
 * Answers HTTP requests. Called once, at the top level of the actor's source:
 *
 *     onHttp((request: HttpRequest): HttpResponse => HttpResponse.text(`You asked for ${request.path}`));
 */
export function onHttp(handler: (request: HttpRequest) => HttpResponse): void {
  answer = handler;
  onCall('HttpServer.HandleRequest', (payload: Reader): Result<Writer> => {
    const request = HttpRequest.read(payload);
    if (payload.failed) return failure<Writer>(payload.error);
    return success(answer(request).write());
  });
}

let answer: (request: HttpRequest) => HttpResponse = (_request: HttpRequest): HttpResponse => HttpResponse.notFound();

const requestFields: StaticArray<string> = ['method', 'path', 'queryString', 'header', 'body'];

export class HttpRequest {
  /** `GET`, `POST` … */
  method: string = 'GET';
  /** Without the query: `/users/7`. */
  path: string = '/';
  /** What follows the `?`, still encoded; empty when there is none. */
  queryString: string = '';
  body: Uint8Array = new Uint8Array(0);
  private lines: Reader | null = null;
  private parsed: Headers | null = null;

  static read(reader: Reader): HttpRequest {
    const request = new HttpRequest();
    const fields = reader.struct(requestFields);
    for (let field = fields.next(); field >= 0; field = fields.next()) {
      if (field === 0) request.method = reader.text();
      else if (field === 1) request.path = reader.text();
      else if (field === 2) request.queryString = reader.text();
      else if (field === 3) request.readLater(reader);
      else request.body = reader.binary();
    }
    return request;
  }

  get headers(): Headers {
    const parsed = this.parsed;
    if (parsed !== null) return parsed;
    const lines = this.lines;
    const headers = lines === null ? new Headers() : Headers.read(lines);
    this.parsed = headers;
    return headers;
  }

  /** The body as text (UTF-8). */
  text(): string {
    return String.UTF8.decodeUnsafe(this.body.dataStart, this.body.byteLength);
  }

  /** A parameter of the query, decoded; null when it is not there. */
  parameter(name: string): string | null {
    const pairs = this.queryString.split('&');
    for (let index = 0; index < pairs.length; index++) {
      const pair = pairs[index];
      const split = pair.indexOf('=');
      const key = split < 0 ? pair : pair.substring(0, split);
      if (decode(key) === name) return split < 0 ? '' : decode(pair.substring(split + 1));
    }
    return null;
  }

  private readLater(reader: Reader): void {
    this.lines = reader.fork();
    reader.skip();
  }
}

export class HttpResponse {
  readonly headers: Headers = new Headers();

  constructor(
    public status: u16,
    public body: Uint8Array,
  ) {}

  static text(text: string, status: u16 = 200): HttpResponse {
    return HttpResponse.of('text/plain; charset=utf-8', text, status);
  }

  /** `json` is JSON text; `quote` of `./json` makes a string part of it. */
  static json(json: string, status: u16 = 200): HttpResponse {
    return HttpResponse.of('application/json', json, status);
  }

  static html(html: string, status: u16 = 200): HttpResponse {
    return HttpResponse.of('text/html; charset=utf-8', html, status);
  }

  static notFound(): HttpResponse {
    return HttpResponse.error(404, 'not found');
  }

  /** 503: something this actor needs did not answer. The reason is for the reader of the response. */
  static unavailable(reason: string): HttpResponse {
    return HttpResponse.error(503, reason);
  }

  /** Any failure, as JSON: `{"error":"not found"}`. */
  static error(status: u16, reason: string): HttpResponse {
    return HttpResponse.json(`{"error":${quote(reason)}}\n`, status);
  }

  /** Adds a header and returns the response itself. */
  with(name: string, value: string): HttpResponse {
    this.headers.add(name, value);
    return this;
  }

  write(): Writer {
    const writer = new Writer(160 + this.body.byteLength);
    writer.map(3).text('statusCode').unsigned(this.status).text('header');
    this.headers.write(writer);
    return writer.text('body').binary(this.body);
  }

  private static of(type: string, text: string, status: u16): HttpResponse {
    const response = new HttpResponse(status, Uint8Array.wrap(String.UTF8.encode(text)));
    response.headers.set('content-type', type);
    return response;
  }
}

/** Percent and plus of a query; what is not properly encoded stays as it is. */
function decode(text: string): string {
  if (text.indexOf('%') < 0 && text.indexOf('+') < 0) return text;
  const encoded = String.UTF8.encode(text);
  const bytes = Uint8Array.wrap(encoded);
  let end = 0;
  for (let index = 0; index < bytes.length; index++) {
    let byte = bytes[index];
    if (byte === 0x2b) byte = 0x20;
    else if (byte === 0x25 && index + 2 < bytes.length) {
      const high = hex(bytes[index + 1]);
      const low = hex(bytes[index + 2]);
      if (high >= 0 && low >= 0) {
        byte = <u8>((high << 4) | low);
        index += 2;
      }
    }
    bytes[end++] = byte;
  }
  return String.UTF8.decodeUnsafe(bytes.dataStart, end);
}

function hex(byte: u8): i32 {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
