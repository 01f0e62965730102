// The one fold from events to a picture of the lattice: hosts with what they run, links, config. Heartbeats carry the
// whole inventory of a host and repair whatever an event between them got lost; wadm and the CLI both read this picture.
import type { LatticeEvent } from './events.ts';
import type { ActorDescription, HostInventory, Link, LinkKey, ProviderDescription } from './types.ts';

export interface HostState {
  readonly inventory: HostInventory;
  /** When anything was last heard of this host (clock of the reader). */
  readonly seenMs: number;
  /** When its last heartbeat came, and the time between the last two; undefined before there were any. */
  readonly heartbeatMs?: number | undefined;
  readonly intervalMs?: number | undefined;
}

export interface LatticeState {
  readonly hosts: ReadonlyMap<string, HostState>;
  /** By `linkKeyText`. */
  readonly links: ReadonlyMap<string, Link>;
  /** Values by name; null when a config is known to exist but its values were not read yet. */
  readonly configs: ReadonlyMap<string, Readonly<Record<string, string>> | null>;
}

export const emptyState: LatticeState = { hosts: new Map(), links: new Map(), configs: new Map() };

/** What names a link, as one text: `source/namespace:package/name`. */
export const linkKeyText = (key: LinkKey): string =>
  `${key.source_id}/${key.wit_namespace}:${key.wit_package}/${key.name}`;

/** How inventories name a link that a provider refuses; `contract` is our name of it where it has one. */
export const linkErrorKey = (link: Link, contract = `${link.wit_namespace}:${link.wit_package}`): string =>
  `${link.source_id}/${link.target}/${contract}/${link.name}`;

type Annotations = Readonly<Record<string, string>> | undefined;

/** Whether two annotation sets are equal; none and empty are the same. */
export function sameAnnotations(left: Annotations, right: Annotations): boolean {
  const a = Object.entries(left ?? {});
  return a.length === Object.keys(right ?? {}).length && a.every(([key, value]) => right?.[key] === value);
}

const edited = <K, V>(map: ReadonlyMap<K, V>, edit: (copy: Map<K, V>) => void): ReadonlyMap<K, V> => {
  const copy = new Map(map);
  edit(copy);
  return copy;
};

const withHost = (state: LatticeState, id: string, host: HostState): LatticeState => ({
  ...state,
  hosts: edited(state.hosts, (hosts) => hosts.set(id, host)),
});

/** Replaces what is known of a host by a full inventory (a heartbeat, or the answer to host.get). */
export function applyInventory(state: LatticeState, inventory: HostInventory, nowMs: number): LatticeState {
  const known = state.hosts.get(inventory.host_id);
  return withHost(state, inventory.host_id, { ...known, inventory, seenMs: nowMs });
}

/** Forgets a host that is gone. */
export const applyHostLost = (state: LatticeState, hostId: string): LatticeState =>
  state.hosts.has(hostId) ? { ...state, hosts: edited(state.hosts, (hosts) => hosts.delete(hostId)) } : state;

/** Replaces all links by the list the lattice holds. */
export const applyLinks = (state: LatticeState, links: readonly Link[]): LatticeState => ({
  ...state,
  links: new Map(links.map((link) => [linkKeyText(link), link])),
});

/** Replaces all config by what the lattice holds. */
export const applyConfigs = (
  state: LatticeState,
  configs: Readonly<Record<string, Readonly<Record<string, string>>>>,
): LatticeState => ({ ...state, configs: new Map(Object.entries(configs)) });

/** Sets one config, or forgets it when `values` is undefined. */
export const applyConfig = (
  state: LatticeState,
  name: string,
  values: Readonly<Record<string, string>> | null | undefined,
): LatticeState => ({
  ...state,
  configs: edited(state.configs, (configs) =>
    values === undefined ? configs.delete(name) : configs.set(name, values),
  ),
});

export const applyLink = (state: LatticeState, link: Link): LatticeState => ({
  ...state,
  links: edited(state.links, (links) => links.set(linkKeyText(link), link)),
});

export const applyLinkDeleted = (state: LatticeState, key: LinkKey): LatticeState => ({
  ...state,
  links: edited(state.links, (links) => links.delete(linkKeyText(key))),
});

type EventOf<N extends LatticeEvent['name']> = Extract<LatticeEvent, { name: N }>;
type Fold<N extends LatticeEvent['name']> = (state: LatticeState, event: EventOf<N>, nowMs: number) => LatticeState;

/** Edits the inventory of a known host; what an unknown host says waits for its first inventory. */
const onHost =
  <N extends LatticeEvent['name']>(edit: (inventory: HostInventory, event: EventOf<N>) => HostInventory): Fold<N> =>
  (state, event, nowMs) => {
    const host = state.hosts.get(event.host);
    if (!host) return state;
    return withHost(state, event.host, { ...host, inventory: edit(host.inventory, event), seenMs: nowMs });
  };

const withProvider = (inventory: HostInventory, id: string, next: ProviderDescription | undefined): HostInventory => ({
  ...inventory,
  providers: [...inventory.providers.filter((provider) => provider.id !== id), ...(next ? [next] : [])],
});

function withGroup(inventory: HostInventory, group: ActorDescription): HostInventory {
  const same = (other: ActorDescription): boolean =>
    other.id === group.id && sameAnnotations(other.annotations, group.annotations);
  const others = inventory.components.filter((other) => !same(other));
  return { ...inventory, components: group.max_instances > 0 ? [...others, group] : others };
}

const health = (healthy: boolean) =>
  onHost<'health_check_passed' | 'health_check_failed'>((inventory, event) => {
    const known = inventory.providers.find((provider) => provider.id === event.data.provider_id);
    if (!known) return inventory;
    const { state_reason: _reason, ...rest } = known;
    return withProvider(
      inventory,
      known.id,
      healthy ? { ...rest, state: 'running' } : { ...known, state: 'failed', state_reason: 'its health check failed' },
    );
  });

const unchanged = (state: LatticeState): LatticeState => state;

const folds: { [N in LatticeEvent['name']]: Fold<N> } = {
  host_started: (state, event, nowMs) => {
    const { labels, friendly_name, uptime_seconds, version } = event.data;
    const facts = { host_id: event.host, labels, friendly_name, uptime_seconds, version, uptime_human: '' };
    return withHost(state, event.host, { inventory: { ...facts, components: [], providers: [] }, seenMs: nowMs });
  },
  host_stopped: (state, event) => applyHostLost(state, event.host),
  host_heartbeat: (state, event, nowMs) => {
    const last = state.hosts.get(event.host)?.heartbeatMs;
    return withHost(state, event.host, {
      inventory: { ...event.data, host_id: event.host },
      seenMs: nowMs,
      heartbeatMs: nowMs,
      intervalMs: last === undefined ? undefined : nowMs - last,
    });
  },
  component_scaled: onHost((inventory, { data }) =>
    withGroup(inventory, {
      id: data.component_id,
      image_ref: data.image_ref,
      annotations: data.annotations,
      max_instances: data.max_instances,
      revision: 0,
      state: 'running',
    }),
  ),
  component_scale_failed: unchanged,
  provider_started: onHost((inventory, { data }) =>
    withProvider(inventory, data.provider_id, {
      id: data.provider_id,
      image_ref: data.image_ref,
      annotations: data.annotations,
      revision: 0,
      state: 'running',
    }),
  ),
  provider_start_failed: unchanged,
  provider_stopped: onHost((inventory, { data }) => withProvider(inventory, data.provider_id, undefined)),
  health_check_passed: health(true) as Fold<'health_check_passed'>,
  health_check_failed: health(false) as Fold<'health_check_failed'>,
  health_check_status: unchanged,
  linkdef_set: (state, event) => applyLink(state, event.data),
  // as heartbeats of our hosts tell it, so that there is one place to look for it
  linkdef_set_failed: onHost((inventory, { data }) => ({
    ...inventory,
    providers: inventory.providers.map((provider) =>
      provider.id === data.source_id || provider.id === data.target
        ? { ...provider, link_errors: { ...provider.link_errors, [linkErrorKey(data)]: data.error } }
        : provider,
    ),
  })),
  linkdef_deleted: (state, event) => applyLinkDeleted(state, event.data),
  config_set: (state, { data }) =>
    state.configs.has(data.config_name) ? state : applyConfig(state, data.config_name, null),
  config_deleted: (state, event) => applyConfig(state, event.data.config_name, undefined),
  labels_changed: onHost((inventory, { data }) => ({ ...inventory, labels: data.labels })),
};

/** The picture after one event. Events of hosts that are not known yet change nothing. */
export const applyEvent = (state: LatticeState, event: LatticeEvent, nowMs: number): LatticeState =>
  (folds[event.name] as Fold<LatticeEvent['name']>)(state, event, nowMs);
