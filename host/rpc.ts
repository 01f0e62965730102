// Calls between hosts: signed 0.x invocations over NATS (protocol.md 2). Outgoing calls implement Remote; incoming ones
// are verified and handed to the invoker, whose steps they take like any other call.
import type { Msg, Subscription } from 'nats';
import { chunkTimeoutMs } from '../lattice/chunks.ts';
import { isNoResponders, isTimeout, type LatticeConnection } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { Invocation } from '../lattice/invocation.ts';
import { createInvocationCodec, type InvocationCodec } from '../lattice/invocation-codec.ts';
import type { Log } from '../lattice/log.ts';
import { encodeMessage } from '../lattice/msgpack.ts';
import type { KeyPair } from '../lattice/nkeys.ts';
import { rpcSubjects } from '../lattice/subjects.ts';
import type { Actor } from './actor.ts';
import { type Invoker, maxPayloadBytes, type Remote, type RemoteCall } from './invoke.ts';
import type { Provider } from './provider.ts';

export interface RpcOptions {
  readonly connection: LatticeConnection;
  readonly invoker: Invoker;
  readonly hostId: string;
  readonly clusterKey: KeyPair;
  /** Cluster keys whose invocations are accepted, our own among them. */
  readonly issuers: ReadonlySet<string>;
  /** For calls to providers; calls to actors get the deadline of actors on top. */
  readonly timeoutMs: number;
  readonly actorDeadlineMs: number;
  readonly log: Log;
}

export class Rpc implements Remote {
  readonly #options: RpcOptions;
  readonly #codec: InvocationCodec;

  constructor(options: RpcOptions) {
    this.#options = options;
    this.#codec = createInvocationCodec({ ...options, maxBodyBytes: maxPayloadBytes });
  }

  callActor(call: RemoteCall): Promise<Uint8Array> {
    const { connection, actorDeadlineMs, timeoutMs } = this.#options;
    return this.#call(rpcSubjects.actor(connection.lattice, call.target.public_key), call, actorDeadlineMs + timeoutMs);
  }

  callProvider(call: RemoteCall): Promise<Uint8Array> {
    const { public_key, link_name } = call.target;
    const subject = rpcSubjects.provider(this.#options.connection.lattice, public_key, link_name);
    return this.#call(subject, call, this.#options.timeoutMs);
  }

  /** Takes calls for an actor by its id and its module key; each subject is its own queue group (protocol.md 2.1). */
  async serveActor(actor: Actor): Promise<() => Promise<void>> {
    const { lattice } = this.#options.connection;
    const names = new Set([actor.id, actor.claims?.subject ?? actor.id]);
    const subjects = [...names].map((name) => rpcSubjects.actor(lattice, name));
    return this.#serve(
      subjects,
      (subject) => subject,
      (invocation) => this.#options.invoker.callActor(actor, invocation.origin, invocation.operation, invocation.msg),
    );
  }

  /** Takes calls for a provider under every link name, and answers `health` (protocol.md 2.1). */
  async serveProvider(provider: Provider): Promise<() => Promise<void>> {
    const subject = rpcSubjects.providerAll(this.#options.connection.lattice, provider.id);
    return this.#serve(
      [subject],
      () => rpcSubjects.providerQueue,
      (invocation, message) => {
        const linkName = message.subject.slice(message.subject.lastIndexOf('.') + 1);
        if (invocation.target.link_name !== linkName || invocation.target.public_key !== provider.id)
          throw new WattleError(
            'E_FORGED',
            `the invocation is for ${invocation.target.public_key}/${invocation.target.link_name}`,
          );
        return this.#options.invoker.callProvider(provider, { ...invocation, linkName });
      },
      (message) => this.#answerHealth(provider, message),
    );
  }

  async #call(
    subject: string,
    { origin, target, operation, payload }: RemoteCall,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const { id, chunked, data } = await this.#codec.encodeCall({ origin, target, operation, payload });
    const timeout = timeoutMs + (chunked ? chunkTimeoutMs : 0);
    const reply = await this.#options.connection.request(subject, data, timeout).catch((cause: unknown) => {
      if (isNoResponders(cause))
        throw new WattleError('E_NO_TARGET', `${target.public_key} runs on no host of the lattice`);
      if (isTimeout(cause))
        throw new WattleError('E_TIMEOUT', `${target.public_key} did not answer within ${timeout} ms`);
      throw toWattleError(cause, 'E_LATTICE');
    });
    return this.#codec.decodeAnswer(id, reply.data);
  }

  async #serve(
    subjects: readonly string[],
    queueOf: (subject: string) => string,
    run: (invocation: Invocation, message: Msg) => Promise<Uint8Array>,
    special: (message: Msg) => boolean = () => false,
  ): Promise<() => Promise<void>> {
    const { nats } = this.#options.connection;
    const running = new Set<Promise<void>>();
    const callback = (error: Error | null, message: Msg): void => {
      if (error || special(message)) return;
      const work = this.#answer(message, run).finally(() => running.delete(work));
      running.add(work);
    };
    const subscriptions: Subscription[] = subjects.map((subject) =>
      nats.subscribe(subject, { queue: queueOf(subject), callback }),
    );
    await nats.flush();
    return async () => {
      if (!nats.isClosed()) await Promise.all(subscriptions.map((subscription) => subscription.drain()));
      await Promise.all(running);
    };
  }

  async #answer(message: Msg, run: (invocation: Invocation, message: Msg) => Promise<Uint8Array>): Promise<void> {
    let id = '';
    try {
      const invocation = await this.#codec.decodeCall(message.data);
      id = invocation.id;
      message.respond(await this.#codec.encodeAnswer(id, await run(invocation, message)));
    } catch (thrown) {
      const error = toWattleError(thrown);
      if (error.code === 'E_FORGED' || error.code === 'E_INVOCATION')
        this.#options.log.warn(
          { subject: message.subject, code: error.code },
          `refused an invocation: ${error.message}`,
        );
      message.respond(await this.#codec.encodeAnswer(id, error));
    }
  }

  #answerHealth(provider: Provider, message: Msg): boolean {
    if (!message.subject.endsWith('.health')) return false;
    const { state, state_reason } = provider.describe();
    message.respond(
      encodeMessage({ healthy: state === 'running', ...(state_reason ? { message: state_reason } : {}) }),
    );
    return true;
  }
}
