// What spreadscaler and daemonscaler of actors share: given how many instances each spread shall have on each host, find
// what to change. New instances come before old ones go: a group is taken away only when nothing of its spread is growing.
import type { LatticeState } from '../../lattice/state.ts';
import type { ActorDescription } from '../../lattice/types.ts';
import { annotationKeys } from '../application.ts';
import { type Command, commandText } from '../commands.ts';
import { createAnnotations, type HostEntry, sortedHosts } from './placement.ts';
import { type Decision, deployed, type RunUnit, type UnitStatus } from './scaler.ts';

/** Instances wanted of one spread on one host. */
export interface Placement {
  readonly host: string;
  readonly spread: string;
  readonly count: number;
}

/** One group of instances of this unit on a host. */
export interface Group {
  readonly host: string;
  readonly spread: string;
  readonly actor: ActorDescription;
}

/** The groups a unit has on `hosts`, by its scaler annotation. */
export const groupsOf = (unit: RunUnit, hosts: readonly HostEntry[]): Group[] =>
  hosts.flatMap(({ id, host }) =>
    host.inventory.components
      .filter((actor) => actor.id === unit.target && actor.annotations?.[annotationKeys.scaler] === unit.id)
      .map((actor) => ({ host: id, spread: actor.annotations?.[annotationKeys.spread] ?? '', actor })),
  );

const scale = (unit: RunUnit, placement: Placement): Command => ({
  type: 'scale',
  host: placement.host,
  id: unit.target,
  ref: unit.image,
  count: placement.count,
  annotations: createAnnotations(unit, placement.spread),
  config: unit.config,
});

/** Commands and status for an actor whose instances shall stand as `wanted` says; `problem` explains spreads left out of it. */
export function planActor(
  unit: RunUnit,
  state: LatticeState,
  { wanted, problem }: { wanted: readonly Placement[]; problem: UnitStatus | undefined },
): Decision {
  const groups = groupsOf(unit, sortedHosts(state));
  const at = (placement: Pick<Placement, 'host' | 'spread'>): Group | undefined =>
    groups.find((group) => group.host === placement.host && group.spread === placement.spread);
  const changes = wanted.filter((placement) => {
    const group = at(placement);
    return group?.actor.max_instances !== placement.count || group.actor.image_ref !== unit.image;
  });
  const growing = new Set(
    changes.filter((one) => (at(one)?.actor.max_instances ?? 0) < one.count).map((one) => one.spread),
  );
  const spreads = new Set(wanted.map((one) => one.spread));
  const surplus = groups.filter(
    (group) => !wanted.some((one) => one.host === group.host && one.spread === group.spread),
  );
  const held = surplus.filter((group) => (spreads.has(group.spread) ? growing.has(group.spread) : growing.size > 0));
  const removals = surplus.filter((group) => !held.includes(group)).map((group) => ({ ...group, count: 0 }));
  const commands = [...changes, ...removals].map((placement) => scale(unit, placement));
  return { commands, status: problem ?? statusOf(commands, groups) };
}

function statusOf(commands: readonly Command[], groups: readonly Group[]): UnitStatus {
  const looping = groups.find((group) => group.actor.state === 'crash-loop');
  if (looping) {
    const reason = looping.actor.state_reason ?? 'it keeps crashing';
    return { type: 'unhealthy', message: `${looping.actor.id} on ${looping.host}: ${reason}`, code: 'E_CRASH_LOOP' };
  }
  if (commands.length > 0) return { type: 'reconciling', message: commands.map(commandText).slice(0, 3).join('; ') };
  const starting = groups.find((group) => group.actor.state === 'starting');
  if (starting) {
    const reason = starting.actor.state_reason ? `: ${starting.actor.state_reason}` : '';
    return { type: 'reconciling', message: `${starting.actor.id} is starting on ${starting.host}${reason}` };
  }
  return deployed;
}
