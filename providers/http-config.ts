// The configuration of an HTTP link as a route. Keys of both eras, in any case; whole settings may come as `config_json` or
// `config_b64` with single keys laid over them. A key that is not known is refused: nothing is read and then ignored.
import { isIP } from 'node:net';
import { z } from 'zod';
import { WattleError } from '../lattice/errors.ts';
import type { CorsRules, HttpRoute, TlsFiles } from './http-route.ts';
import type { Configuration } from './provider.ts';

/** protocol.md 7.5 */
export const defaultAddress = '127.0.0.1:8000';
export const defaultBodyBytes = 10 * 1024 * 1024;

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const size = z.union([z.number(), z.string()]).transform((value, context) => {
  const match = /^(\d+)\s*([kmg]?)(i?b)?$/i.exec(String(value).trim());
  if (match) return Number(match[1]) * units[match[2]!.toLowerCase()]!;
  context.addIssue('is a size like 1048576, 512K or 10M');
  return z.NEVER;
});
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')]);
const list = z.union([
  z.array(z.string()),
  z.string().transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]);
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const Cors = z.strictObject({
  allowed_origins: list.default([]),
  allowed_methods: list.default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']),
  allowed_headers: list.default([]),
  exposed_headers: list.default([]),
  max_age_secs: whole(0, 86_400).default(300),
});
const Tls = z.strictObject({ cert_file: z.string().min(1), priv_key_file: z.string().min(1) });
const Settings = z.strictObject({
  address: z.string().optional(),
  port: whole(0, 65_535).optional(),
  host: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,253}$/, 'is a host name without port')
    .optional(),
  path: z
    .string()
    .regex(/^\/[^?#*\s]*$/, 'is a path that begins with /, without ?, # and *')
    .optional(),
  timeout_ms: whole(1, 3_600_000).optional(),
  max_content_len: size.default(defaultBodyBytes),
  readonly_mode: flag.default(false),
  cache_control: z
    .string()
    .regex(/^[\x20-\x7e]+$/, 'is a header value')
    .optional(),
  tls: Tls.optional(),
  cors: Cors.optional(),
});
type Settings = z.infer<typeof Settings>;

const wrong = (message: string): WattleError => new WattleError('E_LINK_CONFIG', `http-server: ${message}`);

/** Other names of a key, and where nested settings stand when they are written as single keys (1.x). */
const aliases: Readonly<Record<string, readonly [string] | readonly [string, string]>> = {
  path_prefix: ['path'],
  tls_cert_file: ['tls', 'cert_file'],
  tls_priv_key_file: ['tls', 'priv_key_file'],
  ...Object.fromEntries(Object.keys(Cors.shape).map((key) => [`cors_${key}`, ['cors', key] as const])),
};

function parseObject(json: string, key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // falls through to the one error below
  }
  throw wrong(`${key} is not a JSON object`);
}

/** Settings that came as a whole; single keys are laid over them. */
const wholes: Readonly<Record<string, (value: string) => Record<string, unknown>>> = {
  config_json: (value) => parseObject(value, 'config_json'),
  config_b64: (value) => parseObject(Buffer.from(value, 'base64').toString(), 'config_b64'),
  config_file: () => {
    throw wrong('config_file is not supported: a host reads no files for a link; use config_json');
  },
};

function collect(config: Configuration): Record<string, unknown> {
  const settings: Record<string, unknown> = Object.create(null);
  const entries = Object.entries(config).map(([key, value]) => [key.toLowerCase(), value] as const);
  for (const [key, value] of entries) if (Object.hasOwn(wholes, key)) Object.assign(settings, wholes[key]!(value));
  for (const [key, value] of entries) {
    if (Object.hasOwn(wholes, key)) continue;
    const [name, inner] = Object.hasOwn(aliases, key) ? aliases[key]! : [key];
    settings[name] = inner === undefined ? value : { ...(settings[name] as object), [inner]: value };
  }
  return settings;
}

function explain(error: z.ZodError): WattleError {
  const issue = error.issues[0]!;
  if (issue.code === 'unrecognized_keys')
    return wrong(`unknown option "${issue.keys[0]}"; known are ${Object.keys(Settings.shape).join(', ')}`);
  return wrong(`${issue.path.join('.')} ${issue.message}`);
}

/** `ip:port`, `[ip6]:port`, `ip`, or `localhost` for the loopback address. */
function parseAddress(text: string): { address: string; port?: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const name = match?.[1] ?? match?.[2] ?? text.trim();
  const address = name === 'localhost' ? '127.0.0.1' : name;
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (isIP(address) === 0 || (port ?? 0) > 65_535) throw wrong(`address "${text}" is not an IP address and port`);
  return port === undefined ? { address } : { address, port };
}

function placeOf(settings: Settings, fallback: string): { address: string; port: number } {
  const base = parseAddress(fallback);
  // a port alone listens where links without an address do
  const given = settings.address === undefined ? { address: base.address } : parseAddress(settings.address);
  if (given.port !== undefined && settings.port !== undefined && given.port !== settings.port)
    throw wrong(`address ${settings.address} and port ${settings.port} name two ports`);
  return { address: given.address, port: given.port ?? settings.port ?? base.port ?? 8000 };
}

const tlsOf = (tls: z.infer<typeof Tls>): TlsFiles => ({ certFile: tls.cert_file, keyFile: tls.priv_key_file });
const corsOf = (cors: z.infer<typeof Cors>): CorsRules => ({
  origins: cors.allowed_origins.filter((origin) => origin !== '*'),
  methods: cors.allowed_methods.map((method) => method.toUpperCase()),
  headers: cors.allowed_headers.map((header) => header.toLowerCase()),
  exposed: cors.exposed_headers,
  maxAgeSeconds: cors.max_age_secs,
});

/** The route a link asks for. `fallback` is the address of links that name none. Throws E_LINK_CONFIG. */
export function parseHttpRoute(config: Configuration, fallback: string = defaultAddress): HttpRoute {
  const parsed = Settings.safeParse(collect(config));
  if (!parsed.success) throw explain(parsed.error);
  const settings = parsed.data;
  return {
    ...placeOf(settings, fallback),
    ...(settings.host ? { host: settings.host.toLowerCase() } : {}),
    pathPrefix: settings.path?.replace(/\/+$/, '') || '/',
    ...(settings.tls ? { tls: tlsOf(settings.tls) } : {}),
    maxBodyBytes: settings.max_content_len,
    ...(settings.timeout_ms ? { timeoutMs: settings.timeout_ms } : {}),
    readOnly: settings.readonly_mode,
    ...(settings.cache_control ? { cacheControl: settings.cache_control } : {}),
    ...(settings.cors ? { cors: corsOf(settings.cors) } : {}),
  };
}
