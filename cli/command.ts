// CONTRACT of the commands. One file a noun exports a Command; commands/index.ts lists them. `Cli` is what a command may
// use of the world: settings, a connection to the lattice, and output as table or JSON. What is heavy to load (NATS,
// schemas, host, wadm) is imported inside handlers, so that `wattle --help` and short commands stay fast.
import type { Command as Program } from 'commander';
import type { LatticeConnection } from '../lattice/connection.ts';
import type { ControlClient } from '../lattice/control.ts';
import type { SettingName, Settings } from '../lattice/settings.ts';
import type { WadmClient } from '../lattice/wadm-client.ts';

export interface Command {
  readonly name: string;
  /** Adds the command and its subcommands, with help, examples and options. */
  register(program: Program, cli: Cli): void;
}

/** What the command line parser gives: option names in camel case, absent when not given. */
export type Options = Readonly<Record<string, unknown>>;

export interface Cli {
  /** Adds the options of these settings to a command, with their docs and defaults. */
  addSettings(program: Program, names: readonly SettingName[]): Program;
  /** The values of these settings from the options given, else environment, else default. */
  readSettings<N extends SettingName>(names: readonly N[], options: Options): Settings<N>;
  /** Adds the settings `connect` reads. */
  addConnection(program: Program): Program;
  /** Lines shown under "Examples:" in the help of a command, each a command line as typed after `wattle`. */
  addExamples(program: Program, lines: readonly string[]): Program;
  /**
   * Wraps a handler: runs it, and on a WattleError prints one line with code and hint (or JSON) and sets the exit code.
   * The handler gets commander's arguments followed by the merged options.
   */
  action<A extends unknown[]>(handler: (...args: A) => Promise<void> | void): (...args: A) => Promise<void>;
  /** Connects to the lattice that the options, the environment or the platform running in --data-dir name; closed at the end. */
  connect(options: Options): Promise<LatticeConnection>;
  /** `connect`, and a client of the control interface on it. */
  control(options: Options): Promise<ControlClient>;
  /** `connect`, and a client of the wadm API on it. */
  wadm(options: Options): Promise<WadmClient>;
  /** True with --output json: then `print` is called exactly once and nothing else goes to stdout. */
  readonly json: boolean;
  /** Prints a result: `data` as JSON with --output json, else what `text` makes of it. */
  print<T>(data: T, text: (data: T) => string): void;
  /** Prints a note for a person on stderr; nothing with --output json. */
  note(line: string): void;
}
