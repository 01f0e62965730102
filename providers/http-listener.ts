// One listener an address and port for the whole process, shared by every HTTP provider in it: actors are told apart by
// route. Two links that want the same route are refused by name, whichever provider they go through.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { statusOf, writeError } from './http-answer.ts';
import { headerValue } from './http-cors.ts';
import type { HttpExchange } from './http-exchange.ts';
import {
  addressesOverlap,
  createRouteTable,
  formatAddress,
  formatRoute,
  type HttpRoute,
  type RouteTable,
  routesClash,
  sameTls,
  type TlsFiles,
} from './http-route.ts';
import { closeServer, startServer, type WebServer } from './http-socket.ts';

/** What a link asks for: a route, and who answers on it. */
export interface RouteClaim {
  readonly route: HttpRoute;
  /** Equal for claims of one link, through whichever provider: the newest of them serves, and no clash is seen. */
  readonly owner: string;
  /** As it stands in messages: `actor counter`. */
  readonly title: string;
  answer(exchange: HttpExchange): void;
}

export interface ClaimedRoute {
  /** The port in use; where the route says 0, the one that the system chose. */
  readonly port: number;
  /** Gives the route back. The last one stops the listener at once; resolves when its connections are gone. */
  release(): Promise<void>;
}

const listeners = new Set<HttpListener>();

/** Throws what stands against a claim: E_ROUTE_TAKEN, E_PORT or E_LINK_CONFIG, naming who has what it wants. */
export function checkClaim(claim: RouteClaim): void {
  for (const listener of listeners) for (const other of listener.claims) checkAgainst(claim, other);
}

function checkAgainst(claim: RouteClaim, other: RouteClaim): void {
  if (claim.owner === other.owner) return;
  const { route } = claim;
  if (routesClash(route, other.route))
    throw new WattleError('E_ROUTE_TAKEN', `${formatRoute(route)} is served by ${other.title} already`);
  if (!addressesOverlap(route, other.route)) return;
  const taken = formatAddress(other.route.address, other.route.port);
  if (route.address !== other.route.address)
    throw new WattleError('E_PORT', `${formatAddress(route.address, route.port)} overlaps ${taken} of ${other.title}`, {
      hint: 'Give links that share a port the same address.',
    });
  if (!sameTls(route, other.route))
    throw new WattleError('E_LINK_CONFIG', `${taken} has other TLS files, those of ${other.title}`);
}

/** Takes a route, opening its listener if it is the first there. Throws what `checkClaim` throws, or that it cannot listen. */
export async function claimRoute(claim: RouteClaim): Promise<ClaimedRoute> {
  checkClaim(claim);
  const { address, port } = claim.route;
  const shared = [...listeners].find((each) => port !== 0 && each.port === port && each.address === address);
  const listener = shared ?? new HttpListener(claim.route);
  listener.add(claim);
  listeners.add(listener);
  const release = async (): Promise<void> => {
    if (listener.remove(claim)) return;
    listeners.delete(listener);
    await listener.close();
  };
  try {
    return { port: await listener.ready, release };
  } catch (thrown) {
    await release();
    throw thrown;
  }
}

/** True when a link's new route cannot be opened before its old one is closed. */
export const mustCloseFirst = (before: HttpRoute, after: HttpRoute): boolean =>
  addressesOverlap(before, after) && (before.address !== after.address || !sameTls(before, after));

/** A listening socket and the claims on it. */
class HttpListener {
  readonly address: string;
  /** As asked for: 0 is never shared. */
  readonly port: number;
  /** The port in use, once it listens; rejects when it cannot. */
  readonly ready: Promise<number>;
  readonly #opening: Promise<WebServer>;
  #server: WebServer | undefined;
  #claims: readonly RouteClaim[] = [];
  #table: RouteTable<RouteClaim> = createRouteTable<RouteClaim>([]);
  #closing = false;

  constructor(route: HttpRoute) {
    this.address = route.address;
    this.port = route.port;
    this.#opening = this.#listen(route.tls);
    this.ready = this.#opening.then((server) => {
      this.#server = server;
      return server.port;
    });
  }

  get claims(): readonly RouteClaim[] {
    return this.#claims;
  }

  add(claim: RouteClaim): void {
    this.#setClaims([...this.#claims, claim]);
  }

  /** False when it was the last. */
  remove(claim: RouteClaim): boolean {
    this.#setClaims(this.#claims.filter((other) => other !== claim));
    return this.#claims.length > 0;
  }

  /** Stops listening before it returns, once it does listen. */
  async close(): Promise<void> {
    this.#closing = true;
    const server = this.#server ?? (await this.#opening.catch(() => undefined));
    if (server) await closeServer(server);
  }

  #setClaims(claims: readonly RouteClaim[]): void {
    this.#claims = claims;
    // of several claims of one link the newest serves
    const serving = claims.filter(
      (claim, index) => !claims.some((other, at) => at > index && routesMatch(other, claim)),
    );
    this.#table = createRouteTable(serving);
  }

  async #listen(files: TlsFiles | undefined): Promise<WebServer> {
    return startServer({
      address: this.address,
      port: this.port,
      tls: files ? await readTls(files) : undefined,
      onRequest: (request, response) => this.#onRequest(request, response),
      onUnrouted: (request, response) => this.#onUnrouted(request, response),
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const target = originForm(request.url ?? '/');
    const split = target.indexOf('?');
    const path = split < 0 ? target : target.slice(0, split);
    const claim = this.#table.find(this.#table.needsHost ? hostOf(request) : '', path);
    if (!claim) return false;
    const queryString = split < 0 ? '' : target.slice(split + 1);
    claim.answer({ request, response, path, queryString, closing: this.#closing });
    return true;
  }

  #onUnrouted(request: IncomingMessage, response: ServerResponse): void {
    const error = this.#closing
      ? new WattleError('E_PROVIDER_DOWN', 'this address is closing')
      : new WattleError('E_NOT_FOUND', `no actor is linked to ${request.method} ${request.url}`);
    const close = this.#closing || request.headers['content-length'] !== undefined;
    writeError(response, error, { status: statusOf(error, false), head: request.method === 'HEAD', close });
  }
}

const routesMatch = (a: RouteClaim, b: RouteClaim): boolean =>
  a.route.host === b.route.host && a.route.pathPrefix === b.route.pathPrefix;

/** Proxies may send `GET http://host/path`: the part behind the host is the target. */
function originForm(url: string): string {
  if (url.charCodeAt(0) === 0x2f || url === '*') return url;
  const rest = url.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

const hostOf = (request: IncomingMessage): string =>
  headerValue(request.rawHeaders, 'host').toLowerCase().replace(/:\d+$/, '');

async function readTls(files: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  try {
    const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
    return { cert, key };
  } catch (cause) {
    throw new WattleError('E_LINK_CONFIG', `cannot read the TLS files: ${toWattleError(cause).message}`, { cause });
  }
}
