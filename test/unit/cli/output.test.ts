import { describe, expect, test } from 'vitest';
import { cleanText, createOutput, formatFacts, formatPairs, formatSeconds, formatTable } from '../../../cli/output.ts';
import { WattleError } from '../../../lattice/errors.ts';

class Paper {
  text = '';
  readonly isTTY: boolean;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

describe('text for a terminal', () => {
  test('loses what could move the cursor, ring, hide or reorder', () => {
    expect(cleanText('a\u001b[2Jb\u0007\r\nc\u202ed\u200be\u009b')).toBe('a [2Jb c d e');
  });

  test('keeps letters of every script', () => {
    expect(cleanText('Zähler — 計数')).toBe('Zähler — 計数');
  });
});

describe('a table', () => {
  test('aligns its columns and shows a missing cell as a dash', () => {
    expect(
      formatTable(
        ['ID', 'STATE'],
        [
          ['counter', 'running'],
          ['a', undefined],
        ],
      ),
    ).toBe('ID       STATE\ncounter  running\na        -');
  });

  test('cannot be broken by a name with line ends', () => {
    expect(formatTable(['ID'], [['evil\nrow 2']]).split('\n')).toHaveLength(2);
  });
});

test('facts align their values', () => {
  expect(
    formatFacts([
      ['id', 'x'],
      ['longer', ''],
    ]),
  ).toBe('id      x\nlonger  -');
});

test('pairs are sorted by key', () => {
  expect(formatPairs({ b: '2', a: '1' })).toBe('a=1,b=2');
});

test.each([
  [0, '0s'],
  [59.9, '59s'],
  [61, '1m 1s'],
  [7500, '2h 5m'],
  [90_000, '1d 1h'],
  [-5, '0s'],
])('%d seconds read as %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

describe('an output', () => {
  test('with json writes one JSON value to stdout and no note', () => {
    const [out, err] = [new Paper(), new Paper()];
    const output = createOutput(true, out, err);
    output.note('hello');
    output.print({ a: 1 }, () => 'text');
    expect(JSON.parse(out.text)).toEqual({ a: 1 });
    expect(err.text).toBe('');
  });

  test('with json reports an error as JSON on stdout', () => {
    const [out, err] = [new Paper(), new Paper()];
    createOutput(true, out, err).printError(new WattleError('E_NO_HOST', 'nobody'));
    expect(JSON.parse(out.text)).toEqual({
      error: { code: 'E_NO_HOST', message: 'nobody', hint: expect.stringContaining('host') },
    });
    expect(err.text).toBe('');
  });

  test('as text reports an error as one line and a hint on stderr', () => {
    const [out, err] = [new Paper(), new Paper()];
    createOutput(false, out, err).printError(new WattleError('E_NO_HOST', 'no\nbody\u001b[31m', { hint: 'start one' }));
    expect(err.text).toBe('E_NO_HOST: no body [31m\n  → start one\n');
    expect(out.text).toBe('');
  });

  test('colours states and headers on a terminal only', () => {
    const [terminal, file] = [new Paper(true), new Paper(false)];
    const table = 'NAME  STATUS\nx     deployed\ndeployed-x  failed: why';
    createOutput(false, terminal, new Paper()).print(0, () => table);
    createOutput(false, file, new Paper()).print(0, () => table);
    expect(file.text).toBe(`${table}\n`);
    expect(terminal.text).toContain('\u001b[32mdeployed\u001b[39m');
    expect(terminal.text).toContain('\u001b[31mfailed\u001b[39m: why');
    expect(terminal.text).toContain('deployed-x');
  });
});
