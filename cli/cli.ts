// The Cli that commands get: options from setting rows, one connection that closes itself, results and errors printed
// in one way. A handler throws; what it threw becomes one line and an exit code here and nowhere else.
import { Option, type Command as Program } from 'commander';
import type { ConnectionOptions, LatticeConnection } from '../lattice/connection.ts';
import { exitCodeOf, toWattleError, WattleError } from '../lattice/errors.ts';
import { readSettings, type SettingName, type Settings, settingRows } from '../lattice/settings.ts';
import type { Cli, Options } from './command.ts';
import type { Output } from './output.ts';
import { readPlatform } from './platform.ts';

const connectionSettings = [
  'natsUrl',
  'natsCreds',
  'natsNkey',
  'natsTlsCa',
  'natsTlsCert',
  'natsTlsKey',
  'lattice',
  'dataDir',
  'timeoutMs',
] as const satisfies readonly SettingName[];

/** A setting as commander's option. Its default is not given to commander: an option that is absent falls to the environment. */
export function createOption(name: SettingName): Option {
  const row = settingRows[name];
  const facts = [
    row.default === undefined || row.default === false || typeof row.default === 'object'
      ? ''
      : `default: ${row.default}`,
    row.env[0] ? `env: ${row.env[0]}` : '',
  ].filter((fact) => fact !== '');
  const option = new Option(row.flag, facts.length ? `${row.doc} (${facts.join(', ')})` : row.doc);
  if (row.kind === 'list' || row.kind === 'map')
    option.argParser((word: string, former: string[] | undefined) => [...(former ?? []), word]);
  return option;
}

/** Parser options are named after flags (`--rpc-timeout`), settings after what they are (`rpcTimeoutMs`). */
export function readOptions<N extends SettingName>(names: readonly N[], options: Options): Settings<N> {
  const flags: Record<string, unknown> = {};
  for (const name of names) {
    const flag: string = settingRows[name].flag;
    if (flag !== '') flags[name] = options[new Option(flag).attributeName()];
  }
  return readSettings(names, flags);
}

/**
 * Where the lattice is: what was asked for, else the platform of the data directory, else the usual port on this machine.
 * Throws E_NOT_RUNNING when a data directory was named and no platform runs there: the usual port would be another's.
 */
export function planConnection(options: Options): ConnectionOptions {
  const settings = readOptions(connectionSettings, options);
  const platform = settings.natsUrl === undefined ? readPlatform(settings.dataDir) : undefined;
  if (settings.natsUrl === undefined && !platform && settings.dataDir !== settingRows.dataDir.default)
    throw new WattleError('E_NOT_RUNNING', `no platform runs in ${settings.dataDir}`);
  const named = options.lattice !== undefined || settings.lattice !== settingRows.lattice.default;
  return {
    lattice: named ? settings.lattice : (platform?.lattice ?? settings.lattice),
    url: settings.natsUrl ?? platform?.natsUrl ?? `nats://127.0.0.1:${settingRows.natsPort.default}`,
    name: 'wattle cli',
    creds: settings.natsCreds,
    nkey: settings.natsNkey,
    tlsCa: settings.natsTlsCa,
    tlsCert: settings.natsTlsCert,
    tlsKey: settings.natsTlsKey,
    timeoutMs: settings.timeoutMs,
  };
}

/** Prints what was thrown and sets the exit code of the process. */
export function reportError(output: Output, thrown: unknown): void {
  const error = toWattleError(thrown);
  output.printError(error);
  if (error.code === 'E_INTERNAL' && thrown instanceof Error && thrown.stack) output.note(thrown.stack);
  process.exitCode = exitCodeOf(error.code);
}

const addSettings = (program: Program, names: readonly SettingName[]): Program => {
  for (const name of names) if (settingRows[name].flag !== '') program.addOption(createOption(name));
  return program;
};

function addConnection(program: Program): Program {
  for (const name of connectionSettings) program.addOption(createOption(name).helpGroup('Lattice:'));
  return program;
}

const addExamples = (program: Program, lines: readonly string[]): Program =>
  program.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ wattle ${line}`).join('\n')}`);

async function open(options: Options): Promise<LatticeConnection> {
  const plan = planConnection(options);
  const { LatticeConnection } = await import('../lattice/connection.ts');
  return LatticeConnection.start(plan);
}

export function createCli(output: Output): Cli {
  let opened: Promise<LatticeConnection> | undefined;
  const connect = (options: Options): Promise<LatticeConnection> => {
    opened ??= open(options);
    return opened;
  };
  const close = async (): Promise<void> => {
    const connection = await opened?.catch(() => undefined);
    opened = undefined;
    await connection?.[Symbol.asyncDispose]();
  };
  const timeoutOf = (options: Options): number => readOptions(['timeoutMs'], options).timeoutMs;
  return {
    addSettings,
    addConnection,
    addExamples,
    readSettings: readOptions,
    connect,
    control: async (options) => {
      const [{ ControlClient }, connection] = await Promise.all([import('../lattice/control.ts'), connect(options)]);
      return new ControlClient(connection, timeoutOf(options));
    },
    wadm: async (options) => {
      const [{ WadmClient }, connection] = await Promise.all([import('../lattice/wadm-client.ts'), connect(options)]);
      return new WadmClient(connection, timeoutOf(options));
    },
    json: output.json,
    print: output.print,
    note: output.note,
    action:
      (handler) =>
      async (...args) => {
        // commander calls with (...arguments, options, command); options of parent commands are merged in
        const command = args.at(-1) as Program;
        const given = [...args.slice(0, -2), command.optsWithGlobals()] as unknown as typeof args;
        try {
          await handler(...given);
        } catch (thrown) {
          reportError(output, thrown);
        } finally {
          await close();
        }
      },
  };
}
