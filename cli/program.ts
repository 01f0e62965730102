// The tree of commands, and one run of it. Every way to misuse the command line ends as E_USAGE with a hint; help goes to
// stdout when asked for.
import { type Argument, CommanderError, Help, Option, Command as Program } from 'commander';
import { exitCodeOf, WattleError } from '../lattice/errors.ts';
import { version } from '../lattice/version.ts';
import { createCli, reportError } from './cli.ts';
import type { Cli } from './command.ts';
import { commandGroups } from './commands/index.ts';
import { defineHelp } from './help.ts';
import { createOutput, type Output } from './output.ts';

const formatArgument = (argument: Argument): string => {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
};

/** `wattle help …` is the one way; groups get no help subcommand of their own. */
function dropHelpCommands(program: Program): void {
  program.helpCommand(false);
  program.commands.forEach(dropHelpCommands);
}

/** Builds the whole tree; commands print through `cli`. */
export function createProgram(cli: Cli): Program {
  const output = new Option('-o, --output <format>', 'how to print results').choices(['text', 'json']).default('text');
  const program = new Program('wattle')
    .description('Runs signed WebAssembly actors on a NATS lattice: declared in manifests, linked to capabilities.')
    .version(version, '-V, --version', 'print the version')
    .addOption(output)
    .helpOption('-h, --help', 'print help of a command')
    .configureHelp({
      showGlobalOptions: true,
      // a command's own options before those of the connection
      groupItems: (all, visible, groupOf) => {
        const groups = new Help().groupItems(all, visible, groupOf);
        const own = groups.get('Options:');
        return own ? new Map([['Options:', own], ...groups]) : groups;
      },
      visibleGlobalOptions: () => [output],
      subcommandTerm: (child) => `${child.name()} ${child.registeredArguments.map(formatArgument).join(' ')}`.trim(),
    })
    .exitOverride()
    // the words of a parse error are thrown too, and printed in one place
    .configureOutput({ outputError: () => undefined });
  for (const [heading, commands] of commandGroups) {
    program.commandsGroup(heading);
    for (const command of commands) command.register(program, cli);
  }
  defineHelp(program, cli);
  dropHelpCommands(program);
  program.addHelpText(
    'after',
    '\nExamples:\n  $ wattle up --deploy actors/counter/wadm.yaml\n  $ wattle app status counter\n  $ wattle help settings',
  );
  return program;
}

/** True when the words ask for JSON, the last one counting; known before they are parsed, so that a parse error is JSON too. */
export function asksForJson(words: readonly string[]): boolean {
  const formats = words.flatMap((word, at) => {
    if (word === '--output' || word === '-o') return [words[at + 1]];
    return /^(?:--output=|-o=?)(.+)$/.exec(word)?.[1] ?? [];
  });
  return formats.at(-1) === 'json';
}

/** What commander threw as our error: its first line is what is wrong, a suggestion becomes the hint. */
function toUsageError(error: CommanderError): WattleError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/[()]/g, '').trim();
  return new WattleError('E_USAGE', first, suggestion ? { hint: suggestion } : {});
}

function onParseFailure(output: Output, thrown: unknown): void {
  if (!(thrown instanceof CommanderError)) reportError(output, thrown);
  // help or version was asked for
  else if (thrown.exitCode === 0) return;
  // a command that only has subcommands was named alone: commander printed its help
  else if (thrown.code === 'commander.help' && !output.json) process.exitCode = exitCodeOf('E_USAGE');
  else if (thrown.code === 'commander.help') reportError(output, new WattleError('E_USAGE', 'a subcommand is missing'));
  else reportError(output, toUsageError(thrown));
}

/** Parses and runs a command line; sets the exit code of the process. */
export async function runProgram(words: readonly string[]): Promise<void> {
  const output = createOutput(asksForJson(words), process.stdout, process.stderr);
  try {
    const program = createProgram(createCli(output));
    await program.parseAsync(words.length === 0 ? ['--help'] : words, { from: 'user' });
  } catch (thrown) {
    onParseFailure(output, thrown);
  }
}
