// The embedded default: a real nats-server on loopback with JetStream in the data directory. It ends when we end, comes back
// on the same port when it crashes, and two of them never share a data directory.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireLock } from './data-lock.ts';
import { WattleError } from './errors.ts';
import { GuardedProcess } from './guarded-process.ts';
import type { Log } from './log.ts';
import { findNatsBinary, isAtLeast, type NatsBinary, parseVersion } from './nats-binary.ts';
import { configFile, portsFolder, readPort, waitForOrphan, waitForPort } from './nats-ports.ts';
import { describePortHolder } from './port-holder.ts';

export interface NatsServerOptions {
  /** Binary the user named; else PATH, cache, release and Debian are tried (nats-binary.ts). */
  readonly binary?: string | undefined;
  /** The store is kept in `{dataDir}/nats`. */
  readonly dataDir: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly log: Log;
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly releaseUrl?: string | undefined;
  /** Where fetched binaries are kept. Default `{dataDir}/cache`. */
  readonly cacheDir?: string | undefined;
}

/** Restarts after a crash: this many in this time, then it is given up. */
const crashBudget = { crashes: 5, periodMs: 60_000 };

/** reliability.md 2.2: below this, published advisories apply. */
export const isSafeVersion = (version: string): boolean => {
  const [major, minor] = parseVersion(version);
  return isAtLeast(version, '2.14.3') || (major === 2 && minor === 12 && isAtLeast(version, '2.12.12'));
};

export interface NatsConfig {
  readonly version: string;
  readonly name: string;
  /** -1 lets the system choose. */
  readonly port: number;
  readonly storeDir: string;
  readonly portsDir: string;
}

/** The configuration file. Quoting as JSON is right for NATS strings, and keeps Windows paths whole. */
export const createNatsConfig = (config: NatsConfig): string =>
  [
    `server_name: ${JSON.stringify(config.name)}`,
    'host: "127.0.0.1"',
    `port: ${config.port}`,
    `ports_file_dir: ${JSON.stringify(config.portsDir)}`,
    'ping_interval: "2s"',
    'ping_max: 2',
    'write_deadline: "2s"',
    'max_payload: 1048576',
    'jetstream {',
    `  store_dir: ${JSON.stringify(config.storeDir)}`,
    // an acknowledged write then survives a power cut, not only a crash (reliability.md 1.1)
    ...(isAtLeast(config.version, '2.10.0') ? ['  sync_interval: always'] : []),
    '}',
    '',
  ].join('\n');

export class NatsServer {
  readonly version: string;
  /** Resolves with the reason when the server crashed too often to be started again. */
  readonly lost: Promise<WattleError>;
  #options: NatsServerOptions;
  #binary: NatsBinary;
  #lock: Disposable;
  #process: GuardedProcess | undefined;
  #port: number;
  #crashes: number[] = [];
  #stopping = false;
  #giveUp: (reason: WattleError) => void;

  private constructor(options: NatsServerOptions, binary: NatsBinary, lock: Disposable) {
    const { promise, resolve } = Promise.withResolvers<WattleError>();
    this.#options = options;
    this.#binary = binary;
    this.#lock = lock;
    this.#port = options.port;
    this.version = binary.version;
    this.lost = promise;
    this.#giveUp = resolve;
  }

  /**
   * Starts a server and resolves when it answers. Throws E_ALREADY_RUNNING when one uses the data directory, E_PORT when the
   * port is taken, E_NATS_SERVER when there is no binary or it does not come up.
   */
  static async start(options: NatsServerOptions): Promise<NatsServer> {
    await mkdir(join(options.dataDir, 'nats'), { recursive: true, mode: 0o700 });
    const lock = acquireLock(join(options.dataDir, 'nats', 'owner.lock'));
    if (!lock) throw await alreadyRunning(options.dataDir);
    try {
      if (!(await waitForOrphan(options.dataDir))) throw await alreadyRunning(options.dataDir);
      const cacheDir = options.cacheDir ?? join(options.dataDir, 'cache');
      const binary = await findNatsBinary({ ...options, cacheDir });
      if (!isSafeVersion(binary.version)) warnOldVersion(options.log, binary);
      const server = new NatsServer(options, binary, lock);
      await server.#launch();
      return server;
    } catch (thrown) {
      lock[Symbol.dispose]();
      throw thrown;
    }
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get #folder(): string {
    return join(this.#options.dataDir, 'nats');
  }

  async #launch(): Promise<void> {
    const portsDir = portsFolder(this.#options.dataDir);
    await rm(portsDir, { recursive: true, force: true });
    await mkdir(portsDir);
    const config = configFile(this.#options.dataDir);
    const text = createNatsConfig({
      version: this.version,
      name: `wattle-${randomBytes(6).toString('hex')}`,
      port: this.#port === 0 ? -1 : this.#port,
      storeDir: this.#folder,
      portsDir,
    });
    await writeFile(config, text, { mode: 0o600 });
    await chmod(config, 0o600);
    const lines: string[] = [];
    const child = GuardedProcess.start({
      command: this.#binary.path,
      words: ['-c', config],
      onLine: (line) => this.#onLine(line, lines),
    });
    this.#process = child;
    try {
      this.#port = await waitForPort(this.#options.dataDir, child);
    } catch (thrown) {
      await child[Symbol.asyncDispose]();
      throw await explain(this.#port, lines, thrown);
    }
    void child.exited.then((code) => this.#onExit(code, lines));
  }

  /** The server's log goes to ours; the last lines are kept, as they tell why a start failed. */
  #onLine(line: string, lines: string[]): void {
    if (lines.push(line) > 20) lines.shift();
    const text = line.replace(/^\[\d+\] [\d/]+ [\d:.]+ /, '');
    if (/^\[(ERR|FTL)\]/.test(text) || line.startsWith('nats-server:')) this.#options.log.warn(`nats-server: ${text}`);
    else this.#options.log.debug(`nats-server: ${text}`);
  }

  async #onExit(code: number, lines: readonly string[]): Promise<void> {
    if (this.#stopping) return;
    const now = performance.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < crashBudget.periodMs), now];
    const reason = new WattleError(
      'E_NATS_SERVER',
      `nats-server ended with code ${code}: ${lines.at(-1) ?? 'no word'}`,
      {
        hint: `See its store in ${this.#folder}.`,
      },
    );
    if (this.#crashes.length > crashBudget.crashes) return this.#giveUp(reason);
    this.#options.log.error(`${reason.message}; starting it again`);
    await sleep(50 * 2 ** this.#crashes.length, undefined, { ref: false });
    if (this.#stopping) return;
    await this.#launch().catch((thrown: WattleError) => this.#giveUp(thrown));
    if (this.#stopping) await this.#process?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#process?.[Symbol.asyncDispose]();
    this.#lock[Symbol.dispose]();
  }
}

function warnOldVersion(log: Log, binary: NatsBinary): void {
  log.warn(
    { binary: binary.path },
    `nats-server ${binary.version} is older than 2.14.3 (or 2.12.12) and has published faults; ` +
      'name a newer one with --nats-server PATH',
  );
}

async function alreadyRunning(dataDir: string): Promise<WattleError> {
  const port = await readPort(dataDir);
  const where = port ? ` (nats://127.0.0.1:${port})` : '';
  return new WattleError('E_ALREADY_RUNNING', `a nats-server already uses ${dataDir}${where}`);
}

/** The failure of a start as one line: a taken port with its holder, else the server's own last word. */
async function explain(port: number, lines: readonly string[], thrown: unknown): Promise<WattleError> {
  if (lines.some((line) => line.includes('address already in use') || line.includes('Only one usage of each socket'))) {
    const holder = await describePortHolder(port);
    return new WattleError('E_PORT', `127.0.0.1:${port} is used by ${holder ?? 'another process'}`, {
      hint: `Choose another with --nats-port (0 lets the system choose), or join it with --nats-url nats://127.0.0.1:${port}.`,
      cause: thrown,
    });
  }
  const word = lines.findLast((line) => line.includes('[FTL]') || line.startsWith('nats-server:')) ?? lines.at(-1);
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new WattleError('E_NATS_SERVER', `nats-server did not start: ${word ?? reason}`, { cause: thrown });
}
