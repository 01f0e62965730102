// Watches a lattice and keeps the picture of it (lattice/state.ts). Events only make it quick: heartbeats carry whole
// inventories, links and config are read again now and then, and a host that fell silent is asked before it is given up.
import { type LatticeConnection, parseJson } from '../lattice/connection.ts';
import { ControlClient } from '../lattice/control.ts';
import { parseError, toWattleError, type WattleError } from '../lattice/errors.ts';
import { type LatticeEvent, parseEvent } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import {
  applyConfig,
  applyConfigs,
  applyEvent,
  applyHostLost,
  applyInventory,
  applyLinks,
  emptyState,
  type LatticeState,
} from '../lattice/state.ts';
import { eventSubjects } from '../lattice/subjects.ts';
import { providerKey, scaleKey } from './commands.ts';

export interface ObserverOptions {
  readonly connection: LatticeConnection;
  readonly log: Log;
  /** How often links and config are read again. */
  readonly resyncMs: number;
  /** The picture changed. */
  onChange(): void;
  /** An event told that something asked for failed; `key` is that of the command. */
  onFailure(key: string, error: WattleError): void;
}

/** A silent host is asked after one and a half heartbeats, at most 3 s, and gone when it does not answer in 1.5 s: 4.5 s in all. */
const suspectMs = (intervalMs: number | undefined): number => Math.min(3000, 1.5 * (intervalMs ?? 2000));
const probeTimeoutMs = 1500;
const tickMs = 100;
/** Config that this wadm has just put need not be read back when the event of it comes. */
const ownPutMs = 2000;

export class Observer {
  readonly #options: ObserverOptions;
  readonly #control: ControlClient;
  readonly #probe: ControlClient;
  readonly #asked = new Set<string>();
  readonly #ownPuts = new Map<string, number>();
  readonly #stack = new AsyncDisposableStack();
  #state: LatticeState = emptyState;
  #connected = true;
  #linksRead = false;
  #reading: Promise<void> | undefined;

  private constructor(options: ObserverOptions) {
    this.#options = options;
    this.#control = new ControlClient(options.connection);
    this.#probe = new ControlClient(options.connection, probeTimeoutMs);
  }

  /** Returns when everything that answers now has been read. */
  static async start(options: ObserverOptions): Promise<Observer> {
    const observer = new Observer(options);
    observer.#subscribe();
    await options.connection.nats.flush();
    await observer.#resync();
    const timers = [
      setInterval(() => observer.#suspect(), tickMs),
      setInterval(() => void observer.#readShared(), options.resyncMs),
    ];
    observer.#stack.defer(() => timers.forEach(clearInterval));
    return observer;
  }

  get state(): LatticeState {
    return this.#state;
  }

  /** Whether the picture is whole enough to act on: connected, a host is there, and its links and config were read. */
  get synced(): boolean {
    return this.#connected && this.#linksRead && this.#state.hosts.size > 0;
  }

  /** Takes over what an accepted command is known to have changed. */
  apply(change: (state: LatticeState) => LatticeState): void {
    this.#state = change(this.#state);
  }

  /** Remembers that this wadm put a config. */
  applyOwnConfig(name: string, values: Readonly<Record<string, string>>): void {
    this.#ownPuts.set(name, Date.now());
    this.apply((state) => applyConfig(state, name, values));
  }

  /** Asks a host for its inventory; one that does not answer is gone. */
  async refreshHost(hostId: string): Promise<void> {
    if (this.#asked.has(hostId)) return;
    this.#asked.add(hostId);
    try {
      const inventory = await this.#probe.inventory(hostId);
      this.#state = applyInventory(this.#state, inventory, Date.now());
    } catch (thrown) {
      const error = toWattleError(thrown);
      if (this.#connected && (error.code === 'E_NO_HOST' || error.code === 'E_TIMEOUT')) this.#lose(hostId, error);
    } finally {
      this.#asked.delete(hostId);
    }
    await this.#afterHosts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await this.#reading?.catch(() => undefined);
  }

  #lose(hostId: string, error: WattleError): void {
    if (!this.#state.hosts.has(hostId)) return;
    this.#options.log.warn({ host: hostId }, `host ${hostId} is gone: ${error.message}`);
    this.#state = applyHostLost(this.#state, hostId);
  }

  #subscribe(): void {
    const { nats, lattice } = this.#options.connection;
    const subscription = nats.subscribe(eventSubjects.all(lattice), {
      callback: (_error, message) => {
        if (message) this.#onMessage(message.data);
      },
    });
    this.#stack.defer(() => subscription.unsubscribe());
    const follow = async (): Promise<void> => {
      for await (const status of nats.status()) {
        if (status.type === 'disconnect') this.#connected = false;
        if (status.type === 'reconnect') this.#onReconnect();
      }
    };
    void follow();
  }

  /** The silence of a broken connection is nobody's fault: every host gets its full time again. */
  #onReconnect(): void {
    this.#connected = true;
    const now = Date.now();
    const hosts = new Map([...this.#state.hosts].map(([id, host]) => [id, { ...host, seenMs: now }]));
    this.#state = { ...this.#state, hosts };
    void this.#resync();
  }

  #onMessage(data: Uint8Array): void {
    let event: LatticeEvent | undefined;
    try {
      event = parseEvent(parseJson(data));
    } catch {
      // a message that is no JSON is no event
    }
    if (!event) return;
    const known = this.#state.hosts.has(event.host);
    this.#state = applyEvent(this.#state, event, Date.now());
    this.#onEvent(event);
    if (!known && event.name !== 'host_stopped') void this.#meet(event);
    this.#options.onChange();
  }

  #onEvent(event: LatticeEvent): void {
    const fail = (key: string, text: string): void => this.#options.onFailure(key, parseError(text, 'E_CONTROL'));
    if (event.name === 'component_scale_failed')
      fail(scaleKey(event.host, event.data.component_id, event.data.annotations), event.data.error);
    else if (event.name === 'provider_start_failed')
      fail(providerKey(event.host, event.data.provider_id), event.data.error);
    else if (event.name === 'config_set') void this.#readConfig(event.data.config_name);
  }

  /** A host nobody knew: its whole inventory is needed, and with the first host links and config can be read. */
  async #meet(event: LatticeEvent): Promise<void> {
    if (event.name === 'host_heartbeat' || event.name === 'host_started') await this.#afterHosts();
    else await this.refreshHost(event.host);
  }

  async #afterHosts(): Promise<void> {
    if (!this.#linksRead && this.#state.hosts.size > 0) await this.#readShared();
    this.#options.onChange();
  }

  async #readConfig(name: string): Promise<void> {
    if (Date.now() - (this.#ownPuts.get(name) ?? 0) < ownPutMs) return;
    const values = await this.#control.getConfig(name).catch(() => null);
    if (values === null) return;
    this.#state = applyConfig(this.#state, name, values);
    this.#options.onChange();
  }

  /** Reads everything: after the start, and after the connection was lost. */
  async #resync(): Promise<void> {
    const hosts = await this.#control.hosts().catch(() => []);
    await Promise.all(hosts.map((host) => this.refreshHost(host.id)));
    await this.#readShared();
  }

  /** Reads links and config, once at a time. */
  async #readShared(): Promise<void> {
    this.#reading ??= this.#readSharedOnce().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #readSharedOnce(): Promise<void> {
    if (!this.#connected || this.#state.hosts.size === 0) return;
    try {
      const [links, configs] = await Promise.all([this.#control.links(), this.#control.listConfig()]);
      this.#state = applyConfigs(applyLinks(this.#state, links), configs);
      this.#linksRead = true;
    } catch (thrown) {
      this.#options.log.debug(`links and config cannot be read yet: ${toWattleError(thrown).message}`);
    }
    this.#options.onChange();
  }

  #suspect(): void {
    if (!this.#connected) return;
    const now = Date.now();
    for (const [id, host] of this.#state.hosts)
      if (now - host.seenMs > suspectMs(host.intervalMs)) void this.refreshHost(id);
  }
}
