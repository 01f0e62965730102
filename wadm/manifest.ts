// START HERE for manifests. Text → Application: the frame both eras share (metadata, policies, components, traits); what
// differs between them stands in oam-0.ts and oam-1.ts. Everything that is wrong is told at once, with its line.
import { idPattern } from '../lattice/types.ts';
import type { Finding } from '../lattice/wadm-client.ts';
import {
  type AppLink,
  type Application,
  appNamePattern,
  type Component,
  derivedName,
  type Policy,
} from './application.ts';
import { type Node, type Position, parseText, toData } from './document.ts';
import {
  createReport,
  type Fields,
  field,
  fieldPosition,
  type Report,
  readFields,
  readList,
  readText,
  readTextMap,
  requireText,
} from './fields.ts';
import { createContractLinks, type Linkdef, readContractConfig } from './oam-0.ts';
import { readConfigUses, readReference, readSecrets } from './oam-1.ts';
import { defaultScaler, readTraits } from './traits.ts';
import { validate } from './validate.ts';

export interface ParsedManifest {
  /** Absent when there are errors. */
  readonly application?: Application;
  /** The manifest as plain data, as it goes over the wire. Absent when the text is no document at all. */
  readonly manifest?: unknown;
  /** Errors and warnings, in the order of the file. */
  readonly findings: readonly Finding[];
}

const kinds: Readonly<Record<string, Component['kind']>> = {
  actor: 'actor',
  component: 'actor',
  capability: 'provider',
};

interface Metadata {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Parses and validates a manifest, YAML or JSON. Never throws: what is wrong stands in `findings`. */
export function parseManifest(text: string, fileName?: string): ParsedManifest {
  const { root, findings } = parseText(text);
  const report = createReport();
  const application = root ? readApplication(report, root) : undefined;
  if (application) validate(report, application);
  const all = [...findings, ...report.findings]
    .sort((left, right) => left.line - right.line || left.column - right.column)
    .map((finding) => (fileName === undefined ? finding : { ...finding, file: fileName }));
  const sound = application && !all.some((finding) => finding.level === 'error');
  return { ...(sound ? { application } : {}), ...(root ? { manifest: toData(root) } : {}), findings: all };
}

/** `file:line:column: message`, as editors understand it. */
export const formatFinding = (finding: Finding): string =>
  `${finding.file ? `${finding.file}:` : 'line '}${finding.line}:${finding.column}: ${finding.message}`;

function readApplication(report: Report, root: Node): Application | undefined {
  const fields = readFields(report, root, {
    what: 'the manifest',
    allowed: ['apiVersion', 'kind', 'metadata', 'spec'],
  });
  if (!fields) return undefined;
  requireWord(report, fields, 'apiVersion', 'core.oam.dev/v1beta1');
  requireWord(report, fields, 'kind', 'Application');
  const metadata = readMetadata(report, fields);
  const spec = requireMap(report, fields, 'spec', ['components', 'policies']);
  if (!spec) return undefined;
  const policies = readList(report, spec, 'policies').flatMap((node) => readPolicy(report, node));
  const parts = readList(report, spec, 'components').flatMap((node) => readComponent(report, node, metadata.name));
  if (parts.length === 0) report.error(fieldPosition(spec, 'components'), 'the manifest has no components');
  const components = parts.map((part) => part.component);
  const linkdefs = parts.flatMap((part) => part.linkdefs);
  return {
    name: metadata.name,
    version: metadata.annotations.version || undefined,
    description: metadata.annotations.description,
    shared: metadata.annotations['experimental.wasmcloud.dev/shared'] === 'true',
    components,
    links: [
      ...parts.flatMap((part) => part.links),
      ...createContractLinks(report, { application: metadata.name, linkdefs, components }),
    ],
    policies,
    secrets: parts.flatMap((part) => part.secrets),
  };
}

function requireWord(report: Report, fields: Fields, key: string, word: string): void {
  const text = requireText(report, fields, key);
  if (text !== undefined && text !== word)
    report.error(fieldPosition(fields, key), `"${key}" must be ${word}, not "${text}"`);
}

function requireMap(report: Report, fields: Fields, key: string, allowed: readonly string[]): Fields | undefined {
  const node = field(fields, key);
  if (node) return readFields(report, node, { what: `"${key}"`, allowed });
  report.error(fields.at, `${fields.what} needs "${key}"`);
  return undefined;
}

function readMetadata(report: Report, fields: Fields): Metadata {
  const node = field(fields, 'metadata');
  const known = ['name', 'annotations', 'labels'];
  const metadata = node && readFields(report, node, { what: '"metadata"', allowed: known, unknown: 'warning' });
  if (!metadata) {
    if (!node) report.error(fields.at, 'the manifest needs "metadata" with a "name"');
    return { name: '', annotations: {} };
  }
  const name = requireText(report, metadata, 'name') ?? '';
  if (name !== '' && !appNamePattern.test(name))
    report.error(fieldPosition(metadata, 'name'), `"${name}" is no name: 1–64 letters, digits, - or _`);
  checkOamKeys(report, field(metadata, 'labels'));
  checkOamKeys(report, field(metadata, 'annotations'));
  readTextMap(report, field(metadata, 'labels'), '"labels"');
  const annotations = readTextMap(report, field(metadata, 'annotations'), '"annotations"');
  checkVersion(report, annotations.version, field(metadata, 'annotations'));
  return { name, annotations };
}

function checkVersion(report: Report, version: string | undefined, annotations: Node | undefined): void {
  if (version === undefined || annotations?.kind !== 'map') return;
  const at = annotations.entries.get('version')?.value ?? annotations;
  if (version === 'latest') report.error(at, 'A manifest version cannot be called "latest"');
  else if (version.length > 128 || /\p{Cc}/u.test(version))
    report.error(at, 'a manifest version is at most 128 characters');
}

/** Keys as OAM wants them: an optional DNS name and `/`, then 1–63 letters, digits, `-`, `_`, `.`, ends alphanumeric. */
export function isOamKey(key: string): boolean {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  if (!/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key.slice(slash + 1))) return false;
  if (prefix === undefined) return true;
  const parts = prefix.split('.');
  return prefix.length <= 253 && parts.every((part) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(part));
}

function checkOamKeys(report: Report, node: Node | undefined): void {
  if (node?.kind !== 'map') return;
  for (const [key, entry] of node.entries)
    if (!isOamKey(key))
      report.error(entry.key, `"${key.slice(0, 80)}" is no key for labels and annotations (prefix/name, at most 63)`);
}

function readPolicy(report: Report, node: Node): Policy[] {
  const fields = readFields(report, node, { what: 'a policy', allowed: ['name', 'type', 'properties'] });
  if (!fields) return [];
  const name = requireText(report, fields, 'name');
  const type = requireText(report, fields, 'type');
  readTextMap(report, field(fields, 'properties'), 'the properties of a policy');
  return name && type ? [{ name, type, position: fields.at }] : [];
}

interface Part extends Pick<Application, 'secrets'> {
  readonly component: Component;
  readonly links: readonly AppLink[];
  readonly linkdefs: readonly Linkdef[];
}

const commonProperties = ['image', 'application', 'id', 'config', 'secrets'];
const properties: Readonly<Record<Component['kind'], readonly string[]>> = {
  actor: commonProperties,
  provider: [...commonProperties, 'contract', 'link_name'],
};

function readComponent(report: Report, node: Node, application: string): Part[] {
  const fields = readFields(report, node, { what: 'a component', allowed: ['name', 'type', 'properties', 'traits'] });
  if (!fields) return [];
  const name = requireText(report, fields, 'name');
  const type = requireText(report, fields, 'type');
  const kind = type === undefined ? undefined : kinds[type];
  if (type !== undefined && !kind)
    report.error(
      fieldPosition(fields, 'type'),
      `unknown component type "${type}"; known are component, actor, capability`,
    );
  const settings = field(fields, 'properties');
  if (!settings) report.error(fields.at, `component "${name ?? ''}" needs "properties"`);
  const traits = readTraits(report, fields, { application, component: name ?? '' });
  const what = `the properties of component "${name ?? ''}"`;
  const read = settings && readFields(report, settings, { what, allowed: properties[kind ?? 'provider'] });
  if (!read || !name || !kind) return [];
  const secrets = readSecrets(report, read, 'secrets');
  const component = readProperties(report, read, { application, name, kind, position: fields.at });
  const scaler = traits.scaler ?? defaultScaler(component.position);
  if (component.reference)
    checkReference(report, component, { scaled: traits.scaler?.position, secrets: secrets[0]?.position });
  return [{ component: { ...component, scaler }, ...traits, secrets: [...secrets, ...traits.secrets] }];
}

function readProperties(
  report: Report,
  read: Fields,
  facts: { application: string; name: string; kind: Component['kind']; position: Position },
): Omit<Component, 'scaler'> {
  const { application, ...rest } = facts;
  const image = readText(report, read, 'image') ?? '';
  const reference = readReference(report, read);
  if (image !== '' && reference)
    report.error(reference.position, `component "${facts.name}": "image" and "application" exclude each other`);
  if (image === '' && !field(read, 'application'))
    report.error(read.at, `component "${facts.name}" needs either "image" or "application"`);
  if (image.length > 2048) report.error(fieldPosition(read, 'image'), 'an image reference is at most 2048 characters');
  const id = readText(report, read, 'id') || derivedName(application, facts.name);
  if (application !== '' && !idPattern.test(id))
    report.error(fieldPosition(read, 'id'), `"${id.slice(0, 140)}" is no id: 1–128 letters, digits, _ or -`);
  const config = readContractConfig(report, read, facts) ?? readConfigUses(report, read, 'config', application);
  return {
    ...rest,
    id,
    image,
    reference,
    config,
    idPosition: fieldPosition(read, 'id'),
    imagePosition: fieldPosition(read, 'image'),
    contract: readText(report, read, 'contract'),
    linkName: readText(report, read, 'link_name'),
  };
}

function checkReference(
  report: Report,
  component: Omit<Component, 'scaler'>,
  carried: { scaled: Position | undefined; secrets: Position | undefined },
): void {
  const refuse = (at: Position, what: string): void =>
    report.error(at, `component "${component.name}" is a shared one: its own application gives it ${what}`);
  if (component.config[0]) refuse(component.config[0].position, 'config');
  if (carried.secrets) refuse(carried.secrets, 'secrets');
  if (carried.scaled) refuse(carried.scaled, 'a scaler');
}
