// Manifest text → a plain tree where every node knows its line and column. YAML and JSON alike (JSON is read as YAML).
// Hostile text is refused before it costs anything: size, nesting and, because aliases multiply, the number of nodes.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Node as YamlNode } from 'yaml';
import { WattleError } from '../lattice/errors.ts';
import type { Finding } from '../lattice/wadm-client.ts';

export interface Position {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}
export interface Entry {
  readonly key: Position;
  readonly value: Node;
}
export interface MapNode extends Position {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
}
export interface ListNode extends Position {
  readonly kind: 'list';
  readonly items: readonly Node[];
}
export interface ScalarNode extends Position {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As it was written: `1.0` stays `1.0`. */
  readonly text: string;
}
export type Node = MapNode | ListNode | ScalarNode;

export const maxManifestBytes = 1024 * 1024;
const maxDepth = 64;
const maxNodes = 50_000;
/** Line ends, colons, commas and opening brackets: what the parser's work grows with. */
const maxMarks = 40_000;
const start: Position = { line: 1, column: 1 };

/** Thrown inside this file only; `parseText` makes a finding of it. The cause is the place. */
const refusal = (at: Position, message: string): WattleError => new WattleError('E_MANIFEST', message, { cause: at });

/** A cheap look before the real parser, which is slow and recurses: how much there is, open brackets, and dashes or question marks that nest on one line. */
function checkNesting(text: string): void {
  if ((text.match(/[\n:,[{]/g)?.length ?? 0) > maxMarks)
    throw refusal(start, `more than ${maxMarks} lines, keys and list items`);
  let open = 0;
  let line = 1;
  for (const raw of text.split('\n')) {
    if ((/^[\s?:-]*/.exec(raw)?.[0].match(/[?:-](?=\s)/g)?.length ?? 0) > maxDepth)
      throw refusal({ line, column: 1 }, `nested deeper than ${maxDepth} levels`);
    const indent = raw.length - raw.trimStart().length;
    if (indent > 2000) throw refusal({ line, column: 1 }, 'indented by more than 2000 blanks');
    for (const char of raw) {
      if (char === '[' || char === '{') open++;
      else if (char === ']' || char === '}') open = Math.max(0, open - 1);
    }
    if (open > maxDepth * 2) throw refusal({ line, column: 1 }, `nested deeper than ${maxDepth} levels`);
    line++;
  }
}

interface Walk {
  readonly lines: LineCounter;
  readonly anchors: Map<string, YamlNode>;
  nodes: number;
}

function positionOf(walk: Walk, node: { range?: readonly number[] | null | undefined } | null): Position {
  const offset = node?.range?.[0];
  if (offset === undefined) return start;
  const { line, col } = walk.lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function readNode(walk: Walk, node: unknown, depth: number): Node {
  const at = positionOf(walk, node as YamlNode);
  if (depth > maxDepth) throw refusal(at, `nested deeper than ${maxDepth} levels`);
  if (++walk.nodes > maxNodes) throw refusal(at, `more than ${maxNodes} values, aliases counted`);
  if (isAlias(node)) {
    const target = walk.anchors.get(node.source);
    if (!target) throw refusal(at, `the alias *${node.source} has no anchor before it`);
    return readNode(walk, target, depth + 1);
  }
  if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor) walk.anchors.set(node.anchor, node as YamlNode);
  if (isMap(node)) return readMap(walk, node.items, { at, depth });
  if (isSeq(node)) return { kind: 'list', ...at, items: node.items.map((item) => readNode(walk, item, depth + 1)) };
  if (!isScalar(node)) return { kind: 'scalar', ...at, value: null, text: '' };
  const plain = node.value;
  const known = typeof plain === 'string' || typeof plain === 'number' || typeof plain === 'boolean';
  const value = known ? plain : plain === null || plain === undefined ? null : String(plain);
  return { kind: 'scalar', ...at, value, text: node.source ?? String(plain ?? '') };
}

function readMap(
  walk: Walk,
  pairs: readonly { key: unknown; value: unknown }[],
  { at, depth }: { at: Position; depth: number },
): MapNode {
  const entries = new Map<string, Entry>();
  for (const pair of pairs) {
    const key = positionOf(walk, pair.key as YamlNode);
    if (!isScalar(pair.key)) throw refusal(key, 'a key must be a plain word');
    const name = pair.key.source ?? String(pair.key.value ?? '');
    if (entries.has(name)) throw refusal(key, `the key "${name}" is given twice`);
    const value = readNode(walk, pair.value, depth + 1);
    // an empty value has no place of its own
    entries.set(name, { key, value: pair.value ? value : { ...value, ...key } });
  }
  return { kind: 'map', ...at, entries };
}

/** The tree of a manifest, or the findings that say why there is none. Never throws. */
export function parseText(text: string): { root?: Node; findings: Finding[] } {
  const refuse = (at: Position, message: string): { findings: Finding[] } => ({
    findings: [{ level: 'error', message, line: at.line, column: at.column }],
  });
  if (Buffer.byteLength(text) > maxManifestBytes) return refuse(start, 'the manifest is larger than 1 MiB');
  const lines = new LineCounter();
  try {
    checkNesting(text);
    // duplicate keys are found in readMap: the parser's own check takes quadratic time
    const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
    const [document, second] = [...documents];
    if (!document || document.contents === null) return refuse(start, 'the manifest is empty');
    const walk: Walk = { lines, anchors: new Map(), nodes: 0 };
    if (document.errors.length > 0)
      return { findings: document.errors.slice(0, 5).map((error) => yamlFinding(lines, error)) };
    if (second) return refuse(positionOf(walk, second), 'one manifest a file: a second document starts here');
    return { root: readNode(walk, document.contents, 0), findings: [] };
  } catch (thrown) {
    if (thrown instanceof WattleError) return refuse(thrown.cause as Position, thrown.message);
    if (thrown instanceof RangeError) return refuse(start, 'the manifest is nested too deeply');
    return refuse(start, `the manifest cannot be read: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
}

function yamlFinding(lines: LineCounter, error: { message: string; pos: [number, number] }): Finding {
  const { line, col } = lines.linePos(error.pos[0]);
  return { level: 'error', message: error.message, line: Math.max(1, line), column: Math.max(1, col) };
}

/** A node as plain data, for the manifest that goes over the wire. Keys such as `__proto__` become own properties. */
export function toData(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toData);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toData(entry.value)]));
}
