// `wattle config`: named configurations, which manifests, links, actors and providers refer to.
import { readFile } from 'node:fs/promises';
import { WattleError } from '../../lattice/errors.ts';
import { parsePairs } from '../../lattice/settings.ts';
import type { Cli, Command, Options } from '../command.ts';
import { formatFacts, formatTable } from '../output.ts';

type Values = Record<string, string>;

/** A flat map in a JSON or YAML file; numbers and booleans become text, as configurations hold nothing else. */
async function readValues(file: string): Promise<Values> {
  const { parse } = await import('yaml');
  const refuse = (reason: string): WattleError =>
    new WattleError('E_USAGE', `${file}: ${reason}`, { hint: 'The file is a JSON or YAML map of keys to values.' });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WattleError('E_NOT_FOUND', `cannot read ${file}: ${cause.code}`, {
      cause,
      hint: 'Name a JSON or YAML file.',
    });
  });
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message.split('\n')[0]! : 'not YAML');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('not a map');
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (!['string', 'number', 'boolean'].includes(typeof entry)) throw refuse(`${key} is not a single value`);
      return [key, String(entry)];
    }),
  );
}

async function putConfig(cli: Cli, name: string, words: readonly string[], options: Options): Promise<void> {
  const fromFile = typeof options.file === 'string' ? await readValues(options.file) : {};
  const values = { ...fromFile, ...parsePairs(words, 'config put') };
  if (Object.keys(values).length === 0)
    throw new WattleError('E_USAGE', 'no value given', { hint: 'Give key=value words, or --file FILE.' });
  await (await cli.control(options)).putConfig(name, values);
  cli.print({ name, values }, () => `Put config ${name} (${Object.keys(values).length} keys)`);
}

async function getConfig(cli: Cli, name: string, options: Options): Promise<void> {
  const values = await (await cli.control(options)).getConfig(name);
  if (!values)
    throw new WattleError('E_NOT_FOUND', `there is no config ${name}`, { hint: 'See `wattle config list`.' });
  cli.print(values, () => formatFacts(Object.entries(values)));
}

async function deleteConfig(cli: Cli, name: string, options: Options): Promise<void> {
  await (await cli.control(options)).deleteConfig(name);
  cli.print({ name, deleted: true }, () => `Deleted config ${name}`);
}

async function listConfigs(cli: Cli, options: Options): Promise<void> {
  const configs = await (await cli.control(options)).listConfig();
  const names = Object.keys(configs).sort();
  cli.print(configs, () =>
    names.length === 0
      ? 'There is no config.'
      : formatTable(
          ['NAME', 'KEYS'],
          names.map((name) => [name, Object.keys(configs[name]!).sort().join(', ')]),
        ),
  );
}

export const config: Command = {
  name: 'config',
  register(program, cli) {
    const noun = program.command('config').description('named configurations of links, actors and providers');
    const put = noun
      .command('put <name> [key=value...]')
      .description('put a configuration; what it held before is replaced')
      .option('--file <file>', 'JSON or YAML map to take values from; words win over it')
      .action(cli.action((name: string, words: string[], options: Options) => putConfig(cli, name, words, options)));
    cli.addExamples(cli.addConnection(put), [
      'config put redis url=redis://127.0.0.1:6379',
      'config put web --file web.yaml',
    ]);
    const get = noun
      .command('get <name>')
      .description('show the values of a configuration')
      .action(cli.action((name: string, options: Options) => getConfig(cli, name, options)));
    cli.addExamples(cli.addConnection(get), ['config get redis --output json']);
    const del = noun
      .command('del <name>')
      .alias('delete')
      .description('delete a configuration')
      .action(cli.action((name: string, options: Options) => deleteConfig(cli, name, options)));
    cli.addExamples(cli.addConnection(del), ['config del redis']);
    const list = noun
      .command('list')
      .description('list configurations and their keys')
      .action(cli.action((options: Options) => listConfigs(cli, options)));
    cli.addExamples(cli.addConnection(list), ['config list']);
  },
};
