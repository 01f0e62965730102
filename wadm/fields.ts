// Reading maps of a manifest field by field: what is missing, unknown or of the wrong shape becomes a finding at its
// place, and reading goes on, so that one look at a manifest shows everything that is wrong with it.
import type { Finding } from '../lattice/wadm-client.ts';
import type { ListNode, MapNode, Node, Position } from './document.ts';

/** Collects findings in the order they are met. */
export interface Report {
  error(at: Position, message: string): void;
  warning(at: Position, message: string): void;
  readonly findings: readonly Finding[];
}

export function createReport(): Report {
  const findings: Finding[] = [];
  const add =
    (level: Finding['level']) =>
    (at: Position, message: string): void => {
      findings.push({ level, message, line: at.line, column: at.column });
    };
  return { error: add('error'), warning: add('warning'), findings };
}

/** A map whose keys were checked against `allowed`. */
export interface Fields {
  readonly what: string;
  readonly at: Position;
  readonly node: MapNode;
}

const quote = (names: readonly string[]): string => names.join(', ');

/** `node` as a map of `what`; keys outside `allowed` are errors (`undefined` allows all). */
export function readFields(
  report: Report,
  node: Node,
  shape: { what: string; allowed?: readonly string[]; unknown?: 'error' | 'warning' },
): Fields | undefined {
  if (node.kind !== 'map') {
    report.error(node, `${shape.what} must be a map of keys and values`);
    return undefined;
  }
  for (const [key, entry] of node.entries)
    if (shape.allowed && !shape.allowed.includes(key))
      report[shape.unknown ?? 'error'](
        entry.key,
        `unknown key "${key}" in ${shape.what}; known are ${quote(shape.allowed)}`,
      );
  return { what: shape.what, at: { line: node.line, column: node.column }, node };
}

/** The value of `key`; undefined when absent or null. */
export function field(fields: Fields, key: string): Node | undefined {
  const value = fields.node.entries.get(key)?.value;
  return value === undefined || (value.kind === 'scalar' && value.value === null) ? undefined : value;
}

/** Where `key` stands, or the map when it is absent. */
export const fieldPosition = (fields: Fields, key: string): Position =>
  fields.node.entries.get(key)?.value ?? fields.at;

/** Text of a scalar field; numbers and booleans as they were written. */
export function readText(report: Report, fields: Fields, key: string): string | undefined {
  const node = field(fields, key);
  if (!node) return undefined;
  if (node.kind === 'scalar') return node.text;
  report.error(node, `"${key}" in ${fields.what} must be a text`);
  return undefined;
}

/** Like readText, but its absence (or emptiness) is an error. */
export function requireText(report: Report, fields: Fields, key: string): string | undefined {
  if (!field(fields, key)) {
    report.error(fields.at, `${fields.what} needs "${key}"`);
    return undefined;
  }
  const text = readText(report, fields, key);
  if (text === '') report.error(fieldPosition(fields, key), `"${key}" in ${fields.what} is empty`);
  return text || undefined;
}

/** A whole number from `min` to a million. */
export function readCount(report: Report, fields: Fields, key: string): number | undefined {
  const node = field(fields, key);
  if (!node) return undefined;
  const value = node.kind === 'scalar' ? node.value : undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1_000_000) return value;
  report.error(node, `"${key}" in ${fields.what} must be a whole number from 0 to 1000000`);
  return undefined;
}

/** The items of a list field; none when absent. */
export function readList(report: Report, fields: Fields, key: string): ListNode['items'] {
  const node = field(fields, key);
  if (!node) return [];
  if (node.kind === 'list') return node.items;
  report.error(node, `"${key}" in ${fields.what} must be a list`);
  return [];
}

/** A list of texts. */
export function readTexts(report: Report, fields: Fields, key: string): string[] {
  return readList(report, fields, key).flatMap((item) => {
    if (item.kind === 'scalar' && item.value !== null) return [item.text];
    report.error(item, `"${key}" in ${fields.what} must be a list of texts`);
    return [];
  });
}

/** A map of texts: scalars are taken as they were written, so that `port: 8080` needs no quotes. */
export function readTextMap(report: Report, node: Node | undefined, what: string): Record<string, string> {
  if (!node) return {};
  const fields = readFields(report, node, { what });
  if (!fields) return {};
  const pairs: [string, string][] = [];
  for (const [key, { value }] of fields.node.entries) {
    if (value.kind === 'scalar' && value.value !== null) pairs.push([key, value.text]);
    else report.error(value, `"${key}" in ${what} must be a text, a number or true/false`);
  }
  return Object.fromEntries(pairs);
}
