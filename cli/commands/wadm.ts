// `wattle wadm`: a deployment manager of its own in the foreground, beside the one that `up` runs.
import type { Cli, Command, Options } from '../command.ts';

const stopLimitMs = 5000;

async function startWadm(cli: Cli, options: Options): Promise<void> {
  const [{ startWadm }, { planConnection }, { createStopSignal, runUntilStopped }] = await Promise.all([
    import('../daemons.ts'),
    import('../cli.ts'),
    import('../foreground.ts'),
  ]);
  const { logLevel } = cli.readSettings(['logLevel'], options);
  const stop = createStopSignal(stopLimitMs, cli.note);
  const connection = planConnection(options);
  await runUntilStopped(
    stop,
    async (children) => {
      await startWadm({ connection, children, stop, logLevel });
      cli.print(
        { pid: process.pid, lattice: connection.lattice, nats: connection.url },
        ({ lattice, nats }) => `wadm serves lattice ${lattice} on ${nats}\nCtrl-C stops.`,
      );
    },
    () => cli.note('Stopping …'),
  );
}

export const wadm: Command = {
  name: 'wadm',
  register(program, cli) {
    const noun = program.command('wadm').description('the deployment manager');
    const start = noun
      .command('start')
      .description('run a wadm in the foreground, beside the platform of this machine or on --nats-url')
      .action(cli.action((options: Options) => startWadm(cli, options)));
    cli.addExamples(cli.addConnection(cli.addSettings(start, ['logLevel'])), [
      'wadm start --nats-url nats://10.0.0.5:4222',
    ]);
  },
};
