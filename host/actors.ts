// The actors of this host, by id: scale, update, stop. Requests for one actor run one after the other; the answer to the
// requester comes before the work, the outcome as an event and in the inventory (protocol.md 3.2).
import type { Claims } from '../lattice/claims.ts';
import { formatError, toWattleError, WattleError } from '../lattice/errors.ts';
import type { EventName } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import type { ActorDescription, ScaleRequest, UpdateRequest } from '../lattice/types.ts';
import { Actor, type ActorLimits } from './actor.ts';
import { createEventClaims, describeGroup, type Group, groupKey, totalOf } from './actor-group.ts';
import type { Cells } from './cells.ts';
import type { HostCall } from './isolates.ts';
import type { Module } from './module.ts';

interface Entry {
  readonly actor: Actor;
  readonly groups: Map<string, Group>;
  /** Ends what feeds calls from the lattice; awaited before the actor ends. */
  unserve(): Promise<void>;
}

/** What the event of a failure repeats of the request, so that whoever asked finds it. */
interface FailedWork {
  readonly image_ref: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly max_instances: number;
}

export interface ActorsOptions {
  readonly hostId: string;
  readonly cells: Cells;
  readonly limits: ActorLimits;
  readonly log: Log;
  readModule(ref: string): Promise<Module>;
  onHostCall(caller: Actor, call: HostCall): Promise<Uint8Array> | Uint8Array;
  /** The actor runs a module, its first or another: let the lattice know where it comes from and what it claims. */
  onModule(actor: Actor): Promise<void>;
  /** The actor answers: take calls from the lattice for it. Returns what ends that. */
  onServe(actor: Actor): Promise<() => Promise<void>>;
  publish(name: EventName, data: Record<string, unknown>): void;
  /** Something an inventory shows has changed. */
  onChange(): void;
}

export class Actors {
  readonly #options: ActorsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #byModule = new Map<string, string>();
  /** The last piece of work asked for each actor id; the next one waits for it. */
  readonly #work = new Map<string, Promise<void>>();

  constructor(options: ActorsOptions) {
    this.#options = options;
  }

  /** By actor id, or by the module key (M…) of one that runs here. */
  find(idOrModule: string): Actor | undefined {
    const id = this.#byModule.get(idOrModule) ?? idOrModule;
    return this.#entries.get(id)?.actor;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Starts, scales or (count 0) stops; returns the text of the acknowledgement. */
  scale(request: ScaleRequest): string {
    const count = request.count ?? request.max_instances ?? 0;
    const id = request.component_id;
    const running = this.#entries.get(id)?.actor.module.ref;
    const failed = { image_ref: request.component_ref, annotations: request.annotations, max_instances: count };
    this.#enqueue(
      id,
      () => failed,
      () => this.#scale(request, count),
    );
    if (running && running !== request.component_ref && !request.allow_update && count > 0)
      return `actor ${id} runs ${running}; only its count changes. Update it, or scale with allow_update, to run ${request.component_ref}`;
    return `scaling ${id} to ${count}`;
  }

  /** Replaces the module of a running actor. Throws E_NOT_FOUND when it does not run here. */
  update(request: UpdateRequest): string {
    const id = request.component_id;
    // one that is being started is found once its turn comes
    if (!this.#entries.has(id) && !this.#work.has(id))
      throw new WattleError('E_NOT_FOUND', `component ${id} not found`);
    const { new_component_ref: image_ref, annotations } = request;
    const failed = (): FailedWork => ({ image_ref, annotations, max_instances: this.#countOf(id) });
    this.#enqueue(id, failed, async () => {
      const present = this.#entries.get(id);
      if (!present) throw new WattleError('E_NOT_FOUND', `component ${id} not found`);
      await this.#replace(present, request.new_component_ref);
    });
    return `updating ${id} to ${request.new_component_ref}`;
  }

  describe(): ActorDescription[] {
    return [...this.#entries.values()].flatMap(({ actor, groups }) =>
      [...groups.values()].map((group) => describeGroup(actor, group)),
    );
  }

  #countOf(id: string): number {
    const entry = this.#entries.get(id);
    return entry ? totalOf(entry.groups) : 0;
  }

  /** Waits for the work under way, then stops every actor. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#work.values());
    await Promise.all([...this.#entries.keys()].map((id) => this.#stop(id)));
  }

  /** Runs the work of one actor in order; a failure becomes an event with the facts of the request. */
  #enqueue(id: string, failed: () => FailedWork, work: () => Promise<void>): void {
    const before = this.#work.get(id) ?? Promise.resolve();
    const run = before.then(work).catch((thrown: unknown) => {
      const error = toWattleError(thrown);
      this.#options.log.warn({ actor: id, code: error.code }, `${error.message}. ${error.hint}`);
      const facts = failed();
      const data = { ...facts, component_id: id, host_id: this.#options.hostId, actor_ref: facts.image_ref };
      const claims = this.#entries.get(id)?.actor.claims;
      const signed = claims ? { public_key: claims.subject } : {};
      this.#options.publish('component_scale_failed', { ...data, ...signed, error: formatError(error) });
    });
    this.#work.set(id, run);
    void run.then(() => {
      if (this.#work.get(id) === run) this.#work.delete(id);
      this.#options.onChange();
    });
  }

  async #scale(request: ScaleRequest, count: number): Promise<void> {
    const id = request.component_id;
    const entry = this.#entries.get(id);
    const key = groupKey(request.annotations);
    if (count === 0) return this.#shrink(id, request, key);
    if (!entry) return this.#start(request, count);
    if (request.allow_update && request.component_ref !== entry.actor.module.ref)
      await this.#swap(entry, request.component_ref);
    entry.groups.set(key, { annotations: request.annotations, count });
    entry.actor.setMaxInstances(this.#countOf(id));
    this.#publishScaled(entry.actor, { annotations: request.annotations, count });
  }

  async #start(request: ScaleRequest, count: number): Promise<void> {
    const { cells, limits, log, onHostCall, onChange } = this.#options;
    const id = request.component_id;
    const module = await this.#options.readModule(request.component_ref);
    const actor = await Actor.start({
      id,
      module,
      maxInstances: count,
      cells,
      limits,
      log,
      onHostCall,
      onStateChange: onChange,
    });
    const group = { annotations: request.annotations, count };
    const groups = new Map([[groupKey(request.annotations), group]]);
    try {
      await this.#options.onModule(actor);
      this.#entries.set(id, { actor, groups, unserve: await this.#options.onServe(actor) });
    } catch (error) {
      await actor[Symbol.asyncDispose]();
      throw error;
    }
    this.#indexModules();
    this.#publishScaled(actor, group);
  }

  async #replace(entry: Entry, ref: string): Promise<void> {
    await this.#swap(entry, ref);
    for (const group of entry.groups.values()) this.#publishScaled(entry.actor, group);
  }

  /** New ready first; the subscriptions follow when the module key changed, the new ones before the old ones end. */
  async #swap(entry: Entry, ref: string): Promise<void> {
    const module = await this.#options.readModule(ref);
    const subject = entry.actor.claims?.subject;
    await entry.actor.swap(module);
    this.#indexModules();
    await this.#options.onModule(entry.actor);
    if (module.claims?.subject !== subject) {
      const unserve = entry.unserve;
      entry.unserve = await this.#options.onServe(entry.actor);
      await unserve();
    }
  }

  async #shrink(id: string, request: ScaleRequest, key: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry?.groups.delete(key) === false && Object.keys(request.annotations).length === 0) entry.groups.clear();
    if (entry && entry.groups.size > 0) entry.actor.setMaxInstances(totalOf(entry.groups));
    else if (entry) await this.#stop(id);
    const group = { annotations: request.annotations, count: 0 };
    if (entry) this.#publishScaled(entry.actor, group);
    else this.#options.publish('component_scaled', this.#scaled(id, request.component_ref, group, undefined));
  }

  async #stop(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await entry.unserve();
    this.#entries.delete(id);
    this.#indexModules();
    await entry.actor[Symbol.asyncDispose]();
  }

  #indexModules(): void {
    this.#byModule.clear();
    for (const [id, { actor }] of this.#entries) if (actor.claims) this.#byModule.set(actor.claims.subject, id);
  }

  #publishScaled(actor: Actor, group: Group): void {
    this.#options.publish('component_scaled', this.#scaled(actor.id, actor.module.ref, group, actor.claims));
  }

  #scaled(id: string, ref: string, group: Group, claims: Claims | undefined): Record<string, unknown> {
    return {
      component_id: id,
      host_id: this.#options.hostId,
      image_ref: ref,
      annotations: group.annotations,
      max_instances: group.count,
      ...(claims ? { public_key: claims.subject, claims: createEventClaims(claims) } : {}),
    };
  }
}
