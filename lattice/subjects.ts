// Every subject, queue group, bucket and stream of the lattice, each as a function with the fact beside it. No other
// file writes a subject. Ids are validated (types.ts idPattern) before they get here; `token` checks once more.
import { WattleError } from './errors.ts';

/** One token of a subject: refuses what would widen it (`*`, `>`, `.`, blanks, control characters) or is empty. */
export function token(value: string): string {
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(value)) throw new WattleError('E_USAGE', `"${value}" cannot be part of a subject`);
  return value;
}

/** Control interface v1 (protocol.md 3.2). */
const control = (lattice: string, suffix: string): string => `wasmbus.ctl.v1.${token(lattice)}.${suffix}`;

export const controlSubjects = {
  /** Everything of the control interface of one lattice. */
  all: (lattice: string) => control(lattice, '>'),
  actorAuction: (lattice: string) => control(lattice, 'component.auction'),
  actorScale: (lattice: string, hostId: string) => control(lattice, `component.scale.${token(hostId)}`),
  actorUpdate: (lattice: string, hostId: string) => control(lattice, `component.update.${token(hostId)}`),
  providerAuction: (lattice: string) => control(lattice, 'provider.auction'),
  providerStart: (lattice: string, hostId: string) => control(lattice, `provider.start.${token(hostId)}`),
  providerStop: (lattice: string, hostId: string) => control(lattice, `provider.stop.${token(hostId)}`),
  hostGet: (lattice: string, hostId: string) => control(lattice, `host.get.${token(hostId)}`),
  hostPing: (lattice: string) => control(lattice, 'host.ping'),
  hostStop: (lattice: string, hostId: string) => control(lattice, `host.stop.${token(hostId)}`),
  claimsGet: (lattice: string) => control(lattice, 'claims.get'),
  linkGet: (lattice: string) => control(lattice, 'link.get'),
  linkPut: (lattice: string) => control(lattice, 'link.put'),
  linkDel: (lattice: string) => control(lattice, 'link.del'),
  labelPut: (lattice: string, hostId: string) => control(lattice, `label.put.${token(hostId)}`),
  labelDel: (lattice: string, hostId: string) => control(lattice, `label.del.${token(hostId)}`),
  registryPut: (lattice: string) => control(lattice, 'registry.put'),
  configGet: (lattice: string, name: string) => control(lattice, `config.get.${configToken(name)}`),
  configPut: (lattice: string, name: string) => control(lattice, `config.put.${configToken(name)}`),
  configDel: (lattice: string, name: string) => control(lattice, `config.del.${configToken(name)}`),
  /** Own addition: all config names with their values. Queue group of config. */
  configList: (lattice: string) => control(lattice, 'config.list'),
  /** Own addition: every host answers whether a link could be served by the providers it runs ({ok, error?}). */
  linkCheck: (lattice: string) => control(lattice, 'linkcheck'),
  /** What one host subscribes for itself: every verb of a noun; and with the others of its queue `link.*`, `config.>`. */
  toHost: (lattice: string, noun: 'host' | 'label' | 'component' | 'provider', hostId: string) =>
    control(lattice, `${noun}.*.${token(hostId)}`),
  linkAll: (lattice: string) => control(lattice, 'link.*'),
  configAll: (lattice: string) => control(lattice, 'config.>'),
};

/** A config name may hold dots (it is the tail of its subject); each part is a token of its own. */
const configToken = (name: string): string => name.split('.').map(token).join('.');

/** Queue groups of the control interface (protocol.md 3.2): one host of the lattice answers. */
export const controlQueues = {
  claims: (lattice: string) => control(lattice, 'claims'),
  link: (lattice: string) => control(lattice, 'link'),
  config: (lattice: string) => control(lattice, 'config'),
};

/** Events (protocol.md 4): 1.x hosts publish on the suffixed subject only. */
export const eventSubjects = {
  one: (lattice: string, name: string) => `wasmbus.evt.${token(lattice)}.${token(name)}`,
  all: (lattice: string) => `wasmbus.evt.${token(lattice)}.>`,
};

/** RPC (protocol.md 2.1): the queue group of an actor is the subject itself, that of a provider is `rpc`. */
export const rpcSubjects = {
  actor: (lattice: string, actorId: string) => `wasmbus.rpc.${token(lattice)}.${token(actorId)}`,
  provider: (lattice: string, providerId: string, linkName: string) =>
    `wasmbus.rpc.${token(lattice)}.${token(providerId)}.${token(linkName)}`,
  /** What a host subscribes for a provider it runs: every link name, and `health`. */
  providerAll: (lattice: string, providerId: string) => `wasmbus.rpc.${token(lattice)}.${token(providerId)}.*`,
  providerQueue: 'rpc',
};

/** wadm API (protocol.md 5.1). */
export const wadmSubjects = {
  api: (lattice: string, operation: string, name?: string) =>
    `wadm.api.${token(lattice)}.model.${token(operation)}${name === undefined ? '' : `.${token(name)}`}`,
  all: (lattice: string) => `wadm.api.${token(lattice)}.model.>`,
  queue: 'wadm_server',
  /** Status JSON of an application each time it changes. */
  status: (lattice: string, name: string) => `wadm.status.${token(lattice)}.${token(name)}`,
  event: (lattice: string, name: string) => `wadm.evt.${token(lattice)}.${token(name)}`,
};

/** JetStream buckets (protocol.md 6.1, 6.2, 2.5, 5.6). */
export const buckets = {
  latticeData: (lattice: string) => `LATTICEDATA_${token(lattice)}`,
  config: (lattice: string) => `CONFIGDATA_${token(lattice)}`,
  /** Where keyvalue-nats keeps the values of links that name no bucket. */
  keyvalue: (lattice: string) => `KEYVALUE_${token(lattice)}`,
  /** The object store of chunked payloads is named exactly like the lattice. */
  chunks: (lattice: string) => token(lattice),
  manifests: 'wadm_manifests',
  state: 'wadm_state',
};

/** Keys inside LATTICEDATA_{lattice}. */
export const dataKeys = {
  actorPrefix: 'COMPONENT_',
  claimsPrefix: 'CLAIMS_',
  actor: (id: string) => `COMPONENT_${token(id)}`,
  claims: (publicKey: string) => `CLAIMS_${token(publicKey)}`,
};
