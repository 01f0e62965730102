// One connection to a Redis, shared by the links that name its URL. It reconnects for ever; while there is none, commands
// fail at once, and one that is not answered in time fails then: a call never hangs on a store.
import { createClient, ErrorReply } from 'redis';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { withDeadline } from './deadline.ts';

const commandTimeoutMs = 2000;
/** Waits between attempts grow to this. */
const reconnectMs = 1000;
/** A connection over which nothing comes for this long, not even the answer to a ping, is given up. */
const silenceMs = 5000;
const pingMs = 2000;

const open = (url: string) =>
  createClient({
    url,
    name: 'wattle',
    disableOfflineQueue: true,
    commandsQueueMaxLength: 100_000,
    pingInterval: pingMs,
    socket: {
      connectTimeout: commandTimeoutMs,
      socketTimeout: silenceMs,
      reconnectStrategy: (retries) => Math.min(25 * 2 ** Math.min(retries, 10), reconnectMs),
    },
  });
type Client = ReturnType<typeof open>;

/** What Redis says when a key holds something else than the command needs. */
const wrongType = /^WRONGTYPE|not an integer|would overflow/;

export class RedisConnection {
  /** The URL without its password, for messages. */
  readonly title: string;
  readonly #client: Client;
  readonly #connected: Promise<unknown>;
  #problem = 'it is still connecting';

  constructor(url: string, log: Log) {
    this.title = titleOf(url);
    this.#client = open(url);
    this.#client.on('error', (error: Error) => {
      const problem = error.message || (error as NodeJS.ErrnoException).code || error.name;
      if (problem !== this.#problem) log.warn({ redis: this.title, problem }, 'redis does not answer; trying again');
      this.#problem = problem;
    });
    this.#client.on('ready', () => {
      this.#problem = '';
      log.info({ redis: this.title }, 'connected');
    });
    this.#connected = this.#client.connect().catch(() => undefined);
  }

  /** Resolves when connected, or when that takes too long: it goes on trying. */
  async settle(): Promise<void> {
    await within(this.#connected).catch(() => undefined);
  }

  /** Runs one command. Throws E_STORE or E_STORE_TYPE; a command that failed is not sent again. */
  async run<R>(command: (client: Client) => Promise<R>): Promise<R> {
    try {
      return await within(command(this.#client));
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof ErrorReply)
        throw new WattleError(wrongType.test(message) ? 'E_STORE_TYPE' : 'E_STORE', `${this.title}: ${message}`, {
          cause,
        });
      throw new WattleError('E_STORE', `${this.title} does not answer: ${this.#problem || message}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#client.isReady) await within(this.#client.close()).catch(() => this.#client.destroy());
    else if (this.#client.isOpen) this.#client.destroy();
  }
}

/** Throws E_LINK_CONFIG when the text is no URL of a Redis. */
export function checkRedisUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed && (parsed.protocol === 'redis:' || parsed.protocol === 'rediss:') && parsed.hostname !== '') return url;
  throw new WattleError('E_LINK_CONFIG', 'keyvalue-redis: url is not like redis://host:6379');
}

function titleOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

const within = <T>(promise: Promise<T>): Promise<T> =>
  withDeadline(promise, commandTimeoutMs, () => new Error(`no answer within ${commandTimeoutMs} ms`));
