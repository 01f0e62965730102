// Small builders for tests of wadm: hosts with what they run, units, and a lattice that carries out commands at once.
import { emptyState, type LatticeState, linkKeyText, sameAnnotations } from '../../lattice/state.ts';
import type { ActorDescription, Link, ProviderDescription } from '../../lattice/types.ts';
import type { ScalerSettings, Spread } from '../../wadm/application.ts';
import type { Command } from '../../wadm/commands.ts';
import type { RunUnit } from '../../wadm/scalers/scaler.ts';

export interface HostSpec {
  readonly labels?: Readonly<Record<string, string>>;
  readonly actors?: readonly ActorDescription[];
  readonly providers?: readonly ProviderDescription[];
}

/** A picture of a lattice with these hosts. */
export function createState(
  hosts: Readonly<Record<string, HostSpec>>,
  shared: { links?: readonly Link[]; configs?: Readonly<Record<string, Record<string, string>>> } = {},
): LatticeState {
  const facts = { version: '1.0.0', uptime_human: '', uptime_seconds: 1 };
  return {
    ...emptyState,
    hosts: new Map(
      Object.entries(hosts).map(([id, { labels = {}, actors = [], providers = [] }]) => [
        id,
        {
          seenMs: 0,
          inventory: {
            host_id: id,
            friendly_name: id,
            labels: { ...labels },
            ...facts,
            components: [...actors],
            providers: [...providers],
          },
        },
      ]),
    ),
    links: new Map((shared.links ?? []).map((link) => [linkKeyText(link), link])),
    configs: new Map(Object.entries(shared.configs ?? {})),
  };
}

const origin = { line: 1, column: 1 };

/** A unit that wants `instances` of actor or provider `app-echo`, image `echo:1`. */
export function createRunUnit(
  kind: RunUnit['kind'],
  scaler: { instances: number; spread?: readonly (Partial<Spread> & { name: string })[] },
  edit: Partial<RunUnit> = {},
): RunUnit {
  const spread = (scaler.spread ?? []).map((one) => ({ requirements: {}, ...one, weight: one.weight ?? 100 }));
  const settings: ScalerSettings = {
    kind: kind.endsWith('daemon') ? 'daemon' : 'spread',
    instances: scaler.instances,
    spread,
    position: { line: 2, column: 1 },
    written: true,
  };
  const facts = { id: 'scaler-1', application: 'app', name: 'echo', component: 'echo', needs: [], position: origin };
  return { kind, ...facts, target: 'app-echo', image: 'echo:1', config: [], scaler: settings, ...edit };
}

/** The lattice after a command took effect, as a host that never fails makes it. */
export function applyCommand(state: LatticeState, command: Command): LatticeState {
  if (command.type === 'put-link')
    return { ...state, links: new Map(state.links).set(linkKeyText(command.link), command.link) };
  if (command.type === 'put-config')
    return { ...state, configs: new Map(state.configs).set(command.name, command.values) };
  if (command.type === 'delete-link') {
    const links = new Map(state.links);
    links.delete(linkKeyText(command.key));
    return { ...state, links };
  }
  if (command.type === 'delete-config') {
    const configs = new Map(state.configs);
    configs.delete(command.name);
    return { ...state, configs };
  }
  const host = state.hosts.get(command.host);
  if (!host) throw new Error(`a command for host ${command.host}, which is not there`);
  const { inventory } = host;
  const providers = inventory.providers.filter((one) => one.id !== command.id);
  let next = inventory;
  if (command.type === 'stop-provider') next = { ...inventory, providers };
  else if (command.type === 'scale') {
    const { id, ref: image_ref, annotations, count } = command;
    const others = inventory.components.filter(
      (one) => one.id !== id || !sameAnnotations(one.annotations, annotations),
    );
    const group = { id, image_ref, annotations, revision: 0, max_instances: count };
    next = { ...inventory, components: count > 0 ? [...others, group] : others };
  } else {
    const { id, ref: image_ref, annotations } = command;
    next = { ...inventory, providers: [...providers, { id, image_ref, annotations, revision: 0 }] };
  }
  return { ...state, hosts: new Map(state.hosts).set(command.host, { ...host, inventory: next }) };
}

/** Plans and carries out until nothing is left to do; fails when that does not come. */
export function settle(
  state: LatticeState,
  plan: (state: LatticeState) => readonly Command[],
  onCommand: (command: Command, state: LatticeState) => void = () => undefined,
): LatticeState {
  let next = state;
  for (let round = 0; round < 12; round++) {
    const commands = plan(next);
    if (commands.length === 0) return next;
    for (const command of commands) {
      onCommand(command, next);
      next = applyCommand(next, command);
    }
  }
  throw new Error('no end of commands');
}
