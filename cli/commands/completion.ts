// `wattle completion`: the words of this command line for the completion of a shell.
import { Argument } from 'commander';
import type { Command } from '../command.ts';
import { createCompletion, shells } from '../completion.ts';

export const completion: Command = {
  name: 'completion',
  register(program, cli) {
    const command = program
      .command('completion')
      .description('print a completion script for a shell')
      .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(shells)))
      .action(
        cli.action((shell: string) =>
          cli.print({ shell, script: createCompletion(shell, program) }, ({ script }) => script),
        ),
      );
    cli.addExamples(command, [
      'completion bash > ~/.local/share/bash-completion/completions/wattle',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell expands it
      'completion zsh > "${fpath[1]}/_wattle"',
    ]);
  },
};
