// `wattle down`: stops the platform of a data directory and waits until it is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { WattleError } from '../../lattice/errors.ts';
import type { Cli, Command, Options } from '../command.ts';
import { isAlive, readPlatform } from '../platform.ts';

const limitMs = 30_000;

async function runDown(cli: Cli, options: Options): Promise<void> {
  const { dataDir } = cli.readSettings(['dataDir'], options);
  const platform = readPlatform(dataDir);
  if (!platform) throw new WattleError('E_NOT_RUNNING', `no platform runs in ${dataDir}`);
  process.kill(platform.pid, options.force === true ? 'SIGKILL' : 'SIGTERM');
  const deadline = performance.now() + limitMs;
  while (isAlive(platform)) {
    if (performance.now() > deadline)
      throw new WattleError('E_TIMEOUT', `the platform (pid ${platform.pid}) still runs after ${limitMs} ms`, {
        hint: 'End it at once with `wattle down --force`.',
      });
    await sleep(25);
  }
  cli.print(
    { pid: platform.pid, dataDir, stopped: true },
    () => `Stopped the platform in ${dataDir} (pid ${platform.pid})`,
  );
}

export const down: Command = {
  name: 'down',
  register(program, cli) {
    const command = program
      .command('down')
      .description('stop the platform that runs in the data directory')
      .option('--force', 'end it at once; calls in flight are lost')
      .action(cli.action((options: Options) => runDown(cli, options)));
    cli.addExamples(cli.addSettings(command, ['dataDir']), ['down', 'down --data-dir ./data']);
  },
};
