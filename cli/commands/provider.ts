// `wattle provider`: capability providers of the lattice, started and stopped by hand.
import { WattleError } from '../../lattice/errors.ts';
import { parsePairs } from '../../lattice/settings.ts';
import type { Cli, Command, Options } from '../command.ts';
import { findHost, findPlacements, listProviders, readInventories } from '../hosts.ts';
import { addWait, collect, readWaitMs } from '../options.ts';
import { formatTable } from '../output.ts';

interface StartOptions extends Options {
  readonly host?: string;
  readonly constraint?: readonly string[];
  readonly config?: readonly string[];
}

async function startProvider(cli: Cli, ref: string, id: string, options: StartOptions): Promise<void> {
  const waitMs = readWaitMs(options);
  const constraints = parsePairs(options.constraint ?? [], '--constraint');
  const control = await cli.control(options);
  const connection = await cli.connect(options);
  const hosts = options.host
    ? [await findHost(control, options.host)]
    : await control.auctionProvider(ref, id, constraints);
  const hostId = hosts[0];
  if (hostId === undefined)
    throw new WattleError('E_NO_HOST', `no host can take provider ${id}, or every host that could runs it already`);
  const send = () => control.startProvider(hostId, { providerId: id, ref, config: options.config ?? [] });
  const { awaitOutcome, judgeProvider } = await import('../outcome.ts');
  const judge = judgeProvider(hostId, id, 'provider_started');
  if (waitMs === undefined) await send();
  else await awaitOutcome(connection, { what: `provider ${id} on ${hostId}`, timeoutMs: waitMs, judge }, send);
  cli.print({ id, ref, host: hostId, waited: waitMs !== undefined }, () =>
    waitMs === undefined ? `Asked ${hostId} to start ${id}` : `Started ${id} on ${hostId}`,
  );
}

async function stopProvider(cli: Cli, id: string, options: Options): Promise<void> {
  const waitMs = readWaitMs(options);
  const control = await cli.control(options);
  const connection = await cli.connect(options);
  const only = typeof options.host === 'string' ? await findHost(control, options.host) : undefined;
  const running = listProviders(await readInventories(control));
  const placements = findPlacements(running, { kind: 'provider', id, hostId: only });
  const { awaitOutcome, judgeProvider } = await import('../outcome.ts');
  for (const { hostId, hostName } of placements) {
    const send = () => control.stopProvider(hostId, id);
    const judge = judgeProvider(hostId, id, 'provider_stopped');
    if (waitMs === undefined) await send();
    else await awaitOutcome(connection, { what: `provider ${id} on ${hostName}`, timeoutMs: waitMs, judge }, send);
  }
  cli.print({ id, hosts: placements.map(({ hostId }) => hostId) }, () =>
    placements
      .map(({ hostName }) => `${waitMs === undefined ? 'Asked to stop' : 'Stopped'} ${id} on ${hostName}`)
      .join('\n'),
  );
}

async function listRunning(cli: Cli, options: Options): Promise<void> {
  const placements = listProviders(await readInventories(await cli.control(options)));
  const rows = placements.map(({ hostId, hostName, run }) => ({ host: hostId, host_name: hostName, ...run }));
  cli.print(rows, (providers) =>
    providers.length === 0
      ? 'No provider runs.'
      : formatTable(
          ['ID', 'STATE', 'HOST', 'IMAGE', 'REFUSED LINKS'],
          providers.map((provider) => [
            provider.id,
            provider.state_reason ? `${provider.state}: ${provider.state_reason}` : (provider.state ?? 'running'),
            provider.host_name,
            provider.image_ref,
            Object.entries(provider.link_errors ?? {})
              .map(([link, error]) => `${link}: ${error}`)
              .join('; '),
          ]),
        ),
  );
}

async function listBuiltIn(cli: Cli): Promise<void> {
  const { providers } = await import('../../providers/index.ts');
  const rows = providers.map(({ name, contract, summary, images }) => ({
    image: `wattle:${name}`,
    contract: contract.capability,
    contracts: contract.ids,
    summary,
    stands_for: images,
  }));
  cli.print(rows, (built) =>
    formatTable(
      ['IMAGE', 'CONTRACTS', 'STANDS FOR', 'WHAT IT DOES'],
      built.map((row) => [row.image, row.contracts.join(', '), row.stands_for.join(', '), row.summary]),
    ),
  );
}

export const provider: Command = {
  name: 'provider',
  register(program, cli) {
    const noun = program.command('provider').description('run and stop capability providers by hand');
    const host = ['--host <host>', 'id, beginning of an id, or name of a host'] as const;
    const start = noun
      .command('start <ref> <id>')
      .description('start a provider as ID on a host that takes it')
      .option(...host)
      .option('--constraint <key=value>', 'label the host must have; may be given again', collect)
      .option('--config <name>', 'named configuration the provider starts with; may be given again', collect)
      .action(cli.action((ref: string, id: string, options: StartOptions) => startProvider(cli, ref, id, options)));
    cli.addExamples(addWait(cli.addConnection(start)), [
      'provider start wattle:http-server web',
      'provider list --built-in',
    ]);
    const stop = noun
      .command('stop <id>')
      .description('stop a provider on every host that runs it')
      .option(...host)
      .action(cli.action((id: string, options: Options) => stopProvider(cli, id, options)));
    cli.addExamples(addWait(cli.addConnection(stop)), ['provider stop web']);
    const list = noun
      .command('list')
      .description('show the providers of every host, or those that are built in')
      .option('--built-in', 'show the providers every host can start, and the images they answer to')
      .action(
        cli.action((options: Options) => (options.builtIn === true ? listBuiltIn(cli) : listRunning(cli, options))),
      );
    cli.addExamples(cli.addConnection(list), ['provider list', 'provider list --built-in']);
  },
};
