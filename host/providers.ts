// The providers of this host, by id: start, stop, links and health. They run in this process; their links follow the
// lattice's data, so a link put before its provider runs is served as soon as it does.
import type { LatticeConnection } from '../lattice/connection.ts';
import { formatError, toWattleError, WattleError } from '../lattice/errors.ts';
import type { EventName } from '../lattice/events.ts';
import type { Entity } from '../lattice/invocation.ts';
import type { Log } from '../lattice/log.ts';
import type { Link, ProviderDescription, ProviderStartRequest } from '../lattice/types.ts';
import { findProvider } from '../providers/index.ts';
import type { ProviderDefinition, ProviderLink } from '../providers/provider.ts';
import type { LatticeData } from './links.ts';
import { actorEnd, concerns, Provider, type WantedLink } from './provider.ts';

export interface ProvidersOptions {
  readonly hostId: string;
  readonly connection: LatticeConnection;
  readonly data: LatticeData;
  readonly log: Log;
  /** Calls an actor in the name of a provider (its id, contract and link name). */
  invoke(origin: Entity, actorId: string, operation: string, payload: Uint8Array): Promise<Uint8Array>;
  /** Take calls from the lattice for it; returns what ends that. */
  onServe(provider: Provider): Promise<() => Promise<void>>;
  publish(name: EventName, data: Record<string, unknown>): void;
  onChange(): void;
}

interface Entry {
  readonly provider: Provider;
  readonly unserve: () => Promise<void>;
}

/** Protocol.md 2.7: health of a provider is checked this often; links that may heal are tried again with it. */
const healthIntervalMs = 5000;

export class Providers {
  readonly #options: ProvidersOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #starting = new Map<string, Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: ProvidersOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#checkAll(), healthIntervalMs);
    this.#timer.unref();
  }

  find(id: string): Provider | undefined {
    return this.#entries.get(id)?.provider;
  }

  has(id: string): boolean {
    return this.#entries.has(id) || this.#starting.has(id);
  }

  /** Starts one; the outcome is an event. Throws E_CONFLICT when the id runs here (same text as upstream). */
  start(request: ProviderStartRequest): string {
    const id = request.provider_id;
    if (this.has(id)) throw new WattleError('E_CONFLICT', 'provider with that ID is already running');
    const work = this.#start(request)
      .catch((thrown: unknown) => this.#onStartFailed(request, toWattleError(thrown, 'E_PROVIDER_START')))
      .finally(() => {
        this.#starting.delete(id);
        this.#options.onChange();
      });
    this.#starting.set(id, work);
    return `starting provider ${id}`;
  }

  /** Stops one: no new calls, then its end. Throws E_NOT_FOUND (same text as upstream). */
  async stop(id: string): Promise<string> {
    await this.#starting.get(id);
    const entry = this.#entries.get(id);
    if (!entry) throw new WattleError('E_NOT_FOUND', 'provider with that ID is not running');
    this.#entries.delete(id);
    await entry.unserve();
    await entry.provider[Symbol.asyncDispose]();
    this.#options.publish('provider_stopped', {
      host_id: this.#options.hostId,
      provider_id: id,
      annotations: entry.provider.annotations,
      reason: 'stop',
      ...legacyNames(id),
    });
    this.#options.onChange();
    return 'successfully stopped provider';
  }

  describe(): ProviderDescription[] {
    return [...this.#entries.values()].map(({ provider }) => provider.describe());
  }

  /** Links or config of the lattice changed. */
  async applyLinks(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ provider }) => provider.applyLinks(this.#wanted(provider))));
  }

  /** Why a provider of this host could not serve this link; undefined when it could, or when no end of it runs here. */
  checkLink(link: Link): WattleError | undefined {
    for (const { provider } of this.#entries.values()) {
      if (!concerns(link, provider.id, provider.definition)) continue;
      try {
        provider.instance.checkLink?.(this.#resolve(link, provider.id));
      } catch (thrown) {
        const error = toWattleError(thrown, 'E_LINK_CONFIG');
        // A config may be put after the link that names it.
        if (error.code !== 'E_CONFIG_MISSING') return error;
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#starting.values());
    await Promise.all([...this.#entries.keys()].map((id) => this.stop(id)));
  }

  async #start(request: ProviderStartRequest): Promise<void> {
    const { hostId, connection, data, log } = this.#options;
    const id = request.provider_id;
    const definition = findDefinition(request.provider_ref);
    const contract = definition.contract.capability;
    const instance = await definition.start({
      providerId: id,
      hostId,
      connection,
      config: data.mergeConfig(request.config),
      log: log.child({ provider: id }),
      invoke: (actorId, linkName, operation, payload) =>
        this.#options.invoke(
          { public_key: id, contract_id: contract, link_name: linkName },
          actorId,
          operation,
          payload,
        ),
    });
    const { provider_ref: ref, annotations } = request;
    const provider = new Provider({
      id,
      ref,
      annotations,
      definition,
      instance,
      log,
      onLinkFailed: (link, error) => this.#onLinkFailed(link, error),
      onChange: this.#options.onChange,
    });
    try {
      await provider.applyLinks(this.#wanted(provider));
      this.#entries.set(id, { provider, unserve: await this.#options.onServe(provider) });
    } catch (error) {
      await provider[Symbol.asyncDispose]();
      throw error;
    }
    await provider.applyLinks(this.#wanted(provider));
    this.#options.publish('provider_started', {
      host_id: hostId,
      provider_id: id,
      image_ref: ref,
      annotations,
      ...legacyNames(id),
    });
    await this.#check(provider);
  }

  #onStartFailed(request: ProviderStartRequest, error: WattleError): void {
    const { provider_id, provider_ref } = request;
    this.#options.log.warn({ provider: provider_id, code: error.code }, `${error.message}. ${error.hint}`);
    this.#options.publish('provider_start_failed', {
      host_id: this.#options.hostId,
      provider_id,
      provider_ref,
      link_name: 'default',
      error: formatError(error),
    });
  }

  #onLinkFailed(link: Link, error: WattleError): void {
    this.#options.log.warn(
      { source: link.source_id, target: link.target, code: error.code },
      `link not served: ${error.message}`,
    );
    this.#options.publish('linkdef_set_failed', { ...link, error: formatError(error) });
  }

  #wanted(provider: Provider): WantedLink[] {
    return this.#options.data.links
      .filter((link) => concerns(link, provider.id, provider.definition))
      .map((link) => ({ link, resolve: () => this.#resolve(link, provider.id) }));
  }

  #resolve(link: Link, providerId: string): ProviderLink {
    const names = link.source_id === providerId ? link.source_config : link.target_config;
    return {
      actorId: actorEnd(link, providerId),
      linkName: link.name,
      interfaces: link.interfaces,
      config: this.#options.data.mergeConfig(names),
    };
  }

  async #checkAll(): Promise<void> {
    await this.applyLinks();
    await Promise.all([...this.#entries.values()].map(({ provider }) => this.#check(provider)));
  }

  async #check(provider: Provider): Promise<void> {
    const outcome = await provider.checkHealth();
    const data = { host_id: this.#options.hostId, provider_id: provider.id };
    this.#options.publish(`health_check_${outcome}`, data);
  }
}

/** Fields that 0.x-minded readers of provider events still want (protocol.md 4.2). */
const legacyNames = (id: string): Record<string, string> => ({ instance_id: id, public_key: id, link_name: 'default' });

function findDefinition(ref: string): ProviderDefinition {
  const definition = findProvider(ref);
  if (!definition) throw new WattleError('E_PROVIDER_REF', `"${ref}" is no provider this host has`);
  return definition;
}
