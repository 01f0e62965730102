// One error class and one table. The code is the contract: it travels on the wire, becomes the exit code and the HTTP
// status; the message says what happened and to which id; the hint says what to do.

/** Whose fault it is decides log level and exit code; `retry` tells supervisor and reconciler whether trying again can help. */
interface ErrorRow {
  readonly fault: 'user' | 'system';
  readonly retry: boolean;
  readonly http: number;
  readonly hint: string;
}

const row = (fault: ErrorRow['fault'], http: number, retry: boolean, hint: string): ErrorRow => ({
  fault,
  retry,
  http,
  hint,
});

/** Every code Wattle can answer with. Codes are stable: they are renamed never, added freely. */
export const errorTable = {
  // usage and settings
  E_USAGE: row('user', 400, false, 'See --help.'),
  E_SETTING: row('user', 400, false, 'Correct the setting; `wattle help settings` lists them.'),
  E_NODE_VERSION: row('user', 500, false, 'Install Node.js 26 or newer, or reinstall without --omit=optional.'),
  E_INTERNAL: row('system', 500, false, 'This is a fault in Wattle: please report it with the log.'),
  E_NOT_SUPPORTED: row('user', 501, false, 'This is not supported by this version.'),
  // keys and claims (protocol.md 1, reliability.md 2.7)
  E_KEY: row('user', 400, false, 'A key is 56 characters (58 for a seed) as `wattle keys gen` prints it.'),
  E_KEY_FILE: row('user', 400, false, 'Make the key file readable by its owner only: chmod 600.'),
  E_KEY_NOT_FOUND: row('user', 404, false, 'List keys with `wattle keys list`, make one with `wattle keys gen`.'),
  E_TOKEN: row('user', 400, false, 'The token is not a valid claims token; sign the module again.'),
  E_TOKEN_SIZE: row('user', 400, false, 'A claims token has at most 64 KiB; sign the module again with fewer claims.'),
  E_TOKEN_ENCODING: row('user', 400, false, 'The token is not plain base64url; sign the module again.'),
  E_TOKEN_HEADER: row('user', 403, false, 'Only {"typ":"jwt","alg":"Ed25519"} is accepted; sign the module again.'),
  E_TOKEN_CLAIMS: row('user', 400, false, 'The claims do not have the shape of wascap claims; sign the module again.'),
  E_SIG_MISSING: row('user', 403, false, 'Sign it with `wattle claims sign`, or start the host with --allow-unsigned.'),
  E_SIG_DUPLICATE: row(
    'user',
    403,
    false,
    'A module carries exactly one claims section; sign it again from the unsigned file.',
  ),
  E_SIG_NESTED: row(
    'user',
    403,
    false,
    'A claims section stands inside a nested module; build the component from unsigned modules and sign it.',
  ),
  E_SIG_POSITION: row('user', 403, false, 'The claims section must be the last one; sign the module again.'),
  E_SIG_HASH: row('user', 403, false, 'The module was changed after signing; sign it again.'),
  E_SIG_INVALID: row('user', 403, false, 'The signature does not match its issuer; sign the module again.'),
  E_SIG_ISSUER: row('user', 403, false, 'Trust the issuer with --trust KEY or `wattle keys trust KEY`.'),
  E_SIG_EXPIRED: row('user', 403, false, 'Sign the module again with a later expiry.'),
  E_SIG_NO_EXPIRY: row('user', 403, false, 'Only claims that expire are accepted here; sign it with --expires.'),
  E_SIG_NOT_YET: row('user', 403, false, 'The token is not valid yet; check the clock of this machine.'),
  E_SIG_KIND: row('user', 403, false, 'The token must be a module token (subject M…) signed by an account (A…).'),
  E_SIG_SUBJECT: row('user', 403, false, 'This is another module than expected; check the reference or the key.'),
  E_SIG_LEGACY: row('user', 403, false, 'Sign the module again, or start the host with --allow-legacy-claims.'),
  E_SIG_REPLAY: row('user', 403, false, 'A newer revision of this module was seen; sign with a higher revision.'),
  // modules
  E_WASM_MALFORMED: row('user', 400, false, 'The file is not a valid WebAssembly module; build it again.'),
  E_WASM_LIMIT: row('user', 400, false, 'The module is beyond the admission limits (docs/security.md).'),
  E_WASM_FEATURE: row(
    'user',
    400,
    false,
    'The module uses a WebAssembly feature that is refused here (docs/security.md).',
  ),
  E_WASM_IMPORT: row('user', 400, false, 'The module imports something this host does not offer.'),
  E_WASM_EXPORT: row('user', 400, false, 'The module lacks an export its ABI needs; build it with an actor SDK.'),
  E_WASM_KIND: row('user', 400, false, 'This kind of WebAssembly file is not supported by this host.'),
  E_WASM_START: row('user', 400, false, 'The module failed while it started; run it locally to see why.'),
  E_BUILD: row('user', 400, false, 'Correct the source of the actor and build it again.'),
  // artifacts
  E_ARTIFACT_REF: row('user', 400, false, 'Use file:PATH, http(s)://URL, or the image of a built-in provider.'),
  E_ARTIFACT_NOT_FOUND: row('user', 404, true, 'Check the reference; it must be reachable from every host.'),
  E_ARTIFACT_FETCH: row('system', 502, true, 'The source did not answer as expected; it is tried again.'),
  E_ARTIFACT_DIGEST: row(
    'user',
    409,
    false,
    'The bytes are not those the reference names; publish again or correct the digest.',
  ),
  E_TOO_LARGE: row('user', 413, false, 'Send less, or use a blob store.'),
  // invocation path: the closed list a caller can get
  E_NO_LINK: row('user', 502, false, 'Link it: `wattle link put SOURCE TARGET CONTRACT`.'),
  E_NO_CAPABILITY: row('user', 403, false, 'The claims do not name this capability; sign with --capability CONTRACT.'),
  E_NO_TARGET: row('user', 502, true, 'No host runs the target; start it or correct its id.'),
  E_PROVIDER_DOWN: row('system', 503, true, 'The provider is not running; see `wattle provider list`.'),
  E_TIMEOUT: row('system', 504, true, 'The target did not answer in time.'),
  E_ACTOR_DEADLINE: row('user', 504, false, 'The actor took longer than its deadline.'),
  E_ACTOR_TRAP: row('user', 500, false, 'The actor trapped; its log and name section say where.'),
  E_ACTOR_ERROR: row('user', 500, false, 'The actor answered with an error.'),
  E_ACTOR_MEMORY: row('user', 500, false, 'The actor went over its memory limit.'),
  E_ACTOR_STOPPED: row('system', 503, true, 'The actor was stopped.'),
  E_CELL_LOST: row('system', 502, true, 'The process that ran the actor ended; it is being restarted.'),
  E_CRASH_LOOP: row('user', 503, false, 'The actor keeps crashing; fix it and update, or roll back.'),
  E_NOT_STARTED: row('system', 503, true, 'The call had not started and can be sent again.'),
  E_OVERLOAD: row('system', 429, true, 'Too many calls in flight; scale the actor or slow down.'),
  E_LATTICE: row('system', 503, true, 'The lattice cannot be reached; is it up? Start it with `wattle up`.'),
  E_INVOCATION: row('user', 400, false, 'The invocation is malformed.'),
  E_FORGED: row(
    'user',
    403,
    false,
    'Not signed by a trusted cluster key: share the cluster seed between hosts, or name the key with --cluster-issuer.',
  ),
  E_OPERATION: row('user', 400, false, 'The target does not know this operation.'),
  E_PAYLOAD: row('user', 400, false, 'The payload does not have the shape the operation expects.'),
  // control interface, links, providers, config
  E_CONTROL: row('user', 400, false, 'The request does not have the shape of the control interface.'),
  E_NOT_FOUND: row('user', 404, false, 'Check the id.'),
  E_CONFLICT: row('user', 409, false, 'It exists already with other values; delete it first or use another name.'),
  E_ROUTE_TAKEN: row(
    'user',
    409,
    false,
    'Two applications cannot serve the same route; choose another port, host or path.',
  ),
  E_PORT: row('user', 409, true, 'Another process uses the port; choose another.'),
  E_LINK_CONFIG: row('user', 400, false, 'Correct the configuration of the link.'),
  E_CONFIG_MISSING: row('user', 404, true, 'Put it with `wattle config put NAME key=value`.'),
  E_LABEL: row('user', 400, false, 'Labels that begin with hostcore. are read-only.'),
  E_PROVIDER_REF: row(
    'user',
    404,
    false,
    'No built-in provider has this image; `wattle provider list --built-in` shows them.',
  ),
  E_PROVIDER_START: row('system', 502, true, 'The provider did not start; it is tried again.'),
  E_STORE: row('system', 503, true, 'The store behind the provider did not answer; is it running?'),
  E_STORE_TYPE: row('user', 409, false, 'The key holds a value of another type.'),
  // manifests and wadm
  E_MANIFEST: row('user', 400, false, 'Correct the manifest at the line named.'),
  E_MANIFEST_VERSION: row('user', 409, false, 'Give the manifest another version annotation.'),
  E_APP_NOT_FOUND: row('user', 404, false, 'List applications with `wattle app list`.'),
  E_APP_FAILED: row('user', 500, false, 'See `wattle app status NAME`.'),
  E_WADM: row('system', 503, true, 'No wadm answers; start one with `wattle up` or `wattle wadm start`.'),
  E_NO_HOST: row(
    'user',
    409,
    true,
    'No host answers or meets the requirements; start one with `wattle host start`, check labels.',
  ),
  // machine
  E_NATS_SERVER: row(
    'system',
    503,
    false,
    'Install nats-server, or name one with --nats-server PATH or --nats-url URL.',
  ),
  E_ALREADY_RUNNING: row(
    'user',
    409,
    false,
    'Stop it with `wattle down`, or use another --data-dir and --nats-port 0.',
  ),
  E_NOT_RUNNING: row('user', 409, false, 'Start it with `wattle up`.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** The only error class. `message` carries no code; `toString()` and `formatError` put it in front. */
export class WattleError extends Error {
  readonly code: ErrorCode;
  /** What to do about it; the table's hint unless the thrower knows better. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'WattleError';
    this.code = code;
    this.hint = options.hint ?? errorTable[code].hint;
  }
}

/** Any thrown value as a WattleError: unchanged if it is one, else wrapped under `code`. */
export function toWattleError(thrown: unknown, code: ErrorCode = 'E_INTERNAL'): WattleError {
  if (thrown instanceof WattleError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new WattleError(code, message, { cause: thrown });
}

/** `E_CODE: message`: the form an error takes inside texts on the wire (guest errors, acks, events). */
export const formatError = (error: WattleError): string => `${error.code}: ${error.message}`;

/** Reads what `formatError` wrote; a text without a known code becomes `fallback` with the whole text as message. */
export function parseError(text: string, fallback: ErrorCode = 'E_ACTOR_ERROR'): WattleError {
  const match = /^(E_[A-Z_]+): ([\s\S]*)$/.exec(text);
  if (match && Object.hasOwn(errorTable, match[1]!)) return new WattleError(match[1] as ErrorCode, match[2]!);
  return new WattleError(fallback, text);
}

/** Process exit code: 64–78 as in sysexits where one fits, so that scripts can tell user faults from system faults. */
export const exitCodeOf = (code: ErrorCode): number =>
  code === 'E_USAGE' ? 64 : errorTable[code].fault === 'user' ? 1 : 69;
