// `wattle host`: another host in the foreground, and the hosts of a lattice seen from outside.
import { WattleError } from '../../lattice/errors.ts';
import { parsePairs } from '../../lattice/settings.ts';
import type { HostInventory } from '../../lattice/types.ts';
import type { Cli, Command, Options } from '../command.ts';
import { findHost, readInventories } from '../hosts.ts';
import { readCount } from '../options.ts';
import { formatFacts, formatPairs, formatSeconds, formatTable } from '../output.ts';
import { hostSettings } from '../platform-settings.ts';

/** What stopping may take beyond the calls in flight. */
const stopMarginMs = 5000;

async function startHost(cli: Cli, options: Options): Promise<void> {
  const [{ startHost }, { planConnection }, { createStopSignal, runUntilStopped }] = await Promise.all([
    import('../daemons.ts'),
    import('../cli.ts'),
    import('../foreground.ts'),
  ]);
  const settings = cli.readSettings([...hostSettings, 'dataDir'], options);
  const stop = createStopSignal(Math.min(settings.drainMs, settings.actorDeadlineMs) + stopMarginMs, cli.note);
  const connection = planConnection(options);
  await runUntilStopped(
    stop,
    async (children) => {
      const host = await startHost(
        { connection, children, stop, logLevel: settings.logLevel },
        settings,
        settings.name,
      );
      const facts = {
        pid: process.pid,
        host: host.id,
        name: host.friendlyName,
        lattice: connection.lattice,
        nats: connection.url,
      };
      cli.print(facts, ({ name, lattice, nats }) =>
        [`Host ${host.id} (${name}) serves lattice ${lattice} on ${nats}`, 'Ctrl-C stops.'].join('\n'),
      );
    },
    () => cli.note('Stopping …'),
  );
}

async function listHosts(cli: Cli, options: Options): Promise<void> {
  const hosts = await (await cli.control(options)).hosts();
  cli.print(hosts, () =>
    hosts.length === 0
      ? 'No host answers.'
      : formatTable(
          ['ID', 'NAME', 'UPTIME', 'VERSION', 'LABELS'],
          hosts.map((host) => [
            host.id,
            host.friendly_name,
            formatSeconds(host.uptime_seconds),
            host.version,
            formatPairs(host.labels),
          ]),
        ),
  );
}

function formatInventory(inventory: HostInventory): string {
  const rows = [
    ...inventory.components.map((actor) => [
      'actor',
      actor.id,
      actor.state,
      String(actor.max_instances),
      actor.image_ref,
    ]),
    ...inventory.providers.map((provider) => ['provider', provider.id, provider.state, '', provider.image_ref]),
  ];
  const facts = formatFacts([
    ['host', inventory.host_id],
    ['name', inventory.friendly_name],
    ['version', inventory.version],
    ['uptime', formatSeconds(inventory.uptime_seconds)],
    ['labels', formatPairs(inventory.labels)],
  ]);
  return rows.length === 0
    ? `${facts}\n\nIt runs nothing.`
    : `${facts}\n\n${formatTable(['KIND', 'ID', 'STATE', 'COUNT', 'IMAGE'], rows)}`;
}

async function showInventory(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  const control = await cli.control(options);
  if (id !== undefined) return cli.print(await control.inventory(await findHost(control, id)), formatInventory);
  const inventories = await readInventories(control);
  cli.print(inventories, () =>
    inventories.length === 0 ? 'No host answers.' : inventories.map(formatInventory).join('\n\n'),
  );
}

async function labelHost(cli: Cli, id: string, words: readonly string[], options: Options): Promise<void> {
  const control = await cli.control(options);
  const hostId = await findHost(control, id);
  if (options.delete === true) {
    for (const word of words) await control.deleteLabel(hostId, word.split('=')[0]!);
  } else {
    for (const [key, value] of Object.entries(parsePairs(words, 'host label')))
      await control.putLabel(hostId, key, value);
  }
  const { labels } = await control.inventory(hostId);
  cli.print({ host: hostId, labels }, () => `Labels of ${hostId}: ${formatPairs(labels)}`);
}

async function stopHost(cli: Cli, id: string, options: Options): Promise<void> {
  const control = await cli.control(options);
  const hostId = await findHost(control, id);
  const drainMs = typeof options.drain === 'string' ? readCount(options.drain, '--drain') : undefined;
  await control.stopHost(hostId, drainMs);
  const waitMs = (drainMs ?? 0) + 10_000;
  if (!(await isGone(control, hostId, waitMs)))
    throw new WattleError('E_TIMEOUT', `host ${hostId} took the request but still answers after ${waitMs} ms`);
  cli.print({ host: hostId, stopped: true }, () => `Stopped ${hostId}`);
}

async function isGone(control: Awaited<ReturnType<Cli['control']>>, hostId: string, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  while (performance.now() < deadline) {
    const hosts = await control.hosts();
    if (!hosts.some((host) => host.id === hostId)) return true;
  }
  return false;
}

export const host: Command = {
  name: 'host',
  register(program, cli) {
    const noun = program.command('host').description('run another host, and look at the hosts of the lattice');
    const start = noun
      .command('start')
      .description('run a host in the foreground, beside the platform of this machine or on --nats-url')
      .action(cli.action((options: Options) => startHost(cli, options)));
    cli.addExamples(cli.addConnection(cli.addSettings(start, hostSettings)), [
      'host start --name second --label zone=b',
      'host start --nats-url nats://10.0.0.5:4222 --trust AC3E…',
    ]);
    const list = noun
      .command('list')
      .description('list the hosts that answer')
      .action(cli.action((options: Options) => listHosts(cli, options)));
    cli.addExamples(cli.addConnection(list), ['host list']);
    const inventory = noun
      .command('inventory [host]')
      .description('show what a host runs; all hosts when none is named')
      .action(cli.action((id: string | undefined, options: Options) => showInventory(cli, id, options)));
    cli.addExamples(cli.addConnection(inventory), ['host inventory', 'host inventory NB3X --output json']);
    const label = noun
      .command('label <host> <key=value...>')
      .description('put labels on a host, which manifests and constraints select by')
      .option('--delete', 'take the labels off instead; only their keys count')
      .action(cli.action((id: string, words: string[], options: Options) => labelHost(cli, id, words, options)));
    cli.addExamples(cli.addConnection(label), ['host label second zone=b', 'host label second zone --delete']);
    const stop = noun
      .command('stop <host>')
      .description('let a host finish what is in flight, and stop it')
      .option('--drain <ms>', 'how long it may take to finish')
      .action(cli.action((id: string, options: Options) => stopHost(cli, id, options)));
    cli.addExamples(cli.addConnection(stop), ['host stop second']);
  },
};
