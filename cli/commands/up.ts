// `wattle up`: a whole platform on this machine. nats-server (unless --nats-url), host, wadm, then the manifests to deploy;
// stopped in reverse.
import type { LatticeConnection } from '../../lattice/connection.ts';
import type { SettingName } from '../../lattice/settings.ts';
import type { Cli, Command, Options } from '../command.ts';
import type { Surroundings } from '../daemons.ts';
import type { HttpAddress } from '../http-addresses.ts';
import type { ManifestFile } from '../manifest-name.ts';
import { collect } from '../options.ts';
import { formatFacts, formatTable } from '../output.ts';
import type { Platform, RunningPlatform } from '../platform.ts';
import { hostSettings, natsServerSettings } from '../platform-settings.ts';

const upSettings = [
  ...natsServerSettings,
  ...hostSettings,
  'dataDir',
  'natsUrl',
] as const satisfies readonly SettingName[];
/** What stopping may take beyond the calls in flight. */
const stopMarginMs = 5000;
const deployWaitMs = 60_000;

interface Ready {
  readonly pid: number;
  readonly lattice: string;
  readonly nats: string;
  readonly host: string;
  readonly dataDir: string;
  readonly applications: readonly { name: string; version: string; status: string }[];
  readonly http: readonly HttpAddress[];
}

export function formatReady(ready: Ready, last: readonly string[]): string {
  const facts = formatFacts([
    ['lattice', ready.lattice],
    ['NATS', ready.nats],
    ['host', ready.host],
    ['data', ready.dataDir],
  ]);
  const apps = ready.applications.map((app) => [app.name, app.version, app.status]);
  const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
  const http = ready.http.map(({ url, actorId }) => `  ${url}  → ${actorId}`);
  return [
    'Wattle is ready',
    indent(facts),
    ...(apps.length ? ['', indent(formatTable(['APPLICATION', 'VERSION', 'STATUS'], apps))] : []),
    ...(http.length ? ['', ...http] : []),
    '',
    ...last,
  ].join('\n');
}

async function readManifests(cli: Cli, files: readonly string[]): Promise<ManifestFile[]> {
  if (files.length === 0) return [];
  const [{ checkManifest }, { readManifestFile }] = await Promise.all([
    import('../deployment.ts'),
    import('../manifest-file.ts'),
  ]);
  const sources = await Promise.all(files.map((file) => readManifestFile(file)));
  for (const source of sources) checkManifest(source, cli.note);
  return sources;
}

async function deployAll(
  cli: Cli,
  around: Surroundings,
  connection: LatticeConnection,
  sources: readonly ManifestFile[],
) {
  if (sources.length === 0) return;
  const [{ awaitDeployed, putManifest }, { WadmClient }] = await Promise.all([
    import('../deployment.ts'),
    import('../../lattice/wadm-client.ts'),
  ]);
  const wadm = new WadmClient(connection);
  for (const source of sources) {
    const app = await putManifest(wadm, source, () => undefined);
    await wadm.deploy(app.name, app.version);
    cli.note(`Deploying ${app.name} version ${app.version}`);
    await awaitDeployed(connection, wadm, app, {
      file: source.file,
      timeoutMs: deployWaitMs,
      signal: around.stop.signal,
      // what wadm does stands in its log, on the same terminal
      onProgress: (line, part) => part.status.type === 'reconciling' || cli.note(line),
    });
  }
}

/** What runs, asked of the lattice itself. */
async function readReady(
  connection: LatticeConnection,
  platform: Omit<Ready, 'applications' | 'http'>,
): Promise<Ready> {
  const [{ WadmClient }, { ControlClient }, { planHttpAddresses }, { listProviders, readInventories }] =
    await Promise.all([
      import('../../lattice/wadm-client.ts'),
      import('../../lattice/control.ts'),
      import('../http-addresses.ts'),
      import('../hosts.ts'),
    ]);
  const control = new ControlClient(connection);
  const [models, links, configs, inventories] = await Promise.all([
    new WadmClient(connection).list(),
    control.links(),
    control.listConfig(),
    readInventories(control),
  ]);
  const applications = models
    .filter((model) => model.deployed_version)
    .map((model) => ({ name: model.name, version: model.deployed_version ?? '', status: model.status }));
  const providers = new Set(listProviders(inventories).map(({ run }) => run.id));
  return { ...platform, applications, http: planHttpAddresses(links, configs, providers) };
}

async function startNats(cli: Cli, around: Surroundings, options: Options): Promise<string> {
  if (around.connection.url !== '') return around.connection.url;
  const { dataDir, natsPort, natsServer } = cli.readSettings([...natsServerSettings, 'dataDir'], options);
  const [{ NatsServer }, { createLog }] = await Promise.all([
    import('../../lattice/nats-server.ts'),
    import('../../lattice/log.ts'),
  ]);
  const log = createLog(around.logLevel, 'nats');
  const server = await NatsServer.start({ binary: natsServer, dataDir, port: natsPort, log, onProgress: cli.note });
  around.children.use(server);
  void server.lost.then((failure) => around.stop.request(failure));
  return server.url;
}

async function startPlatform(cli: Cli, around: Surroundings, options: Options): Promise<LatticeConnection> {
  const settings = cli.readSettings(upSettings, options);
  const [{ startPlatform }, { checkHostKeys }] = await Promise.all([
    import('../platform.ts'),
    import('../host-keys.ts'),
  ]);
  checkHostKeys(settings);
  const sources = await readManifests(cli, (options.deploy as string[] | undefined) ?? []);
  const { lattice } = around.connection;
  const platform: RunningPlatform = around.children.use(startPlatform(settings.dataDir, lattice));
  // loaded while nats-server starts
  const loading = Promise.all([import('../daemons.ts'), import('../../host/host.ts'), import('../../wadm/wadm.ts')]);
  loading.catch(() => undefined);
  const natsUrl = await startNats(cli, around, options);
  around.stop.signal.throwIfAborted();
  const joined = { ...around, connection: { ...around.connection, url: natsUrl } };
  const [{ startHost, startWadm }] = await loading;
  const host = await startHost(joined, settings, 'default');
  platform.update({ natsUrl, hostId: host.id });
  around.stop.signal.throwIfAborted();
  const connection = await startWadm(joined);
  await deployAll(cli, joined, connection, sources);
  around.stop.signal.throwIfAborted();
  const facts = { pid: process.pid, lattice, nats: natsUrl, host: host.id, dataDir: settings.dataDir };
  const ready = await readReady(connection, facts);
  platform.update({ readyAt: new Date().toISOString() });
  cli.print(ready, (shown) => formatReady(shown, ['Ctrl-C stops.']));
  return connection;
}

/** Where to connect; an empty URL means our own nats-server. */
async function planSurroundings(cli: Cli, options: Options): Promise<Omit<Surroundings, 'children'>> {
  const [{ planConnection }, { createStopSignal }] = await Promise.all([
    import('../cli.ts'),
    import('../foreground.ts'),
  ]);
  const settings = cli.readSettings([...upSettings, 'lattice'], options);
  const limitMs = Math.min(settings.drainMs, settings.actorDeadlineMs) + stopMarginMs;
  return {
    connection: planConnection({ ...options, lattice: settings.lattice, natsUrl: settings.natsUrl ?? '' }),
    stop: createStopSignal(limitMs, cli.note),
    logLevel: settings.logLevel,
  };
}

async function runUp(cli: Cli, options: Options): Promise<void> {
  if (options.detach === true) return runDetached(cli, options);
  const around = await planSurroundings(cli, options);
  const { runUntilStopped } = await import('../foreground.ts');
  await runUntilStopped(
    around.stop,
    async (children) => {
      await startPlatform(cli, { ...around, children }, options);
    },
    () => cli.note('Stopping …'),
  );
}

async function runDetached(cli: Cli, options: Options): Promise<void> {
  const { dataDir } = cli.readSettings(['dataDir'], options);
  const { startDetached } = await import('../detachment.ts');
  const { logFileOf, readPlatform } = await import('../platform.ts');
  // asked here as well, so that the answer does not wait for a new process
  await refuseSecond(dataDir, readPlatform(dataDir));
  // its log is text in any case: that is where its error is read from
  const words = [...process.argv.slice(1).filter((word) => word !== '--detach' && word !== '-d'), '--output', 'text'];
  const platform = await startDetached({ dataDir, words, onProgress: cli.note });
  const connection = await cli.connect({ ...options, natsUrl: platform.natsUrl });
  const facts = {
    pid: platform.pid,
    lattice: platform.lattice,
    nats: platform.natsUrl ?? '',
    host: platform.hostId ?? '',
    dataDir,
  };
  const ready = await readReady(connection, facts);
  cli.print(ready, (shown) =>
    formatReady(shown, [
      `It runs in the background (pid ${platform.pid}); \`wattle down\` stops it.`,
      `Its log is ${logFileOf(dataDir)}`,
    ]),
  );
}

async function refuseSecond(dataDir: string, running: Platform | undefined): Promise<void> {
  if (!running) return;
  const { WattleError } = await import('../../lattice/errors.ts');
  throw new WattleError('E_ALREADY_RUNNING', `a platform is running in ${dataDir} (pid ${running.pid})`);
}

export const up: Command = {
  name: 'up',
  register(program, cli) {
    const command = program
      .command('up')
      .description('start a platform on this machine: nats-server, a host and wadm')
      .option('-d, --detach', 'run in the background; returns when it is ready')
      .option(
        '--deploy <file>',
        'put and deploy this manifest, and wait until it is deployed; may be given again',
        collect,
      )
      .action(cli.action((options: Options) => runUp(cli, options)));
    cli.addConnection(cli.addSettings(command, [...natsServerSettings, ...hostSettings]));
    cli.addExamples(command, [
      'up',
      'up --detach --nats-port 0 --data-dir ./data',
      'up --deploy actors/counter/wadm.yaml',
      'up --nats-url nats://10.0.0.5:4222 --lattice prod --label zone=a',
    ]);
  },
};
