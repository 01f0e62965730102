// Where applications answer: the addresses of HTTP links, read from the configuration of the provider's side.
import { findLinkContract } from '../lattice/contracts/index.ts';
import type { Link } from '../lattice/types.ts';

export interface HttpAddress {
  readonly url: string;
  readonly actorId: string;
}

type Configs = Readonly<Record<string, Readonly<Record<string, string>>>>;

const serverConfig = (link: Link, configs: Configs): Record<string, string> => {
  const merged: Record<string, string> = {};
  for (const name of [...link.source_config, ...link.target_config])
    for (const [key, value] of Object.entries(configs[name] ?? {})) merged[key.toLowerCase()] = value;
  return merged;
};

/** The other end of a link: whoever is not its provider. Providers are told by their ids. */
const actorOf = (link: Link, providers: ReadonlySet<string>): string =>
  providers.has(link.source_id) ? link.target : link.source_id;

/** `host:port` as a person can open it: a server on every interface answers on this machine. */
function reachable(address: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [undefined, address];
  const name = ['', '0.0.0.0', '[::]', '::'].includes(host) ? '127.0.0.1' : host;
  return `http://${name}${port === '' || port === '80' ? '' : `:${port}`}`;
}

/** One address for each HTTP link that says where it listens, by URL. */
export function planHttpAddresses(
  links: readonly Link[],
  configs: Configs,
  providers: ReadonlySet<string>,
): HttpAddress[] {
  return links
    .filter((link) => findLinkContract(link)?.name === 'http-server')
    .flatMap((link) => {
      const config = serverConfig(link, configs);
      const address = config.address ?? (config.port ? `127.0.0.1:${config.port}` : undefined);
      if (address === undefined) return [];
      return [{ url: `${reachable(address)}${config.path ?? ''}`, actorId: actorOf(link, providers) }];
    })
    .sort((a, b) => (a.url < b.url ? -1 : 1));
}
