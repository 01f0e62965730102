// One connection to a lattice: NATS with its ways to sign in, JetStream buckets, JSON requests with typed answers.
// Transport errors become codes that name what is missing.
import { readFile } from 'node:fs/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions, nkeyAuthenticator } from 'nats';
import { toWattleError, WattleError } from './errors.ts';

export interface ConnectionOptions {
  readonly lattice: string;
  readonly url: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  readonly creds?: string | undefined;
  readonly nkey?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
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

async function natsOptions(options: ConnectionOptions): Promise<NodeConnectionOptions> {
  const tls = options.tlsCa ?? options.tlsCert;
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
    ...(options.creds ? { authenticator: credsAuthenticator(await readFile(options.creds)) } : {}),
    ...(options.nkey
      ? { authenticator: nkeyAuthenticator(Buffer.from((await readFile(options.nkey, 'utf8')).trim())) }
      : {}),
    ...(tls
      ? {
          tls: {
            ...(options.tlsCa ? { caFile: options.tlsCa } : {}),
            ...(options.tlsCert ? { certFile: options.tlsCert } : {}),
            ...(options.tlsKey ? { keyFile: options.tlsKey } : {}),
          },
        }
      : {}),
  };
}

/** A lattice by name over one NATS connection. Owns the connection: disposing drains it. */
export class LatticeConnection {
  readonly lattice: string;
  readonly nats: NatsConnection;
  readonly js: JetStreamClient;
  #buckets = new Map<string, Promise<KV>>();

  private constructor(lattice: string, nats: NatsConnection) {
    this.lattice = lattice;
    this.nats = nats;
    this.js = jetstream(nats);
  }

  /** Connects; throws E_LATTICE naming the address when nothing answers there. */
  static async start(options: ConnectionOptions): Promise<LatticeConnection> {
    try {
      return new LatticeConnection(options.lattice, await connect(await natsOptions(options)));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new WattleError('E_LATTICE', `cannot reach the lattice at ${options.url}: ${reason}`, { cause });
    }
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

  /** Sends `body` as JSON and parses the JSON answer. Throws `missing` when nobody listens, E_TIMEOUT when nobody answers. */
  async requestJson(subject: string, body: unknown, timeoutMs: number, missing: WattleError): Promise<unknown> {
    const data =
      body === undefined ? '' : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const answer = await this.nats.request(subject, data, { timeout: timeoutMs }).catch((cause: unknown) => {
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
    if (!this.nats.isClosed()) await this.nats.drain().catch(() => this.nats.close());
  }
}

const names = (thrown: unknown): string =>
  thrown instanceof Error ? `${thrown.name} ${thrown.cause instanceof Error ? thrown.cause.name : ''}` : '';

/** Nobody subscribes the subject: proof that the request was not delivered, so it may be sent again. */
export const isNoResponders = (thrown: unknown): boolean => names(thrown).includes('NoResponders');
export const isTimeout = (thrown: unknown): boolean => names(thrown).includes('Timeout');
