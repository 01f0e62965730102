// A host that runs nothing: it speaks the control interface and sends heartbeats as a real one does, and does what it is
// told in memory, at once or after a delay, or fails where a test says so. Hosts of one lattice share links and config.
import type { Msg } from 'nats';
import { LatticeConnection, parseJson } from '../../lattice/connection.ts';
import { type EventName, publishEvent } from '../../lattice/events.ts';
import { linkKeyText, sameAnnotations } from '../../lattice/state.ts';
import { controlQueues, controlSubjects } from '../../lattice/subjects.ts';
import {
  type ActorDescription,
  type HostInventory,
  Link,
  LinkKey,
  type ProviderDescription,
  ProviderStartRequest,
  ScaleRequest,
} from '../../lattice/types.ts';

/** What all hosts of a lattice share through its buckets. */
export class SharedData {
  readonly links = new Map<string, Link>();
  readonly configs = new Map<string, Record<string, string>>();
}

export interface SimulatedHostOptions {
  readonly connection: { readonly url: string; readonly lattice: string; readonly name: string };
  readonly id: string;
  readonly data: SharedData;
  readonly labels?: Readonly<Record<string, string>>;
  readonly heartbeatMs?: number;
}

type Answer = { message?: string; response?: unknown };
type Handler = (body: unknown, tail: string) => Answer | undefined;
const refuse = (code: string, message: string): Error => Object.assign(new Error(message), { code });

export class SimulatedHost {
  readonly id: string;
  readonly data: SharedData;
  /** Everything it was asked to do, in order: `scale echo 3`, `start http`, `put-link a/x:y/default` … */
  readonly commands: string[] = [];
  /** By image reference: the error its start fails with. */
  readonly failures = new Map<string, string>();
  actors: ActorDescription[] = [];
  providers: ProviderDescription[] = [];
  labels: Record<string, string>;
  readonly #connection: LatticeConnection;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: SimulatedHostOptions, connection: LatticeConnection) {
    this.id = options.id;
    this.data = options.data;
    this.labels = { ...options.labels };
    this.#connection = connection;
    this.#timer = setInterval(() => this.heartbeat(), options.heartbeatMs ?? 200);
  }

  static async start(options: SimulatedHostOptions): Promise<SimulatedHost> {
    const connection = await LatticeConnection.start({ ...options.connection, name: options.id });
    const host = new SimulatedHost(options, connection);
    host.#subscribe();
    await connection.nats.flush();
    const { labels, friendly_name, uptime_seconds, version } = host.inventory();
    host.#publish('host_started', { labels, friendly_name, uptime_seconds, version });
    host.heartbeat();
    return host;
  }

  inventory(): HostInventory {
    return {
      host_id: this.id,
      friendly_name: this.id.toLowerCase(),
      labels: this.labels,
      version: '0.1.0',
      uptime_human: '1s',
      uptime_seconds: 1,
      components: this.actors,
      providers: this.providers,
    };
  }

  heartbeat(): void {
    this.#publish('host_heartbeat', this.inventory());
  }

  /** Ends as a killed process does: no farewell. */
  async kill(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connection.nats.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #publish(name: EventName, data: unknown): void {
    publishEvent(this.#connection, this.id, name, data as never);
  }

  #subscribe(): void {
    const { lattice } = this.#connection;
    const own: Record<string, Handler> = {
      [controlSubjects.hostGet(lattice, this.id)]: () => ({ response: this.inventory() }),
      [controlSubjects.actorScale(lattice, this.id)]: (body) => this.#scale(ScaleRequest.parse(body)),
      [controlSubjects.providerStart(lattice, this.id)]: (body) => this.#start(ProviderStartRequest.parse(body)),
      [controlSubjects.providerStop(lattice, this.id)]: (body) => this.#stop(body as { provider_id: string }),
      [controlSubjects.hostPing(lattice)]: () => ({ response: this.#describe() }),
    };
    for (const [subject, handler] of Object.entries(own)) this.#serve(subject, handler);
    this.#serve(
      controlSubjects.linkAll(lattice),
      (body, tail) => this.#onLink(tail, body),
      controlQueues.link(lattice),
    );
    this.#serve(
      controlSubjects.configAll(lattice),
      (body, tail) => this.#onConfig(tail, body),
      controlQueues.config(lattice),
    );
  }

  #onLink(verb: string, body: unknown): Answer | undefined {
    if (verb === 'get') return { response: [...this.data.links.values()] };
    return verb === 'put' ? this.#putLink(Link.parse(body)) : this.#deleteLink(LinkKey.parse(body));
  }

  #onConfig(tail: string, body: unknown): Answer | undefined {
    const [verb, ...rest] = tail.split('.');
    const name = rest.join('.');
    if (verb === 'list') return { response: Object.fromEntries(this.data.configs) };
    if (verb === 'get') return { response: this.data.configs.get(name) };
    return verb === 'put' ? this.#putConfig(name, body) : this.#deleteConfig(name);
  }

  #serve(subject: string, handler: Handler, queue?: string): void {
    const callback = (_error: Error | null, message: Msg): void => {
      try {
        const body = message.data.length > 0 ? parseJson(message.data) : undefined;
        const answer = handler(body, message.subject.split('.').slice(5).join('.'));
        message.respond(JSON.stringify({ success: true, message: '', ...answer }));
      } catch (thrown) {
        const { message: text, code } = thrown as { message: string; code?: string };
        message.respond(JSON.stringify({ success: false, message: text, code }));
      }
    };
    this.#connection.nats.subscribe(subject, { callback, ...(queue ? { queue } : {}) });
  }

  #describe(): object {
    const { friendly_name, labels } = this.inventory();
    return { id: this.id, friendly_name, labels, lattice: this.#connection.lattice, uptime_seconds: 1 };
  }

  #scale(request: ScaleRequest): Answer {
    const { component_id: id, component_ref: ref, annotations, count = 0 } = request;
    this.commands.push(`scale ${id} ${count} ${ref}`);
    const facts = { component_id: id, host_id: this.id, image_ref: ref, annotations, max_instances: count };
    setImmediate(() => {
      const error = this.failures.get(ref);
      if (error && count > 0) return this.#publish('component_scale_failed', { ...facts, error });
      const same = (one: ActorDescription): boolean => one.id === id && sameAnnotations(one.annotations, annotations);
      this.actors = this.actors.filter((one) => !same(one));
      if (count > 0)
        this.actors.push({ id, image_ref: ref, annotations, revision: 1, max_instances: count, state: 'running' });
      this.#publish('component_scaled', facts);
    });
    return {};
  }

  #start(request: ProviderStartRequest): Answer {
    const { provider_id: id, provider_ref: ref, annotations } = request;
    this.commands.push(`start ${id} ${ref}`);
    if (this.providers.some((one) => one.id === id))
      throw refuse('E_CONFLICT', 'provider with that ID is already running');
    setImmediate(() => {
      const error = this.failures.get(ref);
      if (error)
        return this.#publish('provider_start_failed', { provider_id: id, provider_ref: ref, host_id: this.id, error });
      this.providers.push({ id, image_ref: ref, annotations, revision: 0, state: 'running' });
      this.#publish('provider_started', { provider_id: id, host_id: this.id, image_ref: ref, annotations });
    });
    return {};
  }

  #stop({ provider_id: id }: { provider_id: string }): Answer {
    this.commands.push(`stop ${id}`);
    const found = this.providers.find((one) => one.id === id);
    if (!found) throw refuse('E_NOT_FOUND', 'provider with that ID is not running');
    this.providers = this.providers.filter((one) => one !== found);
    const facts = { provider_id: id, host_id: this.id, annotations: found.annotations, reason: 'stop' };
    this.#publish('provider_stopped', facts);
    return {};
  }

  #putLink(link: Link): Answer {
    this.commands.push(`put-link ${linkKeyText(link)}`);
    const known = this.data.links.get(linkKeyText(link));
    if (known && known.target !== link.target) throw refuse('E_CONFLICT', 'link already exists with different target');
    this.data.links.set(linkKeyText(link), link);
    this.#publish('linkdef_set', link);
    return {};
  }

  #deleteLink(key: LinkKey): Answer {
    this.commands.push(`delete-link ${linkKeyText(key)}`);
    this.data.links.delete(linkKeyText(key));
    this.#publish('linkdef_deleted', key);
    return {};
  }

  #putConfig(name: string, body: unknown): Answer {
    this.commands.push(`put-config ${name}`);
    this.data.configs.set(name, body as Record<string, string>);
    this.#publish('config_set', { config_name: name });
    return {};
  }

  #deleteConfig(name: string): Answer {
    this.commands.push(`delete-config ${name}`);
    this.data.configs.delete(name);
    this.#publish('config_deleted', { config_name: name });
    return {};
  }
}
