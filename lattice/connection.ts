// One connection to a lattice: NATS with its ways to sign in, JetStream buckets, JSON requests with typed answers.
// Transport errors become codes that name what is missing.
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect, type Msg, type NatsConnection, type NodeConnectionOptions } from 'nats';
import { toWattleError, WattleError } from './errors.ts';
import { type Credentials, readCredentials } from './nats-credentials.ts';

export interface ConnectionOptions extends Credentials {
  readonly lattice: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  readonly timeoutMs?: number;
}

const utf8 = new TextDecoder();

/** JSON of a message body; throws E_CONTROL when it is none. */
export function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(data));
  } catch (cause) {
    throw new WattleError('E_CONTROL', 'the message is not JSON', { cause });
  }
}

function natsOptions(options: ConnectionOptions): NodeConnectionOptions {
  return {
    servers: options.url,
    name: options.name,
    timeout: options.timeoutMs ?? 5000,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 2000,
    maxPingOut: 3,
    ignoreAuthErrorAbort: true,
    ...readCredentials(options),
  };
}

/** What to do about a connection that was refused; the first row whose pattern the reason matches. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [
    /authorization|authentication/i,
    'Sign in with --nats-creds FILE or --nats-nkey FILE of a user that is known there.',
  ],
  [
    /certificate required|handshake failure|bad certificate|unknown ca/i,
    'The server asks for a client certificate: --nats-tls-cert FILE and --nats-tls-key FILE, of a CA it trusts.',
  ],
  [/altname/i, 'The certificate of the server is for another name: use that name in --nats-url.'],
  [/certificate/i, 'Name the CA that signed the certificate of the server with --nats-tls-ca FILE.'],
  [
    // with TLS 1.3 the server refuses after the client's handshake is over, and the NATS client only waits
    /timeout/i,
    'Something listens there but does not let us in; a server that asks for client certificates wants --nats-tls-cert FILE and --nats-tls-key FILE.',
  ],
  [/does not support 'tls'/i, 'The server speaks no TLS: leave the --nats-tls options out.'],
];

function explainRefusal(url: string, cause: unknown): WattleError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = text.replace(/; if the root CA is installed locally.*/, ''); // an option of node, which is not ours
  const hint = refusals.find(([pattern]) => pattern.test(reason))?.[1];
  return new WattleError('E_LATTICE', `cannot reach the lattice at ${url}: ${reason}`, {
    cause,
    ...(hint ? { hint } : {}),
  });
}

/** A lattice by name over one NATS connection. Owns the connection: disposing drains it. */
export class LatticeConnection {
  readonly lattice: string;
  readonly nats: NatsConnection;
  readonly js: JetStreamClient;
  readonly #url: string;
  #buckets = new Map<string, Promise<KV>>();
  #down = false;
  /** Each rejects one request in flight. */
  #inFlight = new Set<(reason: WattleError) => void>();

  private constructor(options: ConnectionOptions, nats: NatsConnection) {
    this.lattice = options.lattice;
    this.#url = options.url;
    this.nats = nats;
    this.js = jetstream(nats);
    void this.#watch();
  }

  /**
   * Connects. Throws E_LATTICE naming the address when nothing answers there or it does not let us in, E_SETTING for a
   * file of credentials that is missing or malformed.
   */
  static async start(options: ConnectionOptions): Promise<LatticeConnection> {
    const planned = natsOptions(options);
    const nats = await connect(planned).catch((cause: unknown) => {
      throw explainRefusal(options.url, cause);
    });
    return new LatticeConnection(options, nats);
  }

  /** Ends with the connection. */
  async #watch(): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === 'reconnect') this.#down = false;
      if (type !== 'disconnect') continue;
      this.#down = true;
      const lost = new WattleError(
        'E_LATTICE',
        `the connection to ${this.#url} was lost while a request was under way`,
        {
          hint: 'It may have been carried out; look before you send it again.',
        },
      );
      for (const fail of this.#inFlight) fail(lost);
    }
  }

  /** What `work` gives, or E_LATTICE as soon as the connection is lost: an answer sent meanwhile would not reach us. */
  #whileConnected<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#inFlight.add(reject);
    void work.then(resolve, reject).finally(() => this.#inFlight.delete(reject));
    return promise;
  }

  /**
   * Sends bytes and resolves with the answer. Rejects as the NATS client does (`isNoResponders`, `isTimeout`), and with
   * E_LATTICE at once when there is no connection or it is lost meanwhile: the client forgets what it could not send.
   */
  async request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Msg> {
    if (this.#down) throw new WattleError('E_LATTICE', `there is no connection to ${this.#url} at the moment`);
    return this.#whileConnected(this.nats.request(subject, data, { timeout: timeoutMs }));
  }

  /** A KV bucket, created when missing (history 1, file storage: what every era of hosts makes; protocol.md 6). */
  bucket(name: string): Promise<KV> {
    let bucket = this.#buckets.get(name);
    if (!bucket) {
      bucket = new Kvm(this.js).create(name, { history: 1 }).catch((cause) => {
        this.#buckets.delete(name);
        throw new WattleError(
          'E_LATTICE',
          `cannot open bucket ${name}: ${cause instanceof Error ? cause.message : cause}`,
          {
            hint: 'Is JetStream enabled on the NATS system?',
            cause,
          },
        );
      });
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }

  /** Sends `body` as JSON and parses the JSON answer. Throws `missing` when nobody listens, E_TIMEOUT when nobody answers, E_LATTICE at once when the connection is lost. */
  async requestJson(subject: string, body: unknown, timeoutMs: number, missing: WattleError): Promise<unknown> {
    const data =
      body === undefined ? '' : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const answer = await this.request(subject, data, timeoutMs).catch((cause: unknown) => {
      throw this.#explain(cause, subject, timeoutMs, missing);
    });
    return parseJson(answer.data);
  }

  /** Asks everybody and collects JSON answers until none came for `stallMs` or `timeoutMs` passed. Undecodable ones are left out. */
  async gatherJson(subject: string, body: unknown, timeoutMs: number, stallMs: number): Promise<unknown[]> {
    const answers: unknown[] = [];
    try {
      const replies = await this.nats.requestMany(subject, body === undefined ? '' : JSON.stringify(body), {
        strategy: 'stall',
        maxWait: timeoutMs,
        stall: stallMs,
      });
      for await (const reply of replies) {
        try {
          answers.push(parseJson(reply.data));
        } catch {
          // one bad answer must not hide the others
        }
      }
    } catch (cause) {
      if (!isNoResponders(cause)) throw toWattleError(cause, 'E_LATTICE');
    }
    return answers;
  }

  #explain(cause: unknown, subject: string, timeoutMs: number, missing: WattleError): WattleError {
    if (isNoResponders(cause)) return missing;
    if (isTimeout(cause))
      return new WattleError('E_TIMEOUT', `no answer on ${subject} within ${timeoutMs} ms`, { cause });
    return toWattleError(cause, 'E_LATTICE');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.nats.isClosed()) return;
    // without a server a drain would wait for one
    if (this.#down) return this.nats.close();
    await this.#whileConnected(this.nats.drain()).catch(() => this.nats.close());
  }
}

const names = (thrown: unknown): string =>
  thrown instanceof Error ? `${thrown.name} ${thrown.cause instanceof Error ? thrown.cause.name : ''}` : '';

/** Nobody subscribes the subject: proof that the request was not delivered, so it may be sent again. */
export const isNoResponders = (thrown: unknown): boolean => names(thrown).includes('NoResponders');
export const isTimeout = (thrown: unknown): boolean => names(thrown).includes('Timeout');
