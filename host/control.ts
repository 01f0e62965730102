// The control interface v1 of one host (protocol.md 3.2): a table from subject to handler. Bodies are parsed once, here;
// whatever a request is or does, it gets one answer and the host goes on.
import type { Msg, Subscription } from 'nats';
import { z } from 'zod';
import type { LatticeConnection } from '../lattice/connection.ts';
import { WattleError } from '../lattice/errors.ts';
import type { EventName } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import { controlQueues, controlSubjects } from '../lattice/subjects.ts';
import {
  ActorAuctionRequest,
  ConfigName,
  type ControlReply,
  type Host as HostDescription,
  type HostInventory,
  Id,
  Link,
  LinkKey,
  ProviderAuctionRequest,
  ProviderStartRequest,
  ScaleRequest,
  UpdateRequest,
} from '../lattice/types.ts';
import type { Actors } from './actors.ts';
import { type Answer, createRefusal, createReply, formatReply, parseBody, toControlError } from './control-message.ts';
import type { LatticeData } from './links.ts';
import type { Providers } from './providers.ts';

/** What the control interface may do to its host. */
export interface ControlledHost {
  readonly id: string;
  readonly actors: Actors;
  readonly providers: Providers;
  readonly data: LatticeData;
  labels(): Readonly<Record<string, string>>;
  describe(): HostDescription;
  inventory(): HostInventory;
  setLabel(key: string, value: string | undefined): void;
  stop(timeoutMs: number | undefined): void;
  /** Whether every host that runs an end of this link could serve it; throws the refusal of the first that could not. */
  checkLink(link: Link): Promise<void>;
  publish(name: EventName, data: Record<string, unknown>): void;
}

type Handler = (body: unknown, tail: string) => Answer | Promise<Answer>;
/** By `{noun}.{verb}`, or the only token of a broadcast; the dot keeps names of Object.prototype out. */
type Handlers = Readonly<Record<string, Handler>>;

const LabelKey = z.object({ key: z.string().min(1).max(256) });
const Label = LabelKey.extend({ value: z.string().max(256) });
const StopHost = z.object({ host_id: z.string().optional(), timeout: z.number().min(0).nullish() });
const StopProvider = z
  .object({ provider_id: Id.optional(), provider_ref: Id.optional() })
  .transform(({ provider_id, provider_ref }) => provider_id ?? provider_ref)
  .pipe(Id);
const ConfigBody = z.record(z.string(), z.string());
/** Nouns whose subjects end with the id of one host. */
const hostNouns = ['host', 'label', 'component', 'provider'] as const;

export class Control {
  readonly #host: ControlledHost;
  readonly #connection: LatticeConnection;
  readonly #log: Log;
  readonly #subscriptions: Subscription[] = [];

  private constructor(host: ControlledHost, connection: LatticeConnection, log: Log) {
    this.#host = host;
    this.#connection = connection;
    this.#log = log;
  }

  static async start(host: ControlledHost, connection: LatticeConnection, log: Log): Promise<Control> {
    const control = new Control(host, connection, log);
    control.#subscribe();
    await connection.nats.flush();
    return control;
  }

  #subscribe(): void {
    const { lattice } = this.#connection;
    const s = controlSubjects;
    const toHost = { ...this.#hostHandlers(), ...this.#workHandlers() };
    for (const noun of hostNouns) this.#serve(s.toHost(lattice, noun, this.#host.id), toHost);
    const queues = controlQueues;
    this.#serve(s.linkAll(lattice), this.#linkHandlers(), queues.link(lattice));
    this.#serve(s.configAll(lattice), this.#configHandlers(), queues.config(lattice));
    this.#serve(s.claimsGet(lattice), { 'claims.get': () => ({ response: this.#claims() }) }, queues.claims(lattice));
    const toAll = this.#broadcastHandlers();
    for (const subject of [s.hostPing, s.actorAuction, s.providerAuction, s.linkCheck, s.registryPut])
      this.#serve(subject(lattice), toAll);
  }

  #broadcastHandlers(): Handlers {
    return {
      'host.ping': () => ({ response: this.#host.describe() }),
      'component.auction': (body) => this.#bidActor(ActorAuctionRequest.parse(body)),
      'provider.auction': (body) => this.#bidProvider(ProviderAuctionRequest.parse(body)),
      linkcheck: (body) => this.#answerLinkCheck(Link.parse(body)),
      'registry.put': () => {
        throw new WattleError('E_NOT_SUPPORTED', 'this host pulls from no registry; use file: or http(s): references');
      },
    };
  }

  #hostHandlers(): Handlers {
    const host = this.#host;
    return {
      'host.get': () => ({ response: host.inventory() }),
      'host.stop': (body) => {
        const { host_id, timeout } = StopHost.parse(body);
        if (host_id !== undefined && host_id !== host.id)
          throw new WattleError('E_CONTROL', `the request names host ${host_id.slice(0, 64)}, this is ${host.id}`);
        host.stop(timeout ?? undefined);
        return { message: 'successfully handled stop host' };
      },
      'label.put': (body) => {
        const { key, value } = Label.parse(body);
        host.setLabel(key, value);
        return { message: 'successfully put label' };
      },
      'label.del': (body) => {
        host.setLabel(LabelKey.parse(body).key, undefined);
        return { message: 'successfully deleted label' };
      },
    };
  }

  #workHandlers(): Handlers {
    const { actors, providers } = this.#host;
    return {
      'component.scale': (body) => ({ message: actors.scale(ScaleRequest.parse(body)) }),
      'component.update': (body) => ({ message: actors.update(UpdateRequest.parse(body)) }),
      'provider.start': (body) => ({ message: providers.start(ProviderStartRequest.parse(body)) }),
      'provider.stop': async (body) => ({ message: await providers.stop(StopProvider.parse(body)) }),
    };
  }

  #linkHandlers(): Handlers {
    const { data, publish, checkLink } = this.#host;
    return {
      'link.get': () => ({ response: data.links }),
      'link.put': async (body) => {
        const link = Link.parse(body);
        await checkLink(link);
        await data.putLink(link);
        publish('linkdef_set', link);
        return { message: 'successfully set link' };
      },
      'link.del': async (body) => {
        const key = LinkKey.parse(body);
        const deleted = await data.deleteLink(key);
        publish('linkdef_deleted', {
          ...key,
          ...(deleted ? { target: deleted.target, interfaces: deleted.interfaces } : {}),
        });
        return { message: 'successfully deleted link' };
      },
    };
  }

  #configHandlers(): Handlers {
    const { data, publish } = this.#host;
    return {
      'config.list': () => ({ response: data.configs() }),
      'config.get': (_body, name) => {
        const values = data.config(ConfigName.parse(name));
        return values ? { response: values } : { message: 'Configuration not found' };
      },
      'config.put': async (body, name) => {
        await data.putConfig(ConfigName.parse(name), ConfigBody.parse(body));
        publish('config_set', { config_name: name });
        return { message: 'successfully put config' };
      },
      'config.del': async (_body, name) => {
        await data.deleteConfig(ConfigName.parse(name));
        publish('config_deleted', { config_name: name });
        return { message: 'successfully deleted config' };
      },
    };
  }

  /** Silent when a label differs or the id runs here already. */
  #bidActor({ component_ref, component_id, constraints }: z.infer<typeof ActorAuctionRequest>): Answer {
    if (!this.#meets(constraints) || this.#host.actors.has(component_id)) return undefined;
    return { response: { component_ref, component_id, constraints, host_id: this.#host.id } };
  }

  #bidProvider({ provider_ref, provider_id, constraints }: z.infer<typeof ProviderAuctionRequest>): Answer {
    if (!this.#meets(constraints) || this.#host.providers.has(provider_id)) return undefined;
    return { response: { provider_ref, provider_id, constraints, host_id: this.#host.id } };
  }

  #meets(constraints: Readonly<Record<string, string>>): boolean {
    const labels = this.#host.labels();
    return Object.entries(constraints).every(([key, value]) => labels[key] === value);
  }

  #answerLinkCheck(link: Link): Answer {
    const error = this.#host.providers.checkLink(link);
    if (error) throw error;
    return { response: { host_id: this.#host.id } };
  }

  /** Claims as lists of strings to strings: what strict readers of either era take (protocol.md 3.1.1, 3.2). */
  #claims(): Record<string, string>[] {
    return this.#host.data.claims().map((claims) => ({
      ...(claims.call_alias ? { call_alias: claims.call_alias } : {}),
      issuer: claims.issuer,
      iss: claims.issuer,
      subject: claims.subject,
      sub: claims.subject,
      name: claims.name,
      caps: claims.capabilities.join(','),
      capabilities: claims.capabilities.join(','),
      rev: claims.revision,
      revision: claims.revision,
      tags: claims.tags.join(','),
      version: claims.version,
    }));
  }

  /** Serves one subscription; what the subject says after noun and verb is the handler's `tail`. */
  #serve(subject: string, handlers: Handlers, queue?: string): void {
    const depth = controlSubjects.all(this.#connection.lattice).split('.').length - 1;
    const callback = (error: Error | null, message: Msg): void => {
      if (error) return;
      const tokens = message.subject.split('.').slice(depth);
      void this.#answer(message, handlers[tokens.slice(0, 2).join('.')], tokens.slice(2).join('.'));
    };
    this.#subscriptions.push(this.#connection.nats.subscribe(subject, { callback, ...(queue ? { queue } : {}) }));
  }

  async #answer(message: Msg, handler: Handler | undefined, tail: string): Promise<void> {
    let reply: ControlReply;
    try {
      if (!handler) throw new WattleError('E_CONTROL', 'unsupported subject');
      const answer = await handler(parseBody(message.data), tail);
      if (!answer) return;
      reply = createReply(answer);
    } catch (thrown) {
      const error = toControlError(thrown, message.subject);
      if (error.code === 'E_INTERNAL')
        this.#log.error({ subject: message.subject, error: error.stack }, 'control request failed');
      reply = createRefusal(error);
    }
    const { nats } = this.#connection;
    // a host whose connection ends has nobody to answer
    if (nats.isClosed() || nats.isDraining()) return;
    message.respond(formatReply(reply, nats.info?.max_payload ?? Number.POSITIVE_INFINITY));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#connection.nats.isClosed()) return;
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain()));
  }
}
