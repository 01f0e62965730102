// `wattle help`: the help of any command, and topics that are tables of ours: every setting, every error code.
import type { Command as Program } from 'commander';
import { type ErrorCode, errorTable, exitCodeOf, WattleError } from '../lattice/errors.ts';
import { settingRows } from '../lattice/settings.ts';
import type { Cli } from './command.ts';
import { formatFacts, formatTable } from './output.ts';

interface SettingHelp {
  readonly name: string;
  readonly flag: string;
  readonly env: readonly string[];
  readonly default: unknown;
  readonly doc: string;
}

const settingsHelp = (): SettingHelp[] =>
  Object.entries(settingRows).map(([name, row]) => ({
    name,
    flag: row.flag,
    env: row.env,
    default: row.default ?? null,
    doc: row.doc,
  }));

const showDefault = (value: unknown): string =>
  value === null || (typeof value === 'object' && Object.keys(value).length === 0) ? '' : String(value);

const formatSettings = (settings: readonly SettingHelp[]): string =>
  `A flag wins over the environment, the environment over the default.\nLabels also come from WATTLE_LABEL_name=value.\n\n${settings
    .map(({ flag, env, default: value, doc }) => {
      const facts = [
        showDefault(value) && `default: ${showDefault(value)}`,
        env.length > 0 && `env: ${env.join(', ')}`,
      ];
      const known = facts.filter((fact) => typeof fact === 'string' && fact !== '');
      return `${flag || env[0]}\n    ${doc}${known.length ? `\n    ${known.join('; ')}` : ''}`;
    })
    .join('\n')}`;

const codes = () =>
  Object.entries(errorTable).map(([code, row]) => ({ code, ...row, exitCode: exitCodeOf(code as ErrorCode) }));

/** Topics beside the commands; each prints itself. */
const topics: Readonly<Record<string, (cli: Cli) => void>> = {
  settings: (cli) => cli.print(settingsHelp(), formatSettings),
  errors: (cli) =>
    cli.print(codes(), (rows) =>
      formatTable(
        ['CODE', 'EXIT', 'HTTP', 'RETRIED', 'WHAT TO DO'],
        rows.map((row) => [row.code, String(row.exitCode), String(row.http), row.retry ? 'yes' : 'no', row.hint]),
      ),
    ),
};

function printCode(cli: Cli, code: string): void {
  if (!Object.hasOwn(errorTable, code))
    throw new WattleError('E_USAGE', `there is no error ${code}`, { hint: 'See wattle help errors.' });
  const row = { code, ...errorTable[code as ErrorCode], exitCode: exitCodeOf(code as ErrorCode) };
  cli.print(row, ({ hint, fault, http, retry, exitCode }) =>
    formatFacts([
      ['code', code],
      ['fault', fault],
      ['retried', retry ? 'yes' : 'no'],
      ['exit code', String(exitCode)],
      ['HTTP status', String(http)],
      ['what to do', hint],
    ]),
  );
}

function findCommand(program: Program, path: readonly string[]): Program {
  let command = program;
  for (const name of path) {
    const next = command.commands.find((child) => child.name() === name || child.aliases().includes(name));
    if (!next)
      throw new WattleError('E_USAGE', `there is no command or topic "${path.join(' ')}"`, {
        hint: `Topics: ${Object.keys(topics).join(', ')}; commands: wattle --help.`,
      });
    command = next;
  }
  return command;
}

/** Adds `help [command|topic]`. */
export function defineHelp(program: Program, cli: Cli): void {
  const help = program
    .command('help [topic...]')
    .description('print help of a command, or a topic: settings, errors, E_CODE')
    .action(
      cli.action((path: string[]) => {
        const topic = topics[path[0] ?? ''];
        if (topic && path.length === 1) topic(cli);
        else if (/^E_/.test(path[0] ?? '')) printCode(cli, path[0]!);
        else findCommand(program, path).outputHelp();
      }),
    );
  cli.addExamples(help, ['help app deploy', 'help settings', 'help E_SIG_ISSUER']);
}
