// The control interface v1 of one host (protocol.md 3.2): a table from subject to handler. Bodies are parsed once, here;
// every reply is the envelope {success, message, response?} with our code beside a refusal.
import type { Msg, Subscription } from 'nats';
import { z } from 'zod';
import { type LatticeConnection, parseJson } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { EventName } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import { controlQueues, controlSubjects } from '../lattice/subjects.ts';
import {
  ActorAuctionRequest,
  ConfigName,
  type ControlReply,
  type Host as HostDescription,
  type HostInventory,
  Link,
  LinkKey,
  ProviderAuctionRequest,
  ProviderStartRequest,
  ScaleRequest,
  UpdateRequest,
} from '../lattice/types.ts';
import type { Actors } from './actors.ts';
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

/** What a handler answers: a text, a response, or silence (an auction nobody wants to win). */
type Answer = { readonly message?: string; readonly response?: unknown } | undefined;
type Handler = (body: unknown, tail: string) => Answer | Promise<Answer>;

const Label = z.object({ key: z.string().min(1).max(256), value: z.string().max(256).default('') });
const StopHost = z.object({ host_id: z.string().optional(), timeout: z.number().nullish() });
const StopProvider = z
  .object({ provider_id: z.string().optional(), provider_ref: z.string().optional() })
  .transform(({ provider_id, provider_ref }) => provider_id ?? provider_ref ?? '');
const ConfigBody = z.record(z.string(), z.string());

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
    const toHost: Record<string, Handler> = { ...this.#hostHandlers(), ...this.#workHandlers() };
    this.#serve(s.toHost(lattice, this.#host.id), undefined, (tokens) => toHost[`${tokens[0]}.${tokens[1]}`]);
    this.#serve(s.linkAll(lattice), controlQueues.link(lattice), (tokens) => this.#linkHandlers()[tokens[1]!]);
    this.#serve(s.configAll(lattice), controlQueues.config(lattice), (tokens) => this.#configHandlers()[tokens[1]!]);
    this.#serve(s.claimsGet(lattice), controlQueues.claims(lattice), () => () => ({ response: this.#claims() }));
    this.#serve(s.hostPing(lattice), undefined, () => () => ({ response: this.#host.describe() }));
    this.#serve(s.actorAuction(lattice), undefined, () => (body) => this.#bidActor(ActorAuctionRequest.parse(body)));
    this.#serve(
      s.providerAuction(lattice),
      undefined,
      () => (body) => this.#bidProvider(ProviderAuctionRequest.parse(body)),
    );
    this.#serve(s.linkCheck(lattice), undefined, () => (body) => this.#answerLinkCheck(Link.parse(body)));
    this.#serve(s.registryPut(lattice), undefined, () => () => {
      throw new WattleError(
        'E_NOT_SUPPORTED',
        'this host pulls from no registry yet; use file: or http(s): references',
      );
    });
  }

  #hostHandlers(): Record<string, Handler> {
    const host = this.#host;
    return {
      'host.get': () => ({ response: host.inventory() }),
      'host.stop': (body) => {
        host.stop(StopHost.parse(body).timeout ?? undefined);
        return { message: 'successfully handled stop host' };
      },
      'label.put': (body) => {
        const { key, value } = Label.parse(body);
        host.setLabel(key, value);
        return { message: 'successfully put label' };
      },
      'label.del': (body) => {
        host.setLabel(Label.parse(body).key, undefined);
        return { message: 'successfully deleted label' };
      },
    };
  }

  #workHandlers(): Record<string, Handler> {
    const { actors, providers } = this.#host;
    return {
      'component.scale': (body) => ({ message: actors.scale(ScaleRequest.parse(body)) }),
      'component.update': (body) => ({ message: actors.update(UpdateRequest.parse(body)) }),
      'provider.start': (body) => ({ message: providers.start(ProviderStartRequest.parse(body)) }),
      'provider.stop': async (body) => ({ message: await providers.stop(StopProvider.parse(body)) }),
    };
  }

  #linkHandlers(): Record<string, Handler> {
    const { data, publish, checkLink } = this.#host;
    return {
      get: () => ({ response: data.links }),
      put: async (body) => {
        const link = Link.parse(body);
        await checkLink(link);
        await data.putLink(link);
        publish('linkdef_set', link);
        return { message: 'successfully set link' };
      },
      del: async (body) => {
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

  #configHandlers(): Record<string, Handler> {
    const { data, publish } = this.#host;
    return {
      list: () => ({ response: data.configs() }),
      get: (_body, name) => {
        const values = data.config(ConfigName.parse(name));
        return values ? { response: values } : { message: 'Configuration not found' };
      },
      put: async (body, name) => {
        await data.putConfig(ConfigName.parse(name), ConfigBody.parse(body));
        publish('config_set', { config_name: name });
        return { message: 'successfully put config' };
      },
      del: async (_body, name) => {
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

  /** Serves one subscription; `find` gets the subject's tokens after the lattice and returns the handler, if there is one. */
  #serve(subject: string, queue: string | undefined, find: (tokens: readonly string[]) => Handler | undefined): void {
    const depth = controlSubjects.all(this.#connection.lattice).split('.').length - 1;
    const callback = (error: Error | null, message: Msg): void => {
      if (error) return;
      const tokens = message.subject.split('.').slice(depth);
      void this.#answer(message, find(tokens), tokens.slice(2).join('.'));
    };
    this.#subscriptions.push(this.#connection.nats.subscribe(subject, { callback, ...(queue ? { queue } : {}) }));
  }

  async #answer(message: Msg, handler: Handler | undefined, tail: string): Promise<void> {
    let reply: ControlReply;
    try {
      if (!handler) throw new WattleError('E_CONTROL', 'unsupported subject');
      const answer = await handler(message.data.length === 0 ? undefined : parseJson(message.data), tail);
      if (!answer) return;
      const { message: text = '', response } = answer;
      reply = { success: true, message: text, ...(response === undefined ? {} : { response }) };
    } catch (thrown) {
      const error = thrown instanceof z.ZodError ? shapeError(message.subject, thrown) : toWattleError(thrown);
      if (error.code === 'E_INTERNAL')
        this.#log.error({ subject: message.subject, error: error.stack }, 'control request failed');
      reply = { success: false, message: error.message, code: error.code };
    }
    message.respond(JSON.stringify(reply));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#connection.nats.isClosed()) return;
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain()));
  }
}

function shapeError(subject: string, error: z.ZodError): WattleError {
  const issue = error.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return new WattleError(
    'E_CONTROL',
    `request to ${subject} is not understood: ${where}${issue?.message ?? 'wrong shape'}`,
  );
}
