// The spreadscaler of actors: so many instances over the spreads by weight. Within a spread the full count goes to one
// eligible host, and where a spread already stands in full on eligible hosts nothing is moved.

import { type Group, groupsOf, type Placement, planActor } from './actor.ts';
import {
  computeSpread,
  eligibleHosts,
  explainNoHost,
  type HostEntry,
  isEligible,
  type SpreadCount,
  sortedHosts,
} from './placement.ts';
import type { RunUnit, Scaler, UnitStatus } from './scaler.ts';

/** Where the instances of one spread go. */
function placeSpread(
  { spread, count }: SpreadCount,
  eligible: readonly HostEntry[],
  groups: readonly Group[],
): Placement[] {
  const standing = groups.filter(
    (group) => group.spread === spread.name && eligible.some((host) => host.id === group.host),
  );
  const running = standing.reduce((sum, group) => sum + group.actor.max_instances, 0);
  const place = (host: string, instances: number): Placement => ({ host, spread: spread.name, count: instances });
  if (running === count) return standing.map((group) => place(group.host, group.actor.max_instances));
  const [largest] = standing.toSorted((left, right) => right.actor.max_instances - left.actor.max_instances);
  const host = largest?.host ?? eligible[0]?.id;
  return host === undefined ? [] : [place(host, count)];
}

/**
 * Rules that overlap: instances placed for another spread stand on hosts that count for this one, so that its number
 * cannot hold. The instances run all the same; the status says what does not fit (docs/decisions.md).
 */
function findConflict(
  unit: RunUnit,
  counts: readonly SpreadCount[],
  placed: { hosts: readonly HostEntry[]; wanted: readonly Placement[] },
): UnitStatus | undefined {
  const labels = new Map(placed.hosts.map(({ id, host }) => [id, host.inventory.labels]));
  for (const { spread, count } of counts) {
    const here = placed.wanted.filter((one) => isEligible(labels.get(one.host) ?? {}, spread));
    const computed = here.reduce((sum, one) => sum + one.count, 0);
    if (computed > count && here.some((one) => one.spread === spread.name)) {
      const message = `Spread requirement conflict: ${spread.name} spread requires ${count} instances vs ${computed} on the hosts it matches`;
      return { type: 'failed', message, code: 'E_MANIFEST', position: unit.scaler.position };
    }
  }
  return undefined;
}

export const spreadscaler: Scaler<RunUnit> = {
  wireKind: 'SpreadScaler',
  plan(unit, state) {
    const hosts = sortedHosts(state);
    const groups = groupsOf(unit, hosts);
    const counts = computeSpread(unit.scaler).filter(({ count }) => count > 0);
    let problem: UnitStatus | undefined;
    const wanted = counts.flatMap((one) => {
      const eligible = eligibleHosts(hosts, one.spread);
      if (eligible.length === 0)
        problem ??= explainNoHost(unit, one.spread, { hosts: hosts.length, eligible: 0, wanted: 1 });
      return placeSpread(one, eligible, groups);
    });
    problem ??= findConflict(unit, counts, { hosts, wanted });
    return planActor(unit, state, { wanted, problem });
  },
};
