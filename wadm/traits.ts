// The traits of a component: scalers and links. A table by type; types nobody here knows are told and skipped, as
// manifests with traits of other tools exist.
import type { AppLink, ScalerSettings, SecretUse, Spread } from './application.ts';
import type { Node, Position } from './document.ts';
import {
  type Fields,
  field,
  fieldPosition,
  type Report,
  readCount,
  readFields,
  readList,
  readText,
  readTextMap,
  requireText,
} from './fields.ts';
import { isNamedLink, type Linkdef, readLinkdef } from './oam-0.ts';
import { readLink } from './oam-1.ts';

interface Owner {
  readonly application: string;
  readonly component: string;
}

interface Traits {
  scaler?: ScalerSettings;
  readonly links: AppLink[];
  readonly linkdefs: Linkdef[];
  readonly secrets: SecretUse[];
}

/** What a component without a scaler trait gets: one instance somewhere (docs/decisions.md). */
export const defaultScaler = (position: Position): ScalerSettings => ({
  kind: 'spread',
  instances: 1,
  spread: [],
  position,
  written: false,
});

type TraitReader = (report: Report, node: Node, into: { traits: Traits; owner: Owner }) => void;

const readNamedLink: TraitReader = (report, node, { traits, owner }) => {
  const read = readLink(report, node, owner);
  if (!read) return;
  traits.links.push(read.link);
  traits.secrets.push(...read.secrets);
};

const readers: Readonly<Record<string, TraitReader>> = {
  spreadscaler: (report, node, into) => readScaler(report, node, { ...into, kind: 'spread' }),
  daemonscaler: (report, node, into) => readScaler(report, node, { ...into, kind: 'daemon' }),
  link: readNamedLink,
  linkdef: (report, node, into) => {
    if (isNamedLink(node)) return readNamedLink(report, node, into);
    const linkdef = readLinkdef(report, node, into.owner.component);
    if (linkdef) into.traits.linkdefs.push(linkdef);
  },
};

/** Reads the `traits` of a component. */
export function readTraits(report: Report, component: Fields, owner: Owner): Traits {
  const traits: Traits = { links: [], linkdefs: [], secrets: [] };
  for (const node of readList(report, component, 'traits')) {
    const fields = readFields(report, node, { what: 'a trait', allowed: ['type', 'properties'] });
    const type = fields && requireText(report, fields, 'type');
    if (!fields || !type) continue;
    const reader = Object.hasOwn(readers, type) ? readers[type] : undefined;
    const properties = field(fields, 'properties');
    if (!reader) report.warning(fieldPosition(fields, 'type'), `trait "${type}" is not known here and is ignored`);
    else if (!properties) report.error(fields.at, `trait "${type}" needs "properties"`);
    else reader(report, properties, { traits, owner });
  }
  return traits;
}

function readScaler(
  report: Report,
  node: Node,
  into: { traits: Traits; owner: Owner; kind: ScalerSettings['kind'] },
): void {
  const what = `the ${into.kind}scaler of component "${into.owner.component}"`;
  const fields = readFields(report, node, { what, allowed: ['instances', 'replicas', 'spread'] });
  if (!fields) return;
  const key = field(fields, 'instances') ? 'instances' : 'replicas';
  const instances = readCount(report, fields, key);
  if (!field(fields, key)) report.error(fields.at, `${what} needs "instances"`);
  const spread = readList(report, fields, 'spread').flatMap((item) => readSpread(report, item));
  const names = new Set<string>();
  for (const { spread: one, at } of spread) {
    if (names.has(one.name)) report.error(at, `${what} has two spreads named "${one.name}"`);
    names.add(one.name);
  }
  if (into.traits.scaler) report.error(fields.at, `component "${into.owner.component}" has two scalers`);
  into.traits.scaler = {
    kind: into.kind,
    instances: instances ?? 0,
    spread: spread.map((one) => one.spread),
    position: fields.at,
    written: true,
  };
}

function readSpread(report: Report, node: Node): { spread: Spread; at: Position }[] {
  const fields = readFields(report, node, { what: 'a spread', allowed: ['name', 'requirements', 'weight'] });
  const name = fields && requireText(report, fields, 'name');
  if (!fields || !name) return [];
  if ((readText(report, fields, 'name')?.length ?? 0) > 128)
    report.error(fields.at, 'a spread name is at most 128 characters');
  const requirements = readTextMap(report, field(fields, 'requirements'), `the requirements of spread "${name}"`);
  return [{ spread: { name, requirements, weight: readCount(report, fields, 'weight') ?? 100 }, at: fields.at }];
}
