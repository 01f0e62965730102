// How an application stands, as the API tells it: the status of every unit with reason, since when, what happens next and
// the manifest line; the worst of them is that of the application (protocol.md 5.1).
import type { AppStatus, ScalerStatus, StatusInfo, StatusType } from '../lattice/wadm-client.ts';
import type { Attempts } from './attempts.ts';
import { commandText } from './commands.ts';
import type { PlannedApplication, PlannedUnit } from './plan.ts';
import { wireKind } from './scalers/index.ts';
import type { Unit } from './scalers/scaler.ts';

/** Worst first. */
const precedence: readonly StatusType[] = ['failed', 'undeployed', 'waiting', 'reconciling', 'unhealthy', 'deployed'];

export const worst = (types: readonly StatusType[]): StatusType =>
  precedence.find((type) => types.includes(type)) ?? 'undeployed';

/** Remembers since when each unit stands as it does. */
export type Since = Map<string, { print: string; since: string }>;

export interface StatusFacts {
  readonly attempts: Attempts;
  readonly since: Since;
  readonly nowMs: number;
  /** False while no host is there to send anything to. */
  readonly hosts: boolean;
}

const timeText = (ms: number): string => new Date(ms).toISOString();

/** A unit's own status, overlaid by what became of its commands. */
function overlay(planned: PlannedUnit, facts: StatusFacts): Omit<ScalerStatus, 'id' | 'kind' | 'name' | 'since'> {
  const { unit, status, commands } = planned;
  const { line, column } = status.position ?? unit.position;
  for (const command of commands) {
    const failure = facts.attempts.failureOf(command);
    if (!failure) continue;
    const message = `${commandText(command)}: ${failure.message}`;
    const next = `tried again at ${timeText(failure.nextMs)}`;
    return { status: { type: 'failed', message }, line, column, code: failure.code, next };
  }
  if (!facts.hosts && commands.length > 0) {
    const message = `${status.message}: no host answers`;
    return { status: { type: 'waiting', message }, line, column, code: 'E_NO_HOST', next: 'done when a host answers' };
  }
  const sent = commands.flatMap((command) => facts.attempts.nextOf(command) ?? []);
  const info = { type: status.type, message: status.message };
  const next = sent.length > 0 ? `sent again at ${timeText(Math.min(...sent))} if it does not show` : undefined;
  return { status: info, line, column, ...(status.code ? { code: status.code } : {}), ...(next ? { next } : {}) };
}

function unitStatus(planned: PlannedUnit, facts: StatusFacts): ScalerStatus {
  const { unit } = planned;
  const told = overlay(planned, facts);
  const print = `${told.status.type} ${told.status.message}`;
  const known = facts.since.get(unit.id);
  const since = known?.print === print ? known.since : timeText(facts.nowMs);
  facts.since.set(unit.id, { print, since });
  return { id: unit.id, kind: wireKind(unit), name: unit.name, ...told, since };
}

/** The first of the units that stand worst gives the reason of the whole. */
function aggregate(scalers: readonly ScalerStatus[]): StatusInfo {
  const type = worst(scalers.map((scaler) => scaler.status.type));
  if (type === 'deployed') return { type, message: '' };
  const reasons = scalers.filter((scaler) => scaler.status.type === type);
  const first = reasons[0];
  if (!first) return { type, message: 'nothing is deployed' };
  const more = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : '';
  const code = first.code ? `${first.code}: ` : '';
  return { type, message: `${first.name}: ${code}${first.status.message} [line ${first.line}]${more}` };
}

interface WireComponent {
  readonly name: string;
  readonly type: 'component' | 'capability';
  readonly status: StatusInfo;
  readonly traits: readonly { readonly type: string; readonly status: StatusInfo }[];
}

const traitOf = (unit: Unit): string =>
  unit.kind === 'link' ? 'link' : unit.kind.endsWith('daemon') ? 'daemonscaler' : 'spreadscaler';

/** By component and trait, as readers of the actor era look at it. */
function components(units: readonly Unit[], scalers: readonly ScalerStatus[]): WireComponent[] {
  const rows = units.map((unit, index) => ({ unit, info: scalers[index]!.status }));
  return [...Map.groupBy(rows, ({ unit }) => unit.component)].map(([name, parts]) => {
    const type = worst(parts.map(({ info }) => info.type));
    const reason = parts.find(({ info }) => info.type === type)?.info.message ?? '';
    const provider = parts.some(({ unit }) => unit.kind.startsWith('provider'));
    return {
      name,
      type: provider ? 'capability' : 'component',
      status: { type, message: reason },
      traits: parts
        .filter(({ unit }) => unit.kind !== 'config' && unit.kind !== 'broken')
        .map(({ unit, info }) => ({ type: traitOf(unit), status: info })),
    };
  });
}

/** Status of a deployed application. */
export function createStatus(planned: PlannedApplication, version: string, facts: StatusFacts): AppStatus {
  const scalers = planned.units.map((one) => unitStatus(one, facts));
  const wire = components(
    planned.units.map((one) => one.unit),
    scalers,
  );
  return { status: aggregate(scalers), scalers, version, components: wire };
}

/** Status of an application that is not deployed: what of it is still there. */
export function createUndeployedStatus(planned: PlannedApplication): AppStatus {
  const left = planned.removals.map(commandText);
  const message =
    left.length > 0 ? `undeployed; ${left.slice(0, 3).join('; ')}` : 'not deployed; deploy it with `wattle app deploy`';
  return { status: { type: 'undeployed', message }, scalers: [], version: '', components: [] };
}
