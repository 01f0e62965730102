// The arithmetic the scalers share: how many instances a spread gets, which hosts may take them, what they are marked with.
import type { HostState, LatticeState } from '../../lattice/state.ts';
import { annotationKeys, type ScalerSettings, type Spread } from '../application.ts';
import type { RunUnit, UnitStatus } from './scaler.ts';

export interface SpreadCount {
  readonly spread: Spread;
  readonly count: number;
}

const defaultSpread: Spread = { name: 'default', requirements: {}, weight: 100 };

/** The spreads of a scaler; the default one when none are written. */
export const spreadsOf = (scaler: Pick<ScalerSettings, 'spread'>): readonly Spread[] =>
  scaler.spread.length > 0 ? scaler.spread : [defaultSpread];

/**
 * Instances per spread by weight: the whole part of each share, then one each from the heaviest down until all are given
 * out (protocol.md 5.5). Ordered by weight, heaviest first. All weights zero: as if all were equal.
 */
export function computeSpread(scaler: Pick<ScalerSettings, 'instances' | 'spread'>): SpreadCount[] {
  const sorted = spreadsOf(scaler).toSorted((left, right) => right.weight - left.weight);
  const sum = sorted.reduce((total, spread) => total + spread.weight, 0);
  const weightOf = (spread: Spread): number => (sum === 0 ? 1 : spread.weight);
  const total = sum === 0 ? sorted.length : sum;
  const counts = sorted.map((spread) => Math.floor((scaler.instances * weightOf(spread)) / total));
  let left = scaler.instances - counts.reduce((given, count) => given + count, 0);
  return sorted.map((spread, index) => {
    const extra = left > 0 ? 1 : 0;
    left -= extra;
    return { spread, count: counts[index]! + extra };
  });
}

/** Whether a host carries every label the spread requires. */
export const isEligible = (labels: Readonly<Record<string, string>>, spread: Pick<Spread, 'requirements'>): boolean =>
  Object.entries(spread.requirements).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);

export interface HostEntry {
  readonly id: string;
  readonly host: HostState;
}

/** All hosts, in one order everywhere. */
export const sortedHosts = (state: LatticeState): HostEntry[] =>
  [...state.hosts].map(([id, host]) => ({ id, host })).sort((left, right) => (left.id < right.id ? -1 : 1));

export const eligibleHosts = (hosts: readonly HostEntry[], spread: Spread): HostEntry[] =>
  hosts.filter(({ host }) => isEligible(host.inventory.labels, spread));

/** What everything wadm starts is marked with (protocol.md 5.4). */
export const createAnnotations = (
  unit: Pick<RunUnit, 'id' | 'application'>,
  spread: string,
): Readonly<Record<string, string>> => ({
  [annotationKeys.managedBy]: 'wadm',
  [annotationKeys.application]: unit.application,
  [annotationKeys.scaler]: unit.id,
  [annotationKeys.spread]: spread,
});

const requirementText = (spread: Spread): string =>
  Object.entries(spread.requirements)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');

/** Why a spread cannot be placed. With no host at all it waits for one; otherwise somebody has to change something. */
export function explainNoHost(
  unit: RunUnit,
  spread: Spread,
  found: { hosts: number; eligible: number; wanted: number },
): UnitStatus {
  if (found.hosts === 0)
    return { type: 'waiting', message: `no host is running that could take ${unit.target}`, code: 'E_NO_HOST' };
  const labels = requirementText(spread);
  const who = labels ? `hosts with ${labels}` : 'hosts';
  const message = `Could not satisfy spread ${spread.name} for ${unit.component}, ${found.eligible}/${found.wanted} eligible hosts found: ${found.eligible} of ${found.hosts} are ${who}`;
  return { type: 'failed', message, code: 'E_NO_HOST', position: unit.scaler.position };
}
