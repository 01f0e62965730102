// What is particular to manifests of the actor era (0.x): the linkdef trait, and providers with a contract and a config
// that is one text or object. Both become what 1.x knows: links between ids, and named config.
import { type AppLink, type Component, type ConfigUse, derivedName } from './application.ts';
import { type Node, type Position, toData } from './document.ts';
import { type Fields, field, fieldPosition, type Report, readFields, readTextMap, requireText } from './fields.ts';

/** A linkdef as written: the contract is that of the target, known when all components are read. */
export interface Linkdef {
  readonly source: string;
  readonly target: string;
  readonly values: Readonly<Record<string, string>>;
  readonly position: Position;
  readonly targetPosition: Position;
}

/** True for a linkdef trait that is written with the properties of a 1.x link. */
export const isNamedLink = (node: Node): boolean =>
  node.kind === 'map' && (node.entries.has('namespace') || node.entries.has('package'));

/** `linkdef {target, values}`. One without a target grants nothing: upstream ignores it, we say so. */
export function readLinkdef(report: Report, node: Node, source: string): Linkdef | undefined {
  if (node.kind === 'map' && !node.entries.has('target')) {
    report.warning(node, 'a linkdef without "target" is ignored');
    return undefined;
  }
  const fields = readFields(report, node, { what: 'a linkdef', allowed: ['target', 'values'] });
  const target = fields && readTarget(report, fields);
  if (!fields || !target) return undefined;
  return {
    source,
    target,
    values: readTextMap(report, field(fields, 'values'), 'the values of a linkdef'),
    position: fields.at,
    targetPosition: fieldPosition(fields, 'target'),
  };
}

function readTarget(report: Report, fields: Fields): string | undefined {
  const node = field(fields, 'target');
  if (node?.kind !== 'map') return requireText(report, fields, 'target');
  const inner = readFields(report, node, { what: '"target" of a linkdef', allowed: ['name'] });
  return inner && requireText(report, inner, 'name');
}

/**
 * Linkdefs as links: source is the actor, target the provider, contract `a:b` becomes namespace a and package b, the link
 * name is the provider's, and values become a config that the application makes. Unknown targets are left to validation.
 */
export function createContractLinks(
  report: Report,
  parts: { application: string; linkdefs: readonly Linkdef[]; components: readonly Component[] },
): AppLink[] {
  const taken = new Set<string>();
  return parts.linkdefs.flatMap((linkdef) => {
    const provider = parts.components.find((component) => component.name === linkdef.target);
    const contract = provider ? provider.contract : 'unknown:unknown';
    const split = contract?.indexOf(':') ?? -1;
    if (contract === undefined || split < 1 || split === contract.length - 1) {
      const problem =
        contract === undefined ? 'has no "contract"' : `has contract "${contract}", not namespace:package`;
      report.error(
        linkdef.targetPosition,
        `a linkdef needs the contract of its target: component "${linkdef.target}" ${problem}`,
      );
      return [];
    }
    const name = provider?.linkName || 'default';
    const values = Object.keys(linkdef.values).length > 0 ? linkdef.values : undefined;
    const config =
      values && freeName(taken, derivedName(parts.application, `${linkdef.source}_${linkdef.target}_${name}`));
    const link = {
      source: linkdef.source,
      target: linkdef.target,
      name,
      namespace: contract.slice(0, split),
      package: contract.slice(split + 1),
      interfaces: [],
      sourceConfig: [],
      targetConfig: config ? [{ name: config, values, position: linkdef.position }] : [],
      position: linkdef.position,
      targetPosition: linkdef.targetPosition,
    };
    return [link];
  });
}

/** Different names may sanitize to the same text. */
function freeName(taken: Set<string>, wanted: string): string {
  let name = wanted;
  for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`;
  taken.add(name);
  return name;
}

/**
 * The config of a 0.x provider (an object or a text) as one generated config: a map of plain values stays such a map,
 * anything else travels as `config_json`. Undefined when it is the list of the 1.x era, or absent.
 */
export function readContractConfig(
  report: Report,
  fields: Fields,
  owner: { application: string; name: string },
): ConfigUse[] | undefined {
  const node = field(fields, 'config');
  if (!node || node.kind === 'list') return undefined;
  const position = { line: node.line, column: node.column };
  const name = derivedName(owner.application, `${owner.name}_config`);
  if (node.kind === 'scalar') return [{ name, values: { config_json: node.text }, position }];
  const flat = [...node.entries.values()].every(({ value }) => value.kind === 'scalar' && value.value !== null);
  const values = flat
    ? readTextMap(report, node, 'the config of a provider')
    : { config_json: JSON.stringify(toData(node)) };
  return [{ name, values, position }];
}
