// Application → units: one for every config, every component that runs, every link. Ids are resolved here, across
// applications where a component is a shared one; links that differ only in interfaces become one, as the lattice has it.
import type { ErrorCode } from '../lattice/errors.ts';
import { linkKeyText } from '../lattice/state.ts';
import type { Link } from '../lattice/types.ts';
import { type AppLink, type Application, type Component, type ConfigUse, scalerId } from './application.ts';
import type { Position } from './document.ts';
import type { ConfigUnit, LinkUnit, RunUnit, Unit } from './scalers/scaler.ts';

/** The deployed applications by name. */
export type Directory = ReadonlyMap<string, Application>;

export interface Resolved {
  readonly id: string;
  readonly kind: Component['kind'];
}
export interface Unresolved {
  readonly reason: string;
  readonly code: ErrorCode;
  readonly position: Position;
}

/** The lattice id behind a component, looked up in the application that shares it where it is a shared one. */
export function resolveComponent(component: Component, directory: Directory): Resolved | Unresolved {
  const { reference } = component;
  if (!reference) return { id: component.id, kind: component.kind };
  const where = `component "${reference.component}" of application "${reference.application}"`;
  const refuse = (reason: string): Unresolved => ({ reason, code: 'E_NOT_FOUND', position: reference.position });
  const owner = directory.get(reference.application);
  if (!owner) return refuse(`${where} is not there: the application is not deployed`);
  const found = owner.components.find((one) => one.name === reference.component && !one.reference);
  if (!found) return refuse(`${where} is not there: the application has no such component`);
  if (!owner.shared) return refuse(`${where} is not shared: annotate it experimental.wasmcloud.dev/shared: "true"`);
  if (found.kind !== component.kind) return refuse(`${where} is not of the type "${component.name}" says`);
  return { id: found.id, kind: found.kind };
}

const names = (uses: readonly ConfigUse[]): string[] => uses.map((use) => use.name);

function configUnits(application: Application, component: string, uses: readonly ConfigUse[]): ConfigUnit[] {
  return uses.map((use) => ({
    kind: 'config',
    id: scalerId(['config', application.name, use.name]),
    application: application.name,
    name: use.name,
    component,
    needs: [],
    position: use.position,
    values: use.values,
  }));
}

/**
 * The id leaves out image, instances and spreads: a new version of those changes what runs, not whose it is, so that a
 * running group is swapped and not replaced. Other config names are another scaler: a host takes them at start only.
 */
function runUnit(application: Application, component: Component): RunUnit {
  const config = names(component.config);
  return {
    kind: `${component.kind}-${component.scaler.kind}`,
    id: scalerId([component.kind, application.name, component.id, config]),
    application: application.name,
    name: component.name,
    component: component.name,
    needs: config,
    position: component.imagePosition,
    target: component.id,
    image: component.image,
    config,
    scaler: component.scaler,
  };
}

function linkUnit(application: Application, link: AppLink, ends: { source: string; target: string }): LinkUnit {
  const wire: Link = {
    source_id: ends.source,
    target: ends.target,
    name: link.name,
    wit_namespace: link.namespace,
    wit_package: link.package,
    interfaces: [...link.interfaces],
    source_config: names(link.sourceConfig),
    target_config: names(link.targetConfig),
  };
  return {
    kind: 'link',
    id: scalerId(['link', application.name, wire]),
    application: application.name,
    name: `${link.source} -(${link.namespace}:${link.package})-> ${link.target}`,
    component: link.source,
    needs: [...wire.source_config, ...wire.target_config],
    position: link.position,
    link: wire,
    owned: false,
  };
}

/** Links of one key and target differ in interfaces only (validated): the lattice holds them as one. */
function mergeLinks(application: Application, units: readonly LinkUnit[]): LinkUnit[] {
  const merged = new Map<string, LinkUnit>();
  for (const unit of units) {
    const key = linkKeyText(unit.link);
    const first = merged.get(key);
    if (!first) {
      merged.set(key, unit);
      continue;
    }
    const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];
    const link = {
      ...first.link,
      interfaces: union(first.link.interfaces, unit.link.interfaces),
      source_config: union(first.link.source_config, unit.link.source_config),
      target_config: union(first.link.target_config, unit.link.target_config),
    };
    const id = scalerId(['link', application.name, link]);
    merged.set(key, { ...first, id, link, needs: union(first.needs, unit.needs) });
  }
  return [...merged.values()];
}

const unique = <U extends Unit>(units: readonly U[]): U[] => [
  ...new Map(units.map((unit) => [unit.id, unit])).values(),
];

/** Everything a deployed application wants, in the order of the manifest: config, components, links. */
export function createUnits(application: Application, directory: Directory): Unit[] {
  const units: { configs: ConfigUnit[]; runs: Unit[]; links: LinkUnit[] } = { configs: [], runs: [], links: [] };
  const ids = new Map<string, string>();
  for (const component of application.components) {
    const resolved = resolveComponent(component, directory);
    if ('reason' in resolved) {
      const { reason, code, position } = resolved;
      const id = scalerId(['shared', application.name, component.name]);
      const facts = { id, application: application.name, name: component.name, component: component.name, needs: [] };
      units.runs.push({ kind: 'broken', ...facts, position, reason, code });
      continue;
    }
    ids.set(component.name, resolved.id);
    if (component.reference) continue;
    units.configs.push(...configUnits(application, component.name, component.config));
    units.runs.push(runUnit(application, component));
  }
  for (const link of application.links) {
    const [source, target] = [ids.get(link.source), ids.get(link.target)];
    if (source === undefined || target === undefined) continue;
    units.configs.push(...configUnits(application, link.source, [...link.sourceConfig, ...link.targetConfig]));
    units.links.push(linkUnit(application, link, { source, target }));
  }
  return [...unique(units.configs), ...units.runs, ...mergeLinks(application, units.links)];
}
