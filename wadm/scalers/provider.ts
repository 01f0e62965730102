// Scalers of providers: at most one of an id on a host. A provider of the same id that somebody else started counts, and
// is never stopped; those of this unit that are too many, or stand on hosts they may not, go when nothing is growing.
import type { LatticeState } from '../../lattice/state.ts';
import type { ProviderDescription } from '../../lattice/types.ts';
import { annotationKeys } from '../application.ts';
import { type Command, commandText } from '../commands.ts';
import {
  computeSpread,
  createAnnotations,
  eligibleHosts,
  explainNoHost,
  type HostEntry,
  type SpreadCount,
  sortedHosts,
  spreadsOf,
} from './placement.ts';
import { type Decision, deployed, type RunUnit, type Scaler, type UnitStatus } from './scaler.ts';

interface Running {
  readonly host: string;
  readonly provider: ProviderDescription;
  /** Whose it is: this unit's, this application's from before its config changed, or somebody else's. */
  readonly owner: 'unit' | 'stale' | 'foreign';
}

function runningOf(unit: RunUnit, hosts: readonly HostEntry[]): Running[] {
  return hosts.flatMap(({ id, host }) => {
    const provider = host.inventory.providers.find((one) => one.id === unit.target);
    if (!provider) return [];
    const marks = provider.annotations ?? {};
    const ours = marks[annotationKeys.managedBy] === 'wadm' && marks[annotationKeys.application] === unit.application;
    const owner = !ours ? 'foreign' : marks[annotationKeys.scaler] === unit.id ? 'unit' : 'stale';
    return [{ host: id, provider, owner } as const];
  });
}

interface Slot {
  readonly host: string;
  readonly spread: string;
  readonly running: Running | undefined;
}

/** Hosts for one spread: first where it runs and cannot be stopped, then where it is ours, then free ones. */
function claimHosts(
  { spread, count }: SpreadCount,
  eligible: readonly HostEntry[],
  { running, claimed }: { running: readonly Running[]; claimed: ReadonlySet<string> },
): Slot[] {
  const rank = (one: Running | undefined): number => {
    if (!one) return 3;
    if (one.owner === 'foreign') return 0;
    return one.provider.annotations?.[annotationKeys.spread] === spread.name ? 1 : 2;
  };
  return eligible
    .filter(({ id }) => !claimed.has(id))
    .map(({ id }) => ({ host: id, spread: spread.name, running: running.find((one) => one.host === id) }))
    .sort((left, right) => rank(left.running) - rank(right.running))
    .slice(0, count);
}

function planSlot(unit: RunUnit, slot: Slot): Command | undefined {
  const command = {
    host: slot.host,
    id: unit.target,
    ref: unit.image,
    annotations: createAnnotations(unit, slot.spread),
    config: unit.config,
  };
  if (!slot.running) return { type: 'start-provider', ...command };
  if (slot.running.owner === 'foreign') return undefined;
  const current = slot.running.owner === 'unit' && slot.running.provider.image_ref === unit.image;
  return current ? undefined : { type: 'replace-provider', ...command };
}

function planProvider(
  unit: RunUnit,
  running: readonly Running[],
  { slots, problem }: { slots: readonly Slot[]; problem: UnitStatus | undefined },
): Decision {
  const starts = slots.flatMap((slot) => planSlot(unit, slot) ?? []);
  const growing = new Set(slots.filter((slot) => !slot.running).map((slot) => slot.spread));
  const spreads = new Set(spreadsOf(unit.scaler).map((spread) => spread.name));
  const surplus = running.filter((one) => one.owner !== 'foreign' && !slots.some((slot) => slot.host === one.host));
  const going = surplus.filter((one) => {
    const spread = one.provider.annotations?.[annotationKeys.spread] ?? '';
    return spreads.has(spread) ? !growing.has(spread) : growing.size === 0;
  });
  const stops = going.map((one): Command => ({ type: 'stop-provider', host: one.host, id: unit.target }));
  const commands = [...starts, ...stops];
  return { commands, status: problem ?? statusOf(unit, commands, slots) };
}

function statusOf(unit: RunUnit, commands: readonly Command[], slots: readonly Slot[]): UnitStatus {
  if (commands.length > 0) return { type: 'reconciling', message: commands.map(commandText).slice(0, 3).join('; ') };
  for (const { host, running } of slots) {
    if (!running) continue;
    const { state, state_reason: reason, image_ref: image } = running.provider;
    if (running.owner === 'foreign' && image !== undefined && image !== unit.image) {
      const message = `${unit.target} already runs on ${host} as ${image}, not started by this application`;
      return { type: 'failed', message, code: 'E_CONFLICT' };
    }
    if (state === 'failed')
      return {
        type: 'unhealthy',
        message: `${unit.target} on ${host}: ${reason ?? 'it failed'}`,
        code: 'E_PROVIDER_DOWN',
      };
    if (state === 'starting')
      return { type: 'reconciling', message: `${unit.target} is starting on ${host}${reason ? `: ${reason}` : ''}` };
  }
  return deployed;
}

function planSpreads(unit: RunUnit, state: LatticeState, kind: 'spread' | 'daemon'): Decision {
  const hosts = sortedHosts(state);
  const running = runningOf(unit, hosts);
  const claimed = new Set<string>();
  let problem: UnitStatus | undefined;
  const slots = countsOf(unit, hosts, kind).flatMap((one) => {
    const eligible = eligibleHosts(hosts, one.spread);
    const found = claimHosts(one, eligible, { running, claimed });
    for (const slot of found) claimed.add(slot.host);
    // a daemon is satisfied where another of its spreads has put it already
    const have = kind === 'daemon' ? eligible.length : found.length;
    if (have < one.count)
      problem ??= explainNoHost(unit, one.spread, { hosts: hosts.length, eligible: have, wanted: one.count });
    return found;
  });
  return planProvider(unit, running, { slots, problem });
}

function countsOf(unit: RunUnit, hosts: readonly HostEntry[], kind: 'spread' | 'daemon'): SpreadCount[] {
  if (kind === 'spread') return computeSpread(unit.scaler).filter(({ count }) => count > 0);
  if (unit.scaler.instances === 0) return [];
  return spreadsOf(unit.scaler).map((spread) => ({ spread, count: Math.max(1, eligibleHosts(hosts, spread).length) }));
}

export const providerSpread: Scaler<RunUnit> = {
  wireKind: 'ProviderSpreadScaler',
  plan: (unit, state) => planSpreads(unit, state, 'spread'),
};

/** One on every eligible host; a spread no host matches is a problem, as for actors. `instances: 0` means none. */
export const providerDaemon: Scaler<RunUnit> = {
  wireKind: 'ProviderDaemonScaler',
  plan: (unit, state) => planSpreads(unit, state, 'daemon'),
};
