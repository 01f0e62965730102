// Settings as rows: each row gives type, flag, environment names, default and doc, once. Flag > environment > default.
// This is the only file that reads process.env.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { WattleError } from './errors.ts';

type Kind = 'string' | 'number' | 'boolean' | 'list' | 'map';
interface ValueOf {
  string: string;
  number: number;
  boolean: boolean;
  list: readonly string[];
  map: Readonly<Record<string, string>>;
}

interface Row<K extends Kind = Kind, Optional extends boolean = boolean> {
  readonly kind: K;
  /** As commander writes it: `--nats-url <url>`. */
  readonly flag: string;
  /** Names in order of preference; the names users of wasmCloud know come last. */
  readonly env: readonly string[];
  readonly default: ValueOf[K] | undefined;
  readonly optional: Optional;
  readonly doc: string;
  readonly secret: boolean;
}

/** What a row says beside its kind and flag. */
interface Facts {
  readonly doc: string;
  readonly env?: readonly string[];
  readonly secret?: boolean;
}

const optional = <K extends Kind>(kind: K, flag: string, { doc, env = [], secret = false }: Facts): Row<K, true> => ({
  kind,
  flag,
  env,
  default: undefined,
  optional: true,
  doc,
  secret,
});
const required = <K extends Kind>(kind: K, flag: string, facts: Facts & { default: ValueOf[K] }): Row<K, false> => ({
  ...optional(kind, flag, facts),
  default: facts.default,
  optional: false,
});

const home = join(homedir(), '.wattle');

/** Every setting of the product. A command picks the rows it takes by name. */
export const settingRows = {
  dataDir: required('string', '--data-dir <dir>', {
    default: home,
    doc: 'where this machine keeps keys, caches and the embedded store',
    env: ['WATTLE_DATA_DIR'],
  }),
  lattice: required('string', '--lattice <name>', {
    default: 'default',
    doc: 'name of the lattice',
    env: ['WATTLE_LATTICE', 'WASMCLOUD_LATTICE', 'WASMCLOUD_LATTICE_PREFIX'],
  }),
  natsUrl: optional('string', '--nats-url <url>', {
    doc: 'NATS system to use instead of the embedded one',
    env: ['WATTLE_NATS_URL'],
  }),
  natsPort: required('number', '--nats-port <port>', {
    default: 4222,
    doc: 'port of the embedded nats-server; 0 lets the system choose',
    env: ['WATTLE_NATS_PORT'],
  }),
  natsServer: optional('string', '--nats-server <path>', {
    doc: 'nats-server binary to run',
    env: ['WATTLE_NATS_SERVER'],
  }),
  natsCreds: optional('string', '--nats-creds <file>', {
    doc: 'NATS credentials file',
    env: ['WATTLE_NATS_CREDS', 'WASMCLOUD_NATS_CREDS', 'WASMCLOUD_CTL_CREDS'],
  }),
  natsNkey: optional('string', '--nats-nkey <file>', { doc: 'file with a NATS user seed', env: ['WATTLE_NATS_NKEY'] }),
  natsTlsCa: optional('string', '--nats-tls-ca <file>', {
    doc: 'CA certificate of the NATS system',
    env: ['WATTLE_NATS_TLS_CA', 'WASMCLOUD_TLS_CA_PATH'],
  }),
  natsTlsCert: optional('string', '--nats-tls-cert <file>', {
    doc: 'client certificate for NATS',
    env: ['WATTLE_NATS_TLS_CERT'],
  }),
  natsTlsKey: optional('string', '--nats-tls-key <file>', {
    doc: 'key of the client certificate',
    env: ['WATTLE_NATS_TLS_KEY'],
  }),
  label: required('map', '--label <key=value>', { default: {}, doc: 'label of this host; may be given again' }),
  name: optional('string', '--name <name>', { doc: 'friendly name of this host', env: ['WATTLE_HOST_NAME'] }),
  trust: required('list', '--trust <key>', {
    default: [],
    doc: 'account key (A…) whose modules may run; may be given again',
    env: ['WATTLE_TRUST'],
  }),
  allowUnsigned: required('boolean', '--allow-unsigned', {
    default: false,
    doc: 'run modules without claims',
    env: ['WATTLE_ALLOW_UNSIGNED'],
  }),
  allowLegacyClaims: required('boolean', '--allow-legacy-claims', {
    default: false,
    doc: 'run modules whose token is of an old revision and does not cover their bytes',
    env: ['WATTLE_ALLOW_LEGACY_CLAIMS'],
  }),
  clusterSeed: optional('string', '', {
    doc: 'seed (SC…) that signs invocations between hosts',
    env: ['WATTLE_CLUSTER_SEED', 'WASMCLOUD_CLUSTER_SEED'],
    secret: true,
  }),
  clusterIssuers: required('list', '--cluster-issuer <key>', {
    default: [],
    doc: 'cluster key (C…) whose invocations are accepted beside our own; may be given again',
    env: ['WATTLE_CLUSTER_ISSUERS', 'WASMCLOUD_CLUSTER_ISSUERS'],
  }),
  rpcTimeoutMs: required('number', '--rpc-timeout <ms>', {
    default: 2000,
    doc: 'how long a call to another host or a provider may take',
    env: ['WATTLE_RPC_TIMEOUT_MS', 'WASMCLOUD_RPC_TIMEOUT_MS'],
  }),
  actorDeadlineMs: required('number', '--actor-deadline <ms>', {
    default: 5000,
    doc: 'how long one invocation of an actor may take',
    env: ['WATTLE_ACTOR_DEADLINE_MS'],
  }),
  heartbeatMs: required('number', '--heartbeat <ms>', {
    default: 2000,
    doc: 'time between heartbeats of a host',
    env: ['WATTLE_HEARTBEAT_MS'],
  }),
  drainMs: required('number', '--drain <ms>', {
    default: 30_000,
    doc: 'how long work in flight may take to finish when an actor is replaced or stopped',
    env: ['WATTLE_DRAIN_MS'],
  }),
  cellMemoryMb: required('number', '--cell-memory <mb>', {
    default: 3072,
    doc: 'writable memory of one cell process',
    env: ['WATTLE_CELL_MEMORY_MB'],
  }),
  logLevel: required('string', '--log-level <level>', {
    default: 'info',
    doc: 'debug, info, warn or error',
    env: ['WATTLE_LOG_LEVEL', 'WASMCLOUD_STRUCTURED_LOG_LEVEL'],
  }),
  timeoutMs: required('number', '--timeout <ms>', {
    default: 5000,
    doc: 'how long to wait for an answer of the lattice',
    env: ['WATTLE_TIMEOUT_MS'],
  }),
} as const satisfies Record<string, Row>;

export type SettingName = keyof typeof settingRows;
export type Settings<N extends SettingName = SettingName> = {
  readonly [K in N]: (typeof settingRows)[K] extends Row<infer T, infer O>
    ? ValueOf[T] | (O extends true ? undefined : never)
    : never;
};

/** Environment prefix of labels (protocol.md 6.6). */
const labelPrefixes = ['WATTLE_LABEL_', 'WASMCLOUD_LABEL_'];

function environmentValue(row: Row, env: NodeJS.ProcessEnv): string | undefined {
  for (const name of row.env) {
    const value = env[name];
    if (value !== undefined && value !== '') return value;
  }
  return undefined;
}

const parsers: { [K in Kind]: (text: string, row: Row) => ValueOf[K] } = {
  string: (text) => text,
  number: (text, row) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()))
      throw new WattleError('E_SETTING', `${nameOf(row)} takes a whole number, not "${text}"`);
    return value;
  },
  boolean: (text, row) => {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    throw new WattleError('E_SETTING', `${nameOf(row)} takes true or false, not "${text}"`);
  },
  list: (text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  map: (text, row) => parsePairs(text.split(','), nameOf(row)),
};

const nameOf = (row: Row): string => row.flag.split(' ')[0] || row.env[0]!;

/** `k=v` words as a map. Throws E_SETTING naming the word that is none. */
export function parsePairs(words: readonly string[], what: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const word of words) {
    const split = word.indexOf('=');
    if (split < 1) throw new WattleError('E_SETTING', `${what} takes key=value, not "${word}"`);
    pairs[word.slice(0, split)] = word.slice(split + 1);
  }
  return pairs;
}

function readFlag(row: Row, value: unknown): ValueOf[Kind] {
  if (row.kind === 'map') return parsePairs(value as string[], nameOf(row));
  if (row.kind === 'list') return value as string[];
  return typeof value === 'string' ? parsers[row.kind](value, row) : (value as boolean | number);
}

/**
 * The values of the named settings. `flags` is what the command line parser gives: camel-cased setting names, absent when
 * not given; list and map flags as arrays of words. Throws E_SETTING.
 */
export function readSettings<N extends SettingName>(
  names: readonly N[],
  flags: Readonly<Record<string, unknown>> = {},
  env: NodeJS.ProcessEnv = process.env,
): Settings<N> {
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const row: Row = settingRows[name];
    const flag = flags[name];
    const text = environmentValue(row, env);
    if (flag !== undefined && !(Array.isArray(flag) && flag.length === 0)) values[name] = readFlag(row, flag);
    else values[name] = text === undefined ? row.default : parsers[row.kind](text, row);
    if (name === 'label') values[name] = { ...environmentLabels(env), ...(values[name] as object) };
  }
  return Object.freeze(values) as Settings<N>;
}

function environmentLabels(env: NodeJS.ProcessEnv): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    const prefix = labelPrefixes.find((candidate) => key.startsWith(candidate));
    if (prefix && value !== undefined) labels[key.slice(prefix.length)] = value;
  }
  return labels;
}

/** The environment a child process of ours may see: what it needs to run, nothing that could hold a credential. */
export const plainEnvironment = (): Record<string, string> => {
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SYSTEMROOT'])
    if (process.env[name] !== undefined) kept[name] = process.env[name];
  return kept;
};

/** True when NO_COLOR is set (no-color.org): the CLI prints no colour then. */
export const colourRefused = (): boolean => (process.env.NO_COLOR ?? '') !== '';
