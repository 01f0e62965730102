// A route: where an HTTP link listens and which requests it takes. All pure: whether two routes clash, and which one a
// request goes to. Paths are compared as the client sent them, so router and actor see the same bytes.

export interface CorsRules {
  /** Empty: every origin. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  /** Empty: whatever a preflight asks for. */
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly maxAgeSeconds: number;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface HttpRoute {
  /** An IP address; `0.0.0.0` and `::` mean every one. */
  readonly address: string;
  /** 0: one that the system chooses, for this route alone. */
  readonly port: number;
  /** Lower case, without port. Absent: every host. */
  readonly host?: string;
  /** `/` for all; `/api` takes `/api` and `/api/…`. */
  readonly pathPrefix: string;
  readonly tls?: TlsFiles;
  readonly maxBodyBytes: number;
  readonly timeoutMs?: number;
  readonly readOnly: boolean;
  readonly cacheControl?: string;
  readonly cors?: CorsRules;
}

const isEvery = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** True where two listeners could not both exist: the same port on the same address, or one of them on every address. */
export const addressesOverlap = (a: HttpRoute, b: HttpRoute): boolean =>
  a.port !== 0 && a.port === b.port && (a.address === b.address || isEvery(a.address) || isEvery(b.address));

/** True when both would take the same requests. */
export const routesClash = (a: HttpRoute, b: HttpRoute): boolean =>
  addressesOverlap(a, b) && a.host === b.host && a.pathPrefix === b.pathPrefix;

export const sameTls = (a: HttpRoute, b: HttpRoute): boolean =>
  a.tls?.certFile === b.tls?.certFile && a.tls?.keyFile === b.tls?.keyFile;

/** `127.0.0.1:8080`, `[::]:8080`: names a listener. */
export const formatAddress = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** A route as people read it: `http://127.0.0.1:8080/api (host example.com)`. */
export const formatRoute = (route: HttpRoute, port: number = route.port): string =>
  `${route.tls ? 'https' : 'http'}://${formatAddress(route.address, port)}${route.pathPrefix}${route.host ? ` (host ${route.host})` : ''}`;

const takesPath = (prefix: string, path: string): boolean =>
  prefix === '/' || (path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/'));

export interface RouteTable<T> {
  /** True when a look-up needs the host of the request. */
  readonly needsHost: boolean;
  /** The entry whose route is the most specific: its host before any host, then the longest path. */
  find(host: string, path: string): T | undefined;
}

/** Builds the table of one listener. */
export function createRouteTable<T extends { readonly route: HttpRoute }>(entries: readonly T[]): RouteTable<T> {
  const byHost = new Map<string | undefined, T[]>();
  for (const entry of entries) byHost.set(entry.route.host, [...(byHost.get(entry.route.host) ?? []), entry]);
  for (const list of byHost.values()) list.sort((a, b) => b.route.pathPrefix.length - a.route.pathPrefix.length);
  const anyHost = byHost.get(undefined) ?? [];
  const only = entries.length === 1 && anyHost[0]?.route.pathPrefix === '/' ? anyHost[0] : undefined;
  const findIn = (list: readonly T[] | undefined, path: string): T | undefined =>
    list?.find((entry) => takesPath(entry.route.pathPrefix, path));
  return {
    needsHost: byHost.size > 1 || anyHost.length === 0,
    find: (host, path) => only ?? (host === '' ? undefined : findIn(byHost.get(host), path)) ?? findIn(anyHost, path),
  };
}
