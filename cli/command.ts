// CONTRACT of the commands. One file a noun exports a Command; commands/index.ts lists them. `Cli` is what a command may
// use of the world: settings, a connection to the lattice, and output as table or JSON.
import type { Command as Program } from 'commander';
import type { LatticeConnection } from '../lattice/connection.ts';
import type { SettingName, Settings } from '../lattice/settings.ts';

export interface Command {
  readonly name: string;
  /** Adds the command and its subcommands, with help, examples and options. */
  register(program: Program, cli: Cli): void;
}

export interface Cli {
  /** Adds the options of these settings to a command, with their docs and defaults. */
  addSettings(program: Program, names: readonly SettingName[]): Program;
  /** The values of these settings from the options given, else environment, else default. */
  readSettings<N extends SettingName>(names: readonly N[], options: Readonly<Record<string, unknown>>): Settings<N>;
  /**
   * Wraps a handler: runs it, and on a WattleError prints one line with code and hint (or JSON) and sets the exit code.
   * The handler gets commander's arguments followed by the merged options.
   */
  action<A extends unknown[]>(handler: (...args: A) => Promise<void> | void): (...args: A) => Promise<void>;
  /** Connects to the lattice that the options, the environment or the platform running in --data-dir name; closed at the end. */
  connect(options: Readonly<Record<string, unknown>>): Promise<LatticeConnection>;
  /** Prints a result: `data` as JSON with --output json, else what `text` makes of it. */
  print<T>(data: T, text: (data: T) => string): void;
  /** Prints a note for a person on stderr; nothing with --output json. */
  note(line: string): void;
}
