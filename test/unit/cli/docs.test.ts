import { readFileSync } from 'node:fs';
import type { Command as Program } from 'commander';
import { expect, test } from 'vitest';
import { createCli } from '../../../cli/cli.ts';
import { createOutput } from '../../../cli/output.ts';
import { createProgram } from '../../../cli/program.ts';

const sink = { write: () => true };
const text = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
const create = (): Program => createProgram(createCli(createOutput(false, sink, sink)));
const leaves = (program: Program, path: readonly string[] = []): [string, Program][] =>
  program.commands.length === 0
    ? [[path.join(' '), program]]
    : program.commands.flatMap((child) => leaves(child, [...path, child.name()]));

test('the reference has a heading for every command and for no other', () => {
  const headings = text.split('\n').filter((line) => line.startsWith('### '));
  const named = headings.flatMap((line) => [...line.matchAll(/`wattle ([a-z -]+)`/g)].map((match) => match[1]!));
  expect(named.sort()).toEqual(
    leaves(create())
      .map(([path]) => path)
      .sort(),
  );
});

/** Words of a shell line; quotes hold blanks together. */
const split = (line: string): string[] => (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ''));

/** The program with every handler replaced by a note of which command it would have run. */
function createRecorder(ran: string[]): Program {
  const program = create();
  for (const [path, command] of leaves(program)) command.action(() => void ran.push(path));
  return program;
}

const lines = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1]!.trim().split('\n'));

test.each(lines)('%s is a command line', async (line) => {
  const ran: string[] = [];
  const [wattle, ...words] = split(line);
  expect(wattle).toBe('wattle');
  await createRecorder(ran).parseAsync(words, { from: 'user' });
  expect(ran).toHaveLength(1);
  expect(words.join(' ').startsWith(ran[0]!)).toBe(true);
});

/** Commands as the other guides show them: `$ node bin/wattle.js …`, with a remark behind blanks and `#`. */
const guides = ['README.md', 'docs/actors.md', 'docs/providers.md', 'docs/security.md', 'docs/performance.md'];
const shown = guides.flatMap((guide) => {
  const content = readFileSync(new URL(`../../../${guide}`, import.meta.url), 'utf8');
  return [...content.matchAll(/^(?:\$ )?node bin\/wattle\.js (.*?)(?: +#.*)?$/gm)].map(
    (match) => [guide, match[1]!] as const,
  );
});

test.each(shown)('%s shows a command line: %s', async (_guide, line) => {
  const ran: string[] = [];
  if (line !== '--help') await createRecorder(ran).parseAsync(split(line), { from: 'user' });
  expect(ran).toHaveLength(line === '--help' ? 0 : 1);
});

const examples = leaves(create()).flatMap(([path, command]) => {
  const help: string[] = [];
  command.configureOutput({ writeOut: (part) => void help.push(part) });
  command.outputHelp();
  return [...help.join('').matchAll(/^ {2}\$ wattle (.*?)( [<>] .*)?$/gm)].map((match) => [path, match[1]!] as const);
});

test.each(examples)('help of %s shows a command line: %s', async (_path, line) => {
  const ran: string[] = [];
  await createRecorder(ran).parseAsync(split(line.replace(/^-.*/, '')), { from: 'user' });
  expect(ran).toHaveLength(1);
});
