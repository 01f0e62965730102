// `wattle link`: grants between actors and providers. A link without values of its own names configurations; `--set` keeps
// its values in a configuration of the link's own, which goes when the link goes.
import { createHash } from 'node:crypto';
import { WattleError } from '../../lattice/errors.ts';
import { parsePairs } from '../../lattice/settings.ts';
import type { Link, LinkKey } from '../../lattice/types.ts';
import type { Cli, Command, Options } from '../command.ts';
import { collect } from '../options.ts';
import { formatTable } from '../output.ts';

interface PutOptions extends Options {
  readonly name: string;
  readonly interface?: readonly string[];
  readonly sourceConfig?: readonly string[];
  readonly targetConfig?: readonly string[];
  readonly set?: readonly string[];
}

/** `wasmcloud:keyvalue`, or `wasi:keyvalue/store` with an interface. Throws E_USAGE. */
export function parseContract(text: string): { namespace: string; package: string; interfaces: string[] } {
  const match = /^([a-z][a-z0-9-]*):([a-z0-9][a-z0-9:-]*)(?:\/([a-z0-9,-]+))?(?:@[\w.-]+)?$/.exec(text);
  if (!match)
    throw new WattleError('E_USAGE', `"${text}" is not a contract`, {
      hint: 'A contract is namespace:package or namespace:package/interface, such as wasmcloud:keyvalue or wasi:keyvalue/store.',
    });
  return { namespace: match[1]!, package: match[2]!, interfaces: match[3]?.split(',') ?? [] };
}

/** Name of the configuration a link owns: the same link always has the same one, two links never share one. */
export function nameOwnConfig(key: LinkKey): string {
  const identity = JSON.stringify([key.source_id, key.name, key.wit_namespace, key.wit_package]);
  return `link-${key.source_id}-${key.wit_package.replace(/[^A-Za-z0-9_-]/g, '-')}-${key.name}-${createHash('sha256').update(identity).digest('hex').slice(0, 8)}`;
}

const keyOf = (link: Link): LinkKey => ({
  source_id: link.source_id,
  name: link.name,
  wit_namespace: link.wit_namespace,
  wit_package: link.wit_package,
});

/** The side of the link that is the provider: the source where the provider calls (HTTP, subscriptions), else the target. */
async function findProviderSide(cli: Cli, link: Link, options: Options): Promise<'source' | 'target'> {
  const { listProviders, readInventories } = await import('../hosts.ts');
  const { findLinkContract } = await import('../../lattice/contracts/index.ts');
  const running = listProviders(await readInventories(await cli.control(options)));
  if (running.some(({ run }) => run.id === link.target)) return 'target';
  if (running.some(({ run }) => run.id === link.source_id)) return 'source';
  // neither runs yet: in the actor era the actor is always the source, later the caller is
  return findLinkContract(link)?.caller === 'provider' && link.wit_namespace !== 'wasmcloud' ? 'source' : 'target';
}

async function putLink(cli: Cli, words: readonly [string, string, string], options: PutOptions): Promise<void> {
  const contract = parseContract(words[2]);
  const values = parsePairs(options.set ?? [], '--set');
  const plain: Link = {
    source_id: words[0],
    target: words[1],
    name: options.name,
    wit_namespace: contract.namespace,
    wit_package: contract.package,
    interfaces: [...contract.interfaces, ...(options.interface ?? [])],
    source_config: [...(options.sourceConfig ?? [])],
    target_config: [...(options.targetConfig ?? [])],
  };
  const control = await cli.control(options);
  const own = nameOwnConfig(plain);
  let link = plain;
  if (options.set) {
    const side = await findProviderSide(cli, plain, options);
    await control.putConfig(own, values);
    link =
      side === 'source'
        ? { ...plain, source_config: [...plain.source_config, own] }
        : { ...plain, target_config: [...plain.target_config, own] };
  }
  await control.putLink(link);
  cli.print(link, () => `Linked ${link.source_id} to ${link.target} (${words[2]}, link ${link.name})`);
}

async function deleteLink(
  cli: Cli,
  source: string,
  contractText: string,
  options: Options & { name: string },
): Promise<void> {
  const contract = parseContract(contractText);
  const key = {
    source_id: source,
    name: options.name,
    wit_namespace: contract.namespace,
    wit_package: contract.package,
  };
  const control = await cli.control(options);
  const link = (await control.links()).find((link) => JSON.stringify(keyOf(link)) === JSON.stringify(key));
  if (!link)
    throw new WattleError('E_NOT_FOUND', `there is no link ${key.name} of ${source} for ${contractText}`, {
      hint: 'See `wattle link list`.',
    });
  await control.deleteLink(key);
  const own = nameOwnConfig(key);
  if ([...link.source_config, ...link.target_config].includes(own)) await control.deleteConfig(own);
  cli.print({ ...key, deleted: true }, () => `Deleted the link of ${source} for ${contractText} (link ${key.name})`);
}

async function listLinks(cli: Cli, options: Options): Promise<void> {
  const links = await (await cli.control(options)).links();
  cli.print(links, () =>
    links.length === 0
      ? 'There is no link.'
      : formatTable(
          ['SOURCE', 'TARGET', 'CONTRACT', 'INTERFACES', 'LINK', 'CONFIG'],
          links.map((link) => [
            link.source_id,
            link.target,
            `${link.wit_namespace}:${link.wit_package}`,
            link.interfaces.join(','),
            link.name,
            [...link.source_config, ...link.target_config].join(','),
          ]),
        ),
  );
}

export const link: Command = {
  name: 'link',
  register(program, cli) {
    const noun = program.command('link').description('grants: who may use which contract of whom');
    const put = noun
      .command('put <source> <target> <contract>')
      .description('put a link; a provider that cannot serve it refuses it here')
      .option('-n, --name <name>', 'name of the link', 'default')
      .option('-i, --interface <interface>', 'interface of the contract; may be given again', collect)
      .option('--source-config <name>', 'configuration of the source side; may be given again', collect)
      .option('--target-config <name>', 'configuration of the target side; may be given again', collect)
      .option('--set <key=value>', "value for the provider's side, kept with the link; may be given again", collect)
      .action(
        cli.action((source: string, target: string, contract: string, options: PutOptions) =>
          putLink(cli, [source, target, contract], options),
        ),
      );
    cli.addExamples(cli.addConnection(put), [
      'link put counter redis wasmcloud:keyvalue --set url=redis://127.0.0.1:6379',
      'link put web hello wasi:http/incoming-handler --source-config web',
    ]);
    const del = noun
      .command('del <source> <contract>')
      .alias('delete')
      .description('delete a link, and the configuration `--set` made for it')
      .option('-n, --name <name>', 'name of the link', 'default')
      .action(
        cli.action((source: string, contract: string, options: Options & { name: string }) =>
          deleteLink(cli, source, contract, options),
        ),
      );
    cli.addExamples(cli.addConnection(del), ['link del counter wasmcloud:keyvalue']);
    const list = noun
      .command('list')
      .description('list the links of the lattice')
      .action(cli.action((options: Options) => listLinks(cli, options)));
    cli.addExamples(cli.addConnection(list), ['link list --output json']);
  },
};
