// One run of the command line inside the test process: what it printed, and the code it would have ended with.
import { createCli } from '../../cli/cli.ts';
import { createOutput } from '../../cli/output.ts';
import { asksForJson, createProgram } from '../../cli/program.ts';

export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Runs `wattle WORDS…`; for commands that need no lattice. */
export async function runCommand(...words: string[]): Promise<CommandRun> {
  const printed = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof printed) => ({
    write: (text: string) => {
      printed[name] += text;
    },
  });
  const cli = createCli(createOutput(asksForJson(words), stream('stdout'), stream('stderr')));
  const before = process.exitCode;
  process.exitCode = 0;
  await createProgram(cli).parseAsync(words, { from: 'user' });
  const exitCode = Number(process.exitCode);
  process.exitCode = before;
  return { ...printed, exitCode };
}
