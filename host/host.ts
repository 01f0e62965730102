// START HERE. A host: the data of its lattice, the cells that run its actors, its providers, and the control interface
// over them. Children start in order and stop in reverse; what a host runs shows in its inventory and heartbeats.
import { join } from 'node:path';
import type { LatticeConnection } from '../lattice/connection.ts';
import { type ErrorCode, errorTable, toWattleError, WattleError } from '../lattice/errors.ts';
import { type EventName, publishEvent } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import type { KeyPair } from '../lattice/nkeys.ts';
import { controlSubjects } from '../lattice/subjects.ts';
import type { Host as HostDescription, HostInventory, Link } from '../lattice/types.ts';
import { version } from '../lattice/version.ts';
import { Actors } from './actors.ts';
import { Cells } from './cells.ts';
import { Control } from './control.ts';
import { coreLabels, friendlyNameOf, humanDuration } from './identity.ts';
import { Invoker } from './invoke.ts';
import { LatticeData } from './links.ts';
import { readModule } from './module.ts';
import { Providers } from './providers.ts';
import { Rpc } from './rpc.ts';

export interface HostOptions {
  readonly connection: LatticeConnection;
  /** The host's own key; its public half (N…) is the id. */
  readonly hostKey: KeyPair;
  /** Signs invocations to other hosts (C…); hosts of one lattice share it or name each other's in `clusterIssuers`. */
  readonly clusterKey: KeyPair;
  readonly clusterIssuers: readonly string[];
  /** Caches and sockets live under it. */
  readonly dataDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly friendlyName?: string | undefined;
  /** Asked at every load, so that a key trusted later counts at once. */
  trustedIssuers(): Promise<ReadonlySet<string>>;
  readonly allowUnsigned: boolean;
  readonly allowLegacyClaims: boolean;
  readonly rpcTimeoutMs: number;
  readonly actorDeadlineMs: number;
  readonly heartbeatMs: number;
  readonly drainMs: number;
  readonly cellMemoryMb: number;
  readonly log: Log;
  /** Somebody asked this host to stop over the control interface; the owner disposes it. */
  onStopRequest(): void;
}

/** Default limits of an actor; manifests will be able to set them. */
const actorMemoryBytes = 64 * 1024 * 1024;
const actorMaxInFlight = 1000;
/** Changes are told by an extra heartbeat, at most one in this time. */
const changeDelayMs = 20;
/** How long the answers of the hosts to a link check are waited for once one has come. */
const linkCheckStallMs = 60;
const linkCheckMaxMs = 500;

export class Host {
  readonly #options: HostOptions;
  readonly #children = new AsyncDisposableStack();
  readonly #startedAt = performance.now();
  readonly #friendlyName: string;
  #labels: Readonly<Record<string, string>>;
  #drainMs: number;
  #actors!: Actors;
  #providers!: Providers;
  #data!: LatticeData;
  #heartbeat: NodeJS.Timeout | undefined;
  #change: NodeJS.Timeout | undefined;

  private constructor(options: HostOptions) {
    this.#options = options;
    this.#drainMs = options.drainMs;
    this.#labels = { ...options.labels, ...coreLabels() };
    this.#friendlyName = options.friendlyName ?? friendlyNameOf(options.hostKey.publicKey);
  }

  /** Joins the lattice; resolves when it answers on the control interface. */
  static async start(options: HostOptions): Promise<Host> {
    const host = new Host(options);
    try {
      await host.#start();
      return host;
    } catch (error) {
      await host.#children.disposeAsync();
      throw error;
    }
  }

  get id(): string {
    return this.#options.hostKey.publicKey;
  }

  get friendlyName(): string {
    return this.#friendlyName;
  }

  async #start(): Promise<void> {
    const { connection, log } = this.#options;
    const data = await LatticeData.start({ connection, log, onLinksChange: () => void this.#providers?.applyLinks() });
    this.#data = this.#children.use(data);
    const cells = this.#children.use(
      await Cells.start({ log, memoryMb: this.#options.cellMemoryMb, runDir: join(this.#options.dataDir, 'run') }),
    );
    const invoker = new Invoker({
      data,
      timeoutMs: this.#options.rpcTimeoutMs,
      actors: () => this.#actors,
      providers: () => this.#providers,
      remote: () => rpc,
    });
    const rpc = this.#createRpc(invoker);
    this.#actors = this.#children.use(this.#createActors(cells, invoker, rpc));
    this.#providers = this.#children.use(this.#createProviders(invoker, rpc));
    this.#children.use(await Control.start(this.#controlled(), connection, log));
    this.#publish('host_started', {
      labels: this.#labels,
      friendly_name: this.#friendlyName,
      uptime_seconds: 0,
      version,
    });
    this.#publishHeartbeat();
    this.#heartbeat = setInterval(() => this.#publishHeartbeat(), this.#options.heartbeatMs);
  }

  #createRpc(invoker: Invoker): Rpc {
    const { connection, clusterKey, clusterIssuers, rpcTimeoutMs: timeoutMs, actorDeadlineMs, log } = this.#options;
    const issuers = new Set([clusterKey.publicKey, ...clusterIssuers]);
    return new Rpc({ connection, invoker, hostId: this.id, clusterKey, issuers, timeoutMs, actorDeadlineMs, log });
  }

  #createActors(cells: Cells, invoker: Invoker, rpc: Rpc): Actors {
    const options = this.#options;
    const policy = {
      cacheDir: join(options.dataDir, 'cache', 'artifacts'),
      trustedIssuers: options.trustedIssuers,
      allowUnsigned: options.allowUnsigned,
      allowLegacyClaims: options.allowLegacyClaims,
      log: options.log,
    };
    const drainMs = (): number => this.#drainMs;
    return new Actors({
      hostId: this.id,
      cells,
      limits: {
        deadlineMs: options.actorDeadlineMs,
        get drainMs() {
          return drainMs();
        },
        memoryBytes: actorMemoryBytes,
        maxInFlight: actorMaxInFlight,
      },
      log: options.log,
      readModule: (ref) => readModule(ref, policy),
      onHostCall: (caller, call) => invoker.invokeFromActor(caller, call),
      onModule: ({ id, module, claims }) => this.#data.putModule(id, module.ref, claims),
      onServe: (actor) => rpc.serveActor(actor),
      publish: (name, data) => this.#publish(name, data),
      onChange: () => this.#onChange(),
    });
  }

  #createProviders(invoker: Invoker, rpc: Rpc): Providers {
    const { connection, log } = this.#options;
    return new Providers({
      hostId: this.id,
      connection,
      data: this.#data,
      log,
      invoke: (provider, actorId, operation, payload) =>
        invoker.invokeFromProvider(provider, actorId, operation, payload),
      onServe: (provider) => rpc.serveProvider(provider),
      publish: (name, data) => this.#publish(name, data),
      onChange: () => this.#onChange(),
    });
  }

  #controlled(): Parameters<typeof Control.start>[0] {
    return {
      id: this.id,
      actors: this.#actors,
      providers: this.#providers,
      data: this.#data,
      labels: () => this.#labels,
      describe: () => this.describe(),
      inventory: () => this.inventory(),
      setLabel: (key, value) => this.#setLabel(key, value),
      stop: (timeoutMs) => this.#onStopRequest(timeoutMs),
      checkLink: (link) => this.#checkLink(link),
      publish: (name, data) => this.#publish(name, data),
    };
  }

  describe(): HostDescription {
    const uptime = this.#uptimeSeconds();
    return {
      id: this.id,
      friendly_name: this.#friendlyName,
      labels: { ...this.#labels },
      lattice: this.#options.connection.lattice,
      uptime_seconds: uptime,
      uptime_human: humanDuration(uptime),
      version,
    };
  }

  inventory(): HostInventory {
    const { id, lattice: _lattice, ...rest } = this.describe();
    return {
      host_id: id,
      friendly_name: rest.friendly_name,
      labels: rest.labels,
      version,
      uptime_human: rest.uptime_human ?? '',
      uptime_seconds: rest.uptime_seconds,
      components: this.#actors.describe(),
      providers: this.#providers.describe(),
    };
  }

  #setLabel(key: string, value: string | undefined): void {
    if (key.startsWith('hostcore.')) throw new WattleError('E_LABEL', `label ${key} is read-only`);
    const { [key]: _old, ...others } = this.#labels;
    this.#labels = value === undefined ? others : { ...others, [key]: value };
    this.#publish('labels_changed', { host_id: this.id, labels: this.#labels });
    this.#onChange();
  }

  /** What is in flight gets the time the request gives it, at most the host's own. */
  #onStopRequest(timeoutMs = this.#drainMs): void {
    this.#drainMs = Math.min(timeoutMs, this.#drainMs);
    this.#options.onStopRequest();
  }

  async #checkLink(link: Link): Promise<void> {
    const { connection } = this.#options;
    const subject = controlSubjects.linkCheck(connection.lattice);
    const replies = await connection.gatherJson(subject, link, linkCheckMaxMs, linkCheckStallMs);
    for (const reply of replies as { success?: boolean; message?: string; code?: string }[]) {
      if (reply.success !== false || reply.code === undefined || !Object.hasOwn(errorTable, reply.code)) continue;
      throw new WattleError(reply.code as ErrorCode, reply.message ?? 'a provider refuses the link');
    }
  }

  #uptimeSeconds(): number {
    return Math.floor((performance.now() - this.#startedAt) / 1000);
  }

  /** Events are built here from what this host knows; a shape that is wrong is a fault to log, never to throw. */
  #publish(name: EventName, data: Record<string, unknown>): void {
    try {
      publishEvent(this.#options.connection, this.id, name, data as never);
    } catch (error) {
      this.#options.log.error({ event: name, error: toWattleError(error).message }, 'event not published');
    }
  }

  #publishHeartbeat(): void {
    this.#publish('host_heartbeat', this.inventory());
  }

  /** Tells the lattice soon, and once for what changes together. */
  #onChange(): void {
    this.#change ??= setTimeout(() => {
      this.#change = undefined;
      this.#publishHeartbeat();
    }, changeDelayMs);
  }

  /** Stops taking requests, then providers, actors and cells in reverse order of their start. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#children.disposeAsync();
    clearTimeout(this.#change);
    this.#publish('host_stopped', { labels: this.#labels, reason: 'stopped' });
    const { nats } = this.#options.connection;
    if (!nats.isClosed()) await nats.flush().catch(() => undefined);
  }
}
