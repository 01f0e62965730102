import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command as Program } from 'commander';
import { describe, expect, test } from 'vitest';
import { createCli, createOption, planConnection, readOptions } from '../../../cli/cli.ts';
import { createCompletion, shells } from '../../../cli/completion.ts';
import { createOutput } from '../../../cli/output.ts';
import { startPlatform } from '../../../cli/platform.ts';
import { asksForJson, createProgram } from '../../../cli/program.ts';
import { type SettingName, settingRows } from '../../../lattice/settings.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

const sink = { write: () => true };
const create = (): Program => createProgram(createCli(createOutput(false, sink, sink)));
const walk = (program: Program): Program[] => [program, ...program.commands.flatMap(walk)];
const pathOf = (program: Program): string =>
  program.parent?.parent ? `${pathOf(program.parent)} ${program.name()}` : program.name();

describe('the tree of commands', () => {
  const leaves = walk(create()).filter((command) => command.commands.length === 0);

  test('has what its users look for', () => {
    const paths = leaves.map(pathOf);
    const wanted =
      'up,down,host start,wadm start,app put,app deploy,app undeploy,app delete,app list,app get,app status,app versions,' +
      'app validate,actor start,actor stop,actor scale,actor update,actor list,provider start,provider stop,provider list,' +
      'link put,link del,link list,config put,config get,config del,config list,host list,host inventory,host label,' +
      'host stop,call,keys gen,claims sign,completion,help';
    expect(wanted.split(',').filter((path) => !paths.includes(path))).toEqual([]);
  });

  test('describes every command and every option', () => {
    const bare = walk(create()).flatMap((command) => [
      ...(command.description() === '' ? [pathOf(command)] : []),
      ...command.options
        .filter((option) => option.description === '')
        .map((option) => `${pathOf(command)} ${option.flags}`),
    ]);
    expect(bare).toEqual([]);
  });

  test('shows an example in the help of every command', () => {
    const without = leaves.filter((command) => {
      const text: string[] = [];
      command.configureOutput({ writeOut: (part) => void text.push(part) });
      command.outputHelp();
      return !text.join('').includes('$ wattle ');
    });
    expect(without.map(pathOf)).toEqual([]);
  });
});

describe('a setting as an option', () => {
  test.each((Object.keys(settingRows) as SettingName[]).filter((name) => settingRows[name].flag !== ''))(
    '%s is read by its flag',
    (name) => {
      const row = settingRows[name];
      const option = createOption(name);
      const word = row.kind === 'number' ? '7' : row.kind === 'map' ? 'k=v' : 'x';
      const given = row.kind === 'boolean' ? true : row.kind === 'list' || row.kind === 'map' ? [word] : word;
      const expected = { number: 7, map: { k: 'v' }, list: ['x'], boolean: true, string: 'x' }[row.kind];
      expect(readOptions([name], { [option.attributeName()]: given })[name]).toEqual(expected);
    },
  );
});

describe('the way to the lattice', () => {
  test('is the platform of the data directory when nothing else is named', async () => {
    await using directory = await startTemporaryDirectory();
    using platform = startPlatform(directory.path, 'shop');
    platform.update({ natsUrl: 'nats://127.0.0.1:7' });
    const options = { dataDir: directory.path };
    expect(planConnection(options)).toMatchObject({ url: 'nats://127.0.0.1:7', lattice: 'shop' });
    expect(planConnection({ ...options, lattice: 'default' })).toMatchObject({ lattice: 'default' });
    expect(planConnection({ ...options, natsUrl: 'nats://x:1' })).toMatchObject({
      url: 'nats://x:1',
      lattice: 'default',
    });
  });

  test('is nowhere when a data directory without a platform is named', async () => {
    await using directory = await startTemporaryDirectory();
    expect(() => planConnection({ dataDir: directory.path })).toThrow(
      expect.objectContaining({ code: 'E_NOT_RUNNING', message: expect.stringContaining(directory.path) }),
    );
  });
});

test.each([
  [['app', 'list', '--output', 'json'], true],
  [['--output=json', 'app'], true],
  [['-o', 'json'], true],
  [['-ojson'], true],
  [['-o', 'json', '--output', 'text'], false],
  [['app', 'list'], false],
  [['call', 'x', 'y', 'json'], false],
])('%j asks for JSON: %s', (words, json) => {
  expect(asksForJson(words)).toBe(json);
});

describe('a completion script', () => {
  test.each(Object.keys(shells))('for %s names every command', (shell) => {
    const script = createCompletion(shell, create());
    for (const command of walk(create()).slice(1)) expect(script).toContain(command.name());
  });

  test('for bash completes commands and options where they belong', async () => {
    await using directory = await startTemporaryDirectory();
    const file = join(directory.path, 'wattle.bash');
    writeFileSync(file, createCompletion('bash', create()));
    const complete = (...words: string[]): string[] => {
      const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _wattle; echo "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', `source '${file}'; ${line}`], { encoding: 'utf8' })
        .trim()
        .split(' ');
    };
    expect(complete('wattle', 'u')).toEqual(['up']);
    expect(complete('wattle', 'app', 'de').sort()).toEqual(['delete', 'deploy']);
    expect(complete('wattle', '--output', 'json', 'link', 'put', '--se')).toEqual(['--set']);
  });

  test.skipIf(spawnSync('zsh', ['--version']).error)('for zsh is sound', async () => {
    execFileSync('zsh', ['-n'], { input: createCompletion('zsh', create()) });
  });
});
