// The web server behind a listener. fastify gives it its life: limits, broken requests, whatever no route takes. A request
// that a route takes goes straight to it: fastify's router and reply would cost a quarter of the throughput (measured).
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FastifyInstance, fastify } from 'fastify';
import { WattleError } from '../lattice/errors.ts';
import { formatAddress } from './http-route.ts';

export interface WebServer {
  readonly app: FastifyInstance;
  readonly port: number;
}

export interface WebServerOptions {
  readonly address: string;
  readonly port: number;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** True when it took the request; false leaves it to `onUnrouted`. */
  onRequest: (...exchange: Parameters<RequestListener>) => boolean;
  onUnrouted: RequestListener;
}

/** A whole request has to arrive within this time (reliability.md 3: slow senders). */
const requestTimeoutMs = 120_000;
const keepAliveTimeoutMs = 72_000;
/** How long clients may still send on connections they keep open, to be told to close them; then idle ones are closed. */
const partingMs = 250;
/** The longest a close waits for answers in flight. */
const drainMs = 30_000;

/** Broken requests, by the code node's parser gives. */
const brokenRequests: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function onClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = brokenRequests[error.code ?? ''] ?? '400 Bad Request';
  const body = JSON.stringify({ error: 'E_USAGE', message: 'the request is not one that HTTP/1.1 allows' });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function createWebServer(options: WebServerOptions): FastifyInstance {
  const serverFactory = (handler: RequestListener): Server => {
    const onRequest: RequestListener = (request, response) => {
      if (!options.onRequest(request, response)) handler(request, response);
    };
    const settings = { requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveTimeoutMs };
    return options.tls
      ? createTlsServer({ ...settings, ...options.tls }, onRequest)
      : createServer(settings, onRequest);
  };
  const app = fastify({
    serverFactory,
    logger: false,
    trustProxy: false,
    clientErrorHandler: onClientError,
    frameworkErrors: (_error, request, reply) => {
      reply.hijack();
      options.onUnrouted(request.raw, reply.raw as Parameters<RequestListener>[1]);
    },
  });
  app.addHook('onRequest', (request, reply, _done) => {
    reply.hijack();
    options.onUnrouted(request.raw, reply.raw as Parameters<RequestListener>[1]);
  });
  return app;
}

const listenErrors: Readonly<Record<string, (address: string) => WattleError>> = {
  EADDRINUSE: (address) => new WattleError('E_PORT', `${address} is in use by another process`),
  EACCES: (address) => new WattleError('E_PORT', `listening on ${address} needs a privilege this process lacks`),
  EADDRNOTAVAIL: (address) => new WattleError('E_LINK_CONFIG', `${address} is no address of this machine`),
};

/** Listens. Throws E_PORT or E_LINK_CONFIG naming the address. */
export async function startServer(options: WebServerOptions): Promise<WebServer> {
  const app = createWebServer(options);
  try {
    await app.listen({ host: options.address, port: options.port });
  } catch (cause) {
    await app.close();
    const { code = '', message } = cause as NodeJS.ErrnoException;
    const address = formatAddress(options.address, options.port);
    throw (
      listenErrors[code]?.(address) ?? new WattleError('E_PORT', `cannot listen on ${address}: ${message}`, { cause })
    );
  }
  return { app, port: (app.server.address() as AddressInfo).port };
}

/**
 * Stops listening at once and resolves when the last connection is gone. `http.Server.close` would cut idle connections in
 * the same moment, and a request just under way on one of them would see a reset (reliability.md 5.1): so only the socket
 * is closed first, and clients get a while to read `connection: close`.
 */
export async function closeServer({ app }: WebServer): Promise<void> {
  const closed = Promise.withResolvers<void>();
  NetServer.prototype.close.call(app.server, () => closed.resolve());
  const stop = new AbortController();
  void closeConnections(app.server, stop.signal);
  await closed.promise;
  stop.abort();
  await app.close();
}

async function closeConnections(server: Server, signal: AbortSignal): Promise<void> {
  const until = performance.now() + drainMs;
  const pause = (): Promise<boolean> => sleep(partingMs, true, { signal, ref: false }).catch(() => false);
  while (await pause()) {
    if (performance.now() < until) server.closeIdleConnections();
    else server.closeAllConnections();
  }
}
