// `wattle app`: declared applications. `deploy` waits until the application runs, and fails with the reason when it does not.
import type { Command as Program } from 'commander';
import { WattleError } from '../../lattice/errors.ts';
import type { AppStatus, ModelSummary } from '../../lattice/wadm-client.ts';
import type { Cli, Command, Options } from '../command.ts';
import { appNamePattern, type ManifestFile } from '../manifest-name.ts';
import { addWait, readCount, readWaitMs } from '../options.ts';
import { formatFacts, formatSeconds, formatTable } from '../output.ts';

/** What wadm marks its own with. */
const applicationAnnotation = 'wasmcloud.dev/appspec';

const deployment = () => import('../deployment.ts');

async function readManifest(path: string): Promise<ManifestFile> {
  const { readManifestFile } = await import('../manifest-file.ts');
  return readManifestFile(path);
}

async function putApp(cli: Cli, file: string, options: Options): Promise<void> {
  // a file that is not there is the first thing to hear, whether a lattice answers or not
  const [{ putManifest }, source] = await Promise.all([deployment(), readManifest(file)]);
  const put = await putManifest(await cli.wadm(options), source, cli.note);
  cli.print(put, ({ name, version, created }) =>
    created ? `Put ${name} version ${version}` : `Version ${version} of ${name} is stored already`,
  );
}

/** What to deploy: a stored application by name, or a manifest, which is put first. */
async function stage(cli: Cli, target: string, version: string | undefined, options: Options) {
  if (appNamePattern.test(target) && target !== '-')
    return { name: target, version: await (await cli.wadm(options)).deploy(target, version), file: target };
  const [{ putManifest }, source] = await Promise.all([deployment(), readManifest(target)]);
  const wadm = await cli.wadm(options);
  const put = await putManifest(wadm, source, cli.note);
  await wadm.deploy(put.name, put.version);
  return { name: put.name, version: put.version, file: source.file };
}

async function deployApp(cli: Cli, target: string, version: string | undefined, options: Options): Promise<void> {
  const waitMs = readWaitMs(options);
  const app = await stage(cli, target, version, options);
  if (waitMs === undefined)
    return cli.print(
      { name: app.name, version: app.version, waited: false },
      () => `Asked wadm to deploy ${app.name} version ${app.version}`,
    );
  cli.note(`Deploying ${app.name} version ${app.version}`);
  const { awaitDeployed } = await deployment();
  const watch = { file: app.file, timeoutMs: waitMs, onProgress: cli.note };
  const status = await awaitDeployed(await cli.connect(options), await cli.wadm(options), app, watch);
  cli.print({ ...status, name: app.name, version: app.version }, () => `Deployed ${app.name} version ${app.version}`);
}

async function undeployApp(cli: Cli, name: string, options: Options): Promise<void> {
  const wadm = await cli.wadm(options);
  await wadm.undeploy(name);
  const waitMs = readWaitMs(options);
  if (waitMs !== undefined) await awaitUndeployed(cli, name, waitMs, options);
  cli.print({ name, undeployed: true, waited: waitMs !== undefined }, () =>
    waitMs === undefined ? `Asked wadm to undeploy ${name}` : `Undeployed ${name}`,
  );
}

/** Until wadm has taken it back and no host runs anything of it any more. */
async function awaitUndeployed(cli: Cli, name: string, waitMs: number, options: Options): Promise<void> {
  const [wadm, control] = await Promise.all([cli.wadm(options), cli.control(options)]);
  const { listActors, listProviders, readInventories } = await import('../hosts.ts');
  const deadline = performance.now() + waitMs;
  for (;;) {
    const status = await wadm.status(name);
    const inventories = await readInventories(control);
    const left = [...listActors(inventories), ...listProviders(inventories)].filter(
      ({ run }) => run.annotations?.[applicationAnnotation] === name,
    );
    if (status.status.type === 'undeployed' && left.length === 0) return;
    if (performance.now() > deadline) {
      const what = left.map(({ run, hostName }) => `${run.id} on ${hostName}`).join(', ');
      throw new WattleError('E_TIMEOUT', `${name} is not gone after ${waitMs} ms: ${what || status.status.message}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function deleteApp(cli: Cli, name: string, version: string | undefined, options: Options): Promise<void> {
  const answer = await (await cli.wadm(options)).delete(name, version);
  const what = version === undefined ? name : `version ${version} of ${name}`;
  if (answer.result !== 'deleted') throw new WattleError('E_APP_NOT_FOUND', `there is no ${what}`);
  cli.print({ name, version: version ?? null, deleted: true, undeploy: answer.undeploy }, ({ undeploy }) =>
    undeploy ? `Deleted ${what}; what runs of it is being stopped` : `Deleted ${what}`,
  );
}

const formatApps = (apps: readonly ModelSummary[]): string =>
  apps.length === 0
    ? 'There is no application.'
    : formatTable(
        ['NAME', 'STATUS', 'DEPLOYED', 'LATEST', 'DESCRIPTION'],
        apps.map((app) => [app.name, app.status, app.deployed_version ?? '', app.version, app.description ?? '']),
      );

async function getApp(cli: Cli, name: string, version: string | undefined, options: Options): Promise<void> {
  const manifest = await (await cli.wadm(options)).get(name, version);
  const { stringify } = await import('yaml');
  cli.print(manifest, (document) => stringify(document));
}

async function listVersions(cli: Cli, name: string, options: Options): Promise<void> {
  const versions = await (await cli.wadm(options)).versions(name);
  cli.print(versions, (all) =>
    formatTable(
      ['VERSION', 'DEPLOYED'],
      all.map(({ version, deployed }) => [version, deployed ? 'yes' : '']),
    ),
  );
}

const ago = (since: string | undefined): string => {
  const at = since === undefined ? Number.NaN : Date.parse(since);
  return Number.isNaN(at) ? '' : `${formatSeconds((Date.now() - at) / 1000)} ago`;
};

export function formatStatus(name: string, status: AppStatus): string {
  const facts = formatFacts([
    ['application', name],
    ['version', status.version],
    ['status', status.status.message ? `${status.status.type}: ${status.status.message}` : status.status.type],
  ]);
  if (status.scalers.length === 0) return facts;
  const rows = status.scalers.map((part) => [
    part.kind,
    part.name,
    part.status.type,
    ago(part.since),
    part.line === undefined ? '' : `${part.line}:${part.column ?? 1}`,
    [part.code, part.status.message, part.next].filter((word) => word !== undefined && word !== '').join('; '),
  ]);
  return `${facts}\n\n${formatTable(['KIND', 'NAME', 'STATUS', 'SINCE', 'LINE', 'REASON'], rows)}`;
}

async function showStatus(cli: Cli, name: string, options: Options): Promise<void> {
  const wadm = await cli.wadm(options);
  if (options.watch !== true) return cli.print(await wadm.status(name), (status) => formatStatus(name, status));
  const everyMs = typeof options.every === 'string' ? readCount(options.every, '--every') : 1000;
  let last = '';
  for (;;) {
    const status = await wadm.status(name);
    // ages pass without a change of the status
    const state = JSON.stringify(status);
    if (state !== last) cli.print(status, () => `${formatStatus(name, status)}\n`);
    last = state;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

async function validateApp(cli: Cli, file: string): Promise<void> {
  const [{ formatFinding }, { parseManifest }, source] = await Promise.all([
    deployment(),
    import('../../wadm/manifest.ts'),
    readManifest(file),
  ]);
  const { findings } = parseManifest(source.text);
  const valid = !findings.some((finding) => finding.level === 'error');
  if (!valid) process.exitCode = 1;
  cli.print({ file: source.file, valid, findings }, () =>
    [
      ...findings.map((finding) => formatFinding(source.file, finding)),
      ...(valid ? [`${source.file} is valid`] : []),
    ].join('\n'),
  );
}

type Add = (usage: string, about: string) => Program;
const versionArgument = '[version]';

/** Subcommands that change what is stored or runs. */
function defineChanges(cli: Cli, add: Add): void {
  const put = add('put <file>', 'store a manifest as a new version; nothing is deployed').action(
    cli.action((file: string, options: Options) => putApp(cli, file, options)),
  );
  cli.addExamples(put, ['app put wadm.yaml', 'app put - < wadm.yaml']);
  const deploy = add('deploy <file-or-name>', 'put a manifest and deploy it, or deploy a stored application')
    .argument(versionArgument, 'stored version; the latest one when absent')
    .action(
      cli.action((target: string, version: string | undefined, options: Options) =>
        deployApp(cli, target, version, options),
      ),
    );
  cli.addExamples(addWait(deploy), [
    'app deploy wadm.yaml',
    'app deploy ./my-app',
    'app deploy counter v2',
    'app deploy wadm.yaml --wait 120000 --output json',
  ]);
  const undeploy = add('undeploy <name>', 'stop what an application runs; its manifests stay').action(
    cli.action((name: string, options: Options) => undeployApp(cli, name, options)),
  );
  cli.addExamples(addWait(undeploy), ['app undeploy counter']);
  const del = add('delete <name>', 'delete an application or one version of it; what runs of it is undeployed')
    .alias('del')
    .argument(versionArgument, 'one version; all of them when absent')
    .action(
      cli.action((name: string, version: string | undefined, options: Options) =>
        deleteApp(cli, name, version, options),
      ),
    );
  cli.addExamples(del, ['app delete counter', 'app delete counter v1']);
}

/** Subcommands that show. */
function defineViews(cli: Cli, add: Add): void {
  const list = add('list', 'list applications').action(
    cli.action(async (options: Options) => cli.print(await (await cli.wadm(options)).list(), formatApps)),
  );
  cli.addExamples(list, ['app list', 'app list --output json']);
  const get = add('get <name>', 'print a manifest as stored')
    .argument(versionArgument, 'stored version; the latest one when absent')
    .action(
      cli.action((name: string, version: string | undefined, options: Options) => getApp(cli, name, version, options)),
    );
  cli.addExamples(get, ['app get counter > wadm.yaml']);
  const status = add('status <name>', 'show every part: state, since when, manifest line, reason, what comes next')
    .option('--watch', 'print again at every change, until interrupted')
    .option('--every <ms>', 'with --watch: how often to look (default: 1000)')
    .action(cli.action((name: string, options: Options) => showStatus(cli, name, options)));
  cli.addExamples(status, ['app status counter', 'app status counter --watch']);
  const versions = add('versions <name>', 'list the stored versions of an application').action(
    cli.action((name: string, options: Options) => listVersions(cli, name, options)),
  );
  cli.addExamples(versions, ['app versions counter']);
}

export const app: Command = {
  name: 'app',
  register(program, cli) {
    const noun = program.command('app').description('declared applications: manifests, versions, status');
    const add: Add = (usage, about) => cli.addConnection(noun.command(usage).description(about));
    defineChanges(cli, add);
    defineViews(cli, add);
    const validate = noun
      .command('validate <file>')
      .description('check a manifest without a lattice; prints file:line:column of everything wrong')
      .action(cli.action((file: string) => validateApp(cli, file)));
    cli.addExamples(validate, ['app validate wadm.yaml']);
  },
};
