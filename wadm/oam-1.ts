// What is particular to manifests of the 1.x era: named config, secrets, components shared between applications, and the
// link trait with its older spelling (`target: name`, `source_config`, `target_config`).
import { ConfigName, idPattern } from '../lattice/types.ts';
import { type AppLink, type ConfigUse, derivedName, type SecretUse, type SharedReference } from './application.ts';
import type { Node, Position } from './document.ts';
import {
  type Fields,
  field,
  fieldPosition,
  type Report,
  readFields,
  readList,
  readText,
  readTextMap,
  readTexts,
  requireText,
} from './fields.ts';

/** `config: [{name, properties?}]`: with properties the application makes `san(app)-san(name)`, without it must exist. */
export function readConfigUses(report: Report, fields: Fields, key: string, application: string): ConfigUse[] {
  return readList(report, fields, key).flatMap((node): ConfigUse[] => {
    const item = readFields(report, node, { what: 'a config', allowed: ['name', 'properties'] });
    const name = item && requireText(report, item, 'name');
    if (!item || !name) return [];
    const position = item.at;
    const inline = field(item, 'properties');
    if (inline) {
      const values = readTextMap(report, inline, `the properties of config "${name}"`);
      return [{ name: derivedName(application, name), values, position }];
    }
    if (!ConfigName.safeParse(name).success)
      report.error(fieldPosition(item, 'name'), `"${name}" is no name of a config: letters, digits, _ . or -`);
    return [{ name, values: undefined, position }];
  });
}

/** `secrets: [{name, properties: {policy, key, field?, version?}}]`. */
export function readSecrets(report: Report, fields: Fields, key: string): SecretUse[] {
  return readList(report, fields, key).flatMap((node) => {
    const item = readFields(report, node, { what: 'a secret', allowed: ['name', 'properties'] });
    const name = item && requireText(report, item, 'name');
    if (!item || !name) return [];
    const inner = field(item, 'properties');
    if (!inner) report.error(item.at, `secret "${name}" needs "properties" with "policy" and "key"`);
    const allowed = ['policy', 'key', 'field', 'version'];
    const settings = inner && readFields(report, inner, { what: `the properties of secret "${name}"`, allowed });
    if (settings) requireText(report, settings, 'key');
    return [{ name, policy: settings && requireText(report, settings, 'policy'), position: item.at }];
  });
}

/** `application: {name, component}` instead of an image. */
export function readReference(report: Report, fields: Fields): SharedReference | undefined {
  const node = field(fields, 'application');
  const item = node && readFields(report, node, { what: '"application"', allowed: ['name', 'component'] });
  if (!item) return undefined;
  const application = requireText(report, item, 'name');
  const component = requireText(report, item, 'component');
  return application && component ? { application, component, position: item.at } : undefined;
}

interface LinkEnd {
  readonly name: string | undefined;
  readonly config: readonly ConfigUse[];
  readonly secrets: readonly SecretUse[];
  readonly position: Position;
}

function readEnd(report: Report, node: Node | undefined, end: 'source' | 'target', application: string): LinkEnd {
  const none = { name: undefined, config: [], secrets: [], position: node ?? { line: 1, column: 1 } };
  if (!node) return none;
  if (node.kind === 'scalar' && end === 'target') return { ...none, name: node.text };
  const allowed = end === 'target' ? ['name', 'config', 'secrets'] : ['config', 'secrets'];
  const fields = readFields(report, node, { what: `"${end}" of a link`, allowed });
  if (!fields) return none;
  return {
    name: end === 'target' ? requireText(report, fields, 'name') : undefined,
    config: readConfigUses(report, fields, 'config', application),
    secrets: readSecrets(report, fields, 'secrets'),
    position: fieldPosition(fields, 'name'),
  };
}

const linkKeys = ['namespace', 'package', 'interfaces', 'source', 'target', 'name', 'source_config', 'target_config'];

/** The properties of a link trait, carried by component `source`. Undefined when they are too broken to go on. */
export function readLink(
  report: Report,
  node: Node,
  owner: { application: string; component: string },
): { link: AppLink; secrets: readonly SecretUse[] } | undefined {
  const fields = readFields(report, node, { what: 'a link', allowed: linkKeys });
  if (!fields) return undefined;
  const namespace = requireText(report, fields, 'namespace');
  const packageName = requireText(report, fields, 'package');
  if (!field(fields, 'target')) report.error(fields.at, 'a link needs "target"');
  const source = readEnd(report, field(fields, 'source'), 'source', owner.application);
  const target = readEnd(report, field(fields, 'target'), 'target', owner.application);
  const name = readText(report, fields, 'name') || 'default';
  if (!idPattern.test(name))
    report.error(fieldPosition(fields, 'name'), `"${name}" is no name of a link: letters, digits, _ or -`);
  for (const part of ['namespace', 'package'])
    if ((readText(report, fields, part)?.length ?? 0) > 64)
      report.error(fieldPosition(fields, part), `"${part}" of a link is at most 64 characters`);
  const older = (end: 'source' | 'target'): ConfigUse[] => readOlderConfig(report, fields, end, owner.application);
  const link = {
    source: owner.component,
    name,
    interfaces: readTexts(report, fields, 'interfaces'),
    sourceConfig: [...source.config, ...older('source')],
    targetConfig: [...target.config, ...older('target')],
    position: fields.at,
    targetPosition: target.position,
  };
  if (!namespace || !packageName || !target.name) return undefined;
  const whole = { ...link, namespace, package: packageName, target: target.name };
  return { link: whole, secrets: [...source.secrets, ...target.secrets] };
}

function readOlderConfig(report: Report, fields: Fields, end: 'source' | 'target', application: string): ConfigUse[] {
  const key = `${end}_config`;
  if (!field(fields, key)) return [];
  report.warning(fieldPosition(fields, key), `"${key}" is deprecated: write it as "config" below "${end}"`);
  return readConfigUses(report, fields, key, application);
}
