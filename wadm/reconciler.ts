// The level loop. Each pass looks at all applications and the whole observed lattice, plans, sends what is due and tells
// how everything stands. What woke it does not matter: an event, an answer, a changed manifest or time.
import type { LatticeConnection } from '../lattice/connection.ts';
import { ControlClient } from '../lattice/control.ts';
import { toWattleError, type WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { applyConfig, applyLink, applyLinkDeleted } from '../lattice/state.ts';
import { wadmSubjects } from '../lattice/subjects.ts';
import type { AppStatus } from '../lattice/wadm-client.ts';
import { Attempts } from './attempts.ts';
import { type Command, commandKey, commandStage, commandText, isRunningAlready, sendCommand } from './commands.ts';
import type { Deployments } from './deployments.ts';
import type { Observer } from './observer.ts';
import { addOwned, type KnownApplication, type Owned, type PlannedApplication, planAll } from './plan.ts';
import { createStatus, createUndeployedStatus, type Since } from './status.ts';
import type { ApplicationRecord, Store } from './store.ts';

export interface ReconcilerOptions {
  readonly connection: LatticeConnection;
  readonly store: Store;
  readonly observer: Observer;
  readonly deployments: Deployments;
  readonly log: Log;
}

/** Passes are at least this far apart, so that a burst of events is one pass. */
const passEveryMs = 5;
/** How long the record of a deleted application stays, for hosts that were away (reliability.md 1.3). */
const tombstoneMs = 600_000;

interface Pass {
  readonly records: readonly ApplicationRecord[];
  readonly planned: readonly PlannedApplication[];
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #control: ControlClient;
  readonly #attempts = new Attempts();
  readonly #since: Since = new Map();
  readonly #told = new Map<string, string>();
  readonly #storing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #lastPassMs = 0;
  #ended = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#control = new ControlClient(options.connection);
  }

  /** Something may have changed: look soon. */
  wake(): void {
    this.#schedule(Math.max(Date.now(), this.#lastPassMs + passEveryMs));
  }

  /** Somebody deployed: no back-off of an earlier failure stands in the way. */
  retry(): void {
    this.#attempts.forgetFailures();
    this.wake();
  }

  /** An event told that something failed. */
  onFailure(key: string, error: WattleError): void {
    this.#attempts.onFailed(key, error, Date.now());
    this.wake();
  }

  /** How every application stands now. */
  statuses(): Map<string, AppStatus> {
    return this.#createStatuses(this.#look());
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #schedule(atMs: number): void {
    if (this.#ended || atMs >= this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = atMs;
    this.#timer = setTimeout(() => this.#pass(), Math.max(0, atMs - Date.now()));
  }

  #look(): Pass {
    const records = this.#options.store.records();
    const known = records.map((record): KnownApplication => {
      const { application, readable } = this.#options.deployments.read(record);
      const leaveRunning = record.leave_running || !readable;
      return { name: record.name, deployed: application, owned: record.owned, leaveRunning };
    });
    return { records, planned: planAll(known, this.#options.observer.state) };
  }

  #pass(): void {
    this.#timerMs = Number.POSITIVE_INFINITY;
    this.#lastPassMs = Date.now();
    const pass = this.#look();
    this.#attempts.keepOnly(pass.planned.flatMap(commandsOf));
    if (this.#options.observer.synced) {
      for (const [index, planned] of pass.planned.entries()) this.#carryOut(pass.records[index]!, planned);
    }
    this.#tell(this.#createStatuses(pass));
    const nextMs = this.#attempts.nextMs(Date.now());
    if (nextMs !== undefined) this.#schedule(nextMs);
  }

  /** Sends the earliest stage that is not through; later ones follow when the answers to it are there. */
  #carryOut(record: ApplicationRecord, planned: PlannedApplication): void {
    const now = Date.now();
    const commands = commandsOf(planned);
    const inFlight = commands.filter((command) => this.#attempts.isInFlight(command));
    const owned = addOwned(
      planned.owned,
      planned.units.map((one) => one.unit),
    );
    if (inFlight.length === 0 && !sameOwned(owned, record.owned)) {
      this.#keepOwned(record, owned);
      return;
    }
    if (record.deleted_ms !== undefined && commands.length === 0 && now - record.deleted_ms > tombstoneMs)
      this.#change(record.name, (stored) => (stored.deleted_ms === record.deleted_ms ? undefined : stored));
    const due = commands.filter((command) => this.#attempts.isDue(command, now));
    const stage = Math.min(...[...due, ...inFlight].map(commandStage));
    for (const command of due) if (commandStage(command) === stage) void this.#send(planned.name, command);
  }

  /** Before a link or config is put it is written down that it is ours; afterwards it can be taken away again. */
  #keepOwned(record: ApplicationRecord, owned: Owned): void {
    this.#change(record.name, (stored) => ({
      ...stored,
      owned: { links: [...owned.links], configs: [...owned.configs] },
    }));
  }

  #change(name: string, change: Parameters<Store['change']>[1]): void {
    if (this.#storing.has(name)) return;
    this.#storing.add(name);
    this.#options.store
      .change(name, change)
      .catch((thrown) => this.#options.log.warn(`cannot store ${name}: ${toWattleError(thrown).message}`))
      .finally(() => {
        this.#storing.delete(name);
        this.wake();
      });
  }

  async #send(application: string, command: Command): Promise<void> {
    const { log, observer } = this.#options;
    this.#attempts.onSent(command, Date.now());
    log.info({ app: application }, commandText(command));
    try {
      await sendCommand(this.#control, command);
      this.#onAccepted(command);
    } catch (thrown) {
      const error = toWattleError(thrown, 'E_CONTROL');
      const settled = command.type === 'stop-provider' ? error.code === 'E_NOT_FOUND' : isRunningAlready(thrown);
      if (settled && 'host' in command) {
        // it is as it should be, or being made so: the inventory tells
        this.#attempts.onAccepted(command, Date.now());
        void observer.refreshHost(command.host);
      } else {
        log.warn({ app: application, code: error.code }, `${commandText(command)}: ${error.message}`);
        this.#attempts.onFailed(commandKey(command), error, Date.now());
      }
    }
    this.wake();
  }

  #onAccepted(command: Command): void {
    const { observer } = this.#options;
    this.#attempts.onAccepted(command, Date.now());
    if (command.type === 'put-link') observer.apply((state) => applyLink(state, command.link));
    else if (command.type === 'delete-link') observer.apply((state) => applyLinkDeleted(state, command.key));
    else if (command.type === 'put-config') observer.applyOwnConfig(command.name, command.values);
    else if (command.type === 'delete-config') observer.apply((state) => applyConfig(state, command.name, undefined));
  }

  #createStatuses({ records, planned }: Pass): Map<string, AppStatus> {
    const hosts = this.#options.observer.state.hosts.size > 0;
    const facts = { attempts: this.#attempts, since: this.#since, nowMs: Date.now(), hosts };
    return new Map(
      planned.map((one, index) => {
        const record = records[index]!;
        const { readable, application, reason } = this.#options.deployments.read(record);
        if (!readable) return [one.name, createUnreadableStatus(reason)];
        if (!application) return [one.name, createUndeployedStatus(one)];
        return [one.name, createStatus(one, record.deployed_version ?? '', facts)];
      }),
    );
  }

  /** Publishes the status of every application whose status is another than last told. */
  #tell(statuses: ReadonlyMap<string, AppStatus>): void {
    const { connection } = this.#options;
    for (const [name, status] of statuses) {
      const body = JSON.stringify(status);
      if (this.#told.get(name) === body || connection.nats.isClosed()) continue;
      this.#told.set(name, body);
      connection.nats.publish(wadmSubjects.status(connection.lattice, name), body);
    }
    for (const name of this.#told.keys()) if (!statuses.has(name)) this.#told.delete(name);
  }
}

const commandsOf = (planned: PlannedApplication): Command[] => [
  ...planned.units.flatMap((one) => one.commands),
  ...planned.removals,
];

const sameOwned = (left: Owned, right: Owned): boolean => JSON.stringify(left) === JSON.stringify(right);

const createUnreadableStatus = (reason: string | undefined): AppStatus => ({
  status: { type: 'failed', message: `the stored manifest cannot be read: ${reason ?? ''}` },
  scalers: [],
  version: '',
  components: [],
});
