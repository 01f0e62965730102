// The list of capabilities, and how to find one by any name it has had. Those at the end have no built-in provider yet: they
// are known by name, so that manifests naming them are checked and links to a provider elsewhere resolve.
import type { Contract } from './contract.ts';
import { httpServer } from './http-server.ts';
import { keyvalue } from './keyvalue.ts';
import { logging } from './logging.ts';
import { random } from './random.ts';

const known = (
  name: string,
  ids: readonly [string, ...string[]],
  interfaces: Contract['interfaces'] = {},
  caller: Contract['caller'] = 'actor',
): Contract => ({ name, capability: ids[0], ids, interfaces, caller });

const http = ['incoming-handler', 'outgoing-handler', 'types'];

export const contracts: readonly Contract[] = [
  httpServer,
  keyvalue,
  logging,
  random,
  known('http-client', ['wasmcloud:httpclient', 'wasi:http', 'wrpc:http'], { 'wasi:http': http, 'wrpc:http': http }),
  known('messaging', ['wasmcloud:messaging', 'wasi:messaging'], {
    'wasmcloud:messaging': ['consumer', 'handler', 'request-reply', 'types'],
  }),
  known('blobstore', ['wasmcloud:blobstore', 'wasi:blobstore', 'wrpc:blobstore'], {
    'wasi:blobstore': ['blobstore', 'container', 'types'],
    'wrpc:blobstore': ['blobstore'],
  }),
  known('sql', ['wasmcloud:sqldb', 'wasmcloud:postgres', 'wasi:sql'], {
    'wasmcloud:postgres': ['managed-query', 'prepared', 'query', 'types'],
  }),
  known('config', ['wasi:config', 'wasmcloud:config'], { 'wasi:config': ['runtime', 'store'] }),
  known('secrets', ['wasmcloud:secrets'], { 'wasmcloud:secrets': ['reveal', 'store'] }),
];

const byId = new Map<string, Contract>();
// the first contract keeps a shared id: `wasi:http` without an interface is the server's
for (const contract of contracts) for (const id of contract.ids) if (!byId.has(id)) byId.set(id, contract);

const isOutgoing = (interfaces: readonly string[]): boolean =>
  interfaces.includes('outgoing-handler') && !interfaces.includes('incoming-handler');

/** The contract behind an id of either era: `wasmcloud:keyvalue`, `wasi:keyvalue/store@0.2.0`, `wasmcloud:builtin:logging`. */
export function findContract(id: string): Contract | undefined {
  const [base = '', rest = ''] = id.split('/');
  const packageId = base.split('@')[0]!;
  if (/^w(asi|rpc):http$/.test(packageId) && rest.split('@')[0] === 'outgoing-handler')
    return byId.get('wasmcloud:httpclient');
  return byId.get(packageId);
}

/** The contract of a link. Its interfaces tell the two directions of `wasi:http` apart. */
export function findLinkContract(link: {
  readonly wit_namespace: string;
  readonly wit_package: string;
  readonly interfaces?: readonly string[];
}): Contract | undefined {
  const id = `${link.wit_namespace}:${link.wit_package}`;
  return findContract(isOutgoing(link.interfaces ?? []) ? `${id}/outgoing-handler` : id);
}
