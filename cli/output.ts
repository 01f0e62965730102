// What a command prints: its result on stdout, as text or as one JSON value, and notes for a person on stderr. Text that
// came from the lattice loses its control characters, so that no name can move the cursor or forge a line.
import { styleText } from 'node:util';
import type { WattleError } from '../lattice/errors.ts';
import { colourRefused } from '../lattice/settings.ts';

/** The two streams of a process, as far as printing needs them. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

export interface Output {
  readonly json: boolean;
  print<T>(data: T, text: (data: T) => string): void;
  note(line: string): void;
  printError(error: WattleError): void;
}

// C0, DEL, C1, and the marks that reorder or hide text (bidirectional controls, zero width).
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** A text as it may stand in one line of a terminal: control characters become one blank. */
export const cleanText = (text: string): string => text.replace(unprintable, ' ').trim();

type Style = 'green' | 'red' | 'yellow' | 'bold' | 'dim';
const stateStyles: Readonly<Record<string, Style>> = {
  deployed: 'green',
  running: 'green',
  failed: 'red',
  'crash-loop': 'red',
  unhealthy: 'red',
  reconciling: 'yellow',
  waiting: 'yellow',
  starting: 'yellow',
  undeployed: 'dim',
};

const colourful = (stream: Stream): boolean => stream.isTTY === true && !colourRefused();
const paint = (style: Style, text: string): string => styleText(style, text, { validateStream: false });

/** Rows below a header line, columns two blanks apart; a cell that is missing or empty shows as `-`. */
export function formatTable(header: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string {
  const clean = rows.map((row) => header.map((_, column) => cleanText(row[column] ?? '') || '-'));
  const widths = header.map((name, column) => Math.max(name.length, ...clean.map((row) => [...row[column]!].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length))
      .join('  ')
      .trimEnd();
  return [line(header), ...clean.map(line)].join('\n');
}

/** Colours the header of a table and the words that name a state. Plain text stays plain where colour is refused. */
function colourTable(text: string): string {
  const words = new RegExp(`(?<= {2}|^)(${Object.keys(stateStyles).join('|')})(?= {2}|$|:)`, 'gm');
  return text
    .replace(/^[A-Z][A-Z ]+$/gm, (header) => paint('bold', header))
    .replace(words, (word) => paint(stateStyles[word]!, word));
}

/** Key and value lines, aligned: what `get`-like commands print of one thing. */
export function formatFacts(facts: readonly (readonly [string, string | undefined])[]): string {
  const width = Math.max(...facts.map(([key]) => key.length));
  return facts.map(([key, value]) => `${key.padEnd(width)}  ${cleanText(value ?? '') || '-'}`).join('\n');
}

/** `key=value` pairs in one cell, sorted by key. */
export const formatPairs = (pairs: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(pairs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

/** Seconds as a person says them: `42s`, `5m 3s`, `2h 7m`, `3d 4h`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3600)}h`;
}

const asLine = (text: string): string => (text.endsWith('\n') || text === '' ? text : `${text}\n`);

/** Output of one run. With `json` there is exactly one JSON value on stdout, be it a result or an error. */
export function createOutput(json: boolean, stdout: Stream, stderr: Stream): Output {
  return {
    json,
    print: (data, text) => {
      if (json) stdout.write(`${JSON.stringify(data ?? null, null, 2)}\n`);
      else stdout.write(asLine(colourful(stdout) ? colourTable(text(data)) : text(data)));
    },
    note: (line) => {
      if (!json) stderr.write(asLine(colourful(stderr) ? colourTable(line) : line));
    },
    printError: ({ code, message, hint }) => {
      if (json) {
        stdout.write(`${JSON.stringify({ error: { code, message, hint } }, null, 2)}\n`);
        return;
      }
      const head = colourful(stderr) ? paint('red', code) : code;
      stderr.write(`${head}: ${cleanText(message)}\n${hint ? `  → ${cleanText(hint)}\n` : ''}`);
    },
  };
}
