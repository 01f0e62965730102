// Pure: the applications and the observed lattice → what to do, and how every part of every application stands. First
// what is wanted (the scalers), then what is left over from before: marked as ours, or put by us, and wanted no more.
import { type LatticeState, linkKeyText } from '../lattice/state.ts';
import type { LinkKey } from '../lattice/types.ts';
import { type Application, annotationKeys } from './application.ts';
import type { Command } from './commands.ts';
import { planUnit } from './scalers/index.ts';
import { sortedHosts } from './scalers/placement.ts';
import type { RunUnit, Unit, UnitStatus } from './scalers/scaler.ts';
import { createUnits } from './units.ts';

/** Links and config an application has put, or was about to put, and that were not seen gone since. */
export interface Owned {
  readonly links: readonly LinkKey[];
  readonly configs: readonly string[];
}

export interface KnownApplication {
  readonly name: string;
  /** The version deployed, parsed; undefined when none is. */
  readonly deployed: Application | undefined;
  readonly owned: Owned;
  /** Undeployed without stopping what runs: its leftovers are not touched. */
  readonly leaveRunning: boolean;
}

export interface PlannedUnit {
  readonly unit: Unit;
  readonly status: UnitStatus;
  readonly commands: readonly Command[];
}

export interface PlannedApplication {
  readonly name: string;
  readonly units: readonly PlannedUnit[];
  /** Commands that take away what is left over. */
  readonly removals: readonly Command[];
  /** What of `owned` is still there or wanted; the rest may be forgotten. */
  readonly owned: Owned;
}

interface Wanted {
  /** Units of all deployed applications that run something, by scaler id and by lattice id. */
  readonly scalers: ReadonlyMap<string, PlannedUnit>;
  readonly byTarget: ReadonlyMap<string, readonly PlannedUnit[]>;
  readonly links: ReadonlySet<string>;
  readonly configs: ReadonlySet<string>;
}

const isRun = (unit: Unit): unit is RunUnit => 'scaler' in unit;

/** The plan for all applications of a lattice. */
export function planAll(applications: readonly KnownApplication[], state: LatticeState): PlannedApplication[] {
  const deployed = applications.flatMap((one) => (one.deployed ? [one.deployed] : []));
  const directory = new Map(deployed.map((application) => [application.name, application]));
  const planned = applications.map((known) => {
    const units = known.deployed ? createUnits(known.deployed, directory) : [];
    return { known, units: units.map((unit) => planOne(withOwnership(unit, known.owned), state)) };
  });
  const wanted = collectWanted(planned.flatMap((one) => one.units));
  return planned.map(({ known, units }) => {
    const left = known.leaveRunning
      ? { removals: [], owned: known.owned }
      : planRemovals({ known, units }, wanted, state);
    return { name: known.name, units, ...left };
  });
}

const withOwnership = (unit: Unit, owned: Owned): Unit =>
  unit.kind === 'link' && owned.links.some((key) => linkKeyText(key) === linkKeyText(unit.link))
    ? { ...unit, owned: true }
    : unit;

function planOne(unit: Unit, state: LatticeState): PlannedUnit {
  const missing = unit.needs.filter((name) => !state.configs.has(name));
  if (missing.length === 0) return { unit, ...planUnit(unit, state) };
  return { unit, commands: [], status: { type: 'waiting', message: `waits for config ${missing.join(', ')}` } };
}

function collectWanted(planned: readonly PlannedUnit[]): Wanted {
  const runs = planned.filter((one) => isRun(one.unit));
  return {
    scalers: new Map(runs.map((one) => [one.unit.id, one])),
    byTarget: Map.groupBy(runs, (one) => (one.unit as RunUnit).target),
    links: new Set(planned.flatMap(({ unit }) => (unit.kind === 'link' ? [linkKeyText(unit.link)] : []))),
    configs: new Set(planned.flatMap(({ unit }) => [...(unit.kind === 'config' ? [unit.name] : []), ...unit.needs])),
  };
}

type Marked = { readonly id: string; readonly annotations?: Readonly<Record<string, string>> | undefined };

/**
 * Whether something that carries this application's mark is left over: no unit wants it any more. What another scaler of the
 * same actor is about to take over stays until that one stands; ids that others share stay while they do.
 */
function isLeftOver(one: Marked, application: string, wanted: Wanted): boolean {
  const marks = one.annotations ?? {};
  if (marks[annotationKeys.managedBy] !== 'wadm' || marks[annotationKeys.application] !== application) return false;
  if (wanted.scalers.has(marks[annotationKeys.scaler] ?? '')) return false;
  const heirs = wanted.byTarget.get(one.id) ?? [];
  if (heirs.length === 0) return true;
  return heirs.every((heir) => heir.status.type === 'deployed');
}

function planRemovals(
  { known, units }: { known: KnownApplication; units: readonly PlannedUnit[] },
  wanted: Wanted,
  state: LatticeState,
): Pick<PlannedApplication, 'removals' | 'owned'> {
  const links = known.owned.links.filter(
    (key) => state.links.has(linkKeyText(key)) || wanted.links.has(linkKeyText(key)),
  );
  const configs = known.owned.configs.filter((name) => state.configs.has(name) || wanted.configs.has(name));
  const orphanLinks = links.filter((key) => !wanted.links.has(linkKeyText(key)));
  const stops = planStops(known.name, wanted, state);
  const first: Command[] = [...orphanLinks.map((key): Command => ({ type: 'delete-link', key })), ...stops];
  // config goes last: what still runs, or is kept until its successor stands, may still read it
  const settled = first.length === 0 && units.every((one) => one.status.type === 'deployed');
  const orphanConfigs = !settled ? [] : configs.filter((name) => !wanted.configs.has(name));
  const last = orphanConfigs.map((name): Command => ({ type: 'delete-config', name }));
  return { removals: [...first, ...last], owned: { links, configs } };
}

function planStops(application: string, wanted: Wanted, state: LatticeState): Command[] {
  return sortedHosts(state).flatMap(({ id: host, host: { inventory } }): Command[] => {
    const left = (one: Marked): boolean => isLeftOver(one, application, wanted);
    const actors = inventory.components.filter(left).map((actor): Command => {
      const annotations = actor.annotations ?? {};
      return { type: 'scale', host, id: actor.id, ref: actor.image_ref, count: 0, annotations, config: [] };
    });
    // a provider of an id that is wanted is replaced by its scaler, not stopped here
    const providers = inventory.providers.filter((one) => left(one) && !wanted.byTarget.has(one.id));
    return [...actors, ...providers.map((one): Command => ({ type: 'stop-provider', host, id: one.id }))];
  });
}

/** What an application will own once these units are carried out, beside what it owns already. */
export function addOwned(owned: Owned, units: readonly Unit[]): Owned {
  const links = new Map(owned.links.map((key) => [linkKeyText(key), key]));
  const configs = new Set(owned.configs);
  for (const unit of units) {
    if (unit.kind === 'config' && unit.values !== undefined) configs.add(unit.name);
    if (unit.kind !== 'link') continue;
    const { source_id, name, wit_namespace, wit_package } = unit.link;
    links.set(linkKeyText(unit.link), { source_id, name, wit_namespace, wit_package });
  }
  return { links: [...links.values()], configs: [...configs] };
}
