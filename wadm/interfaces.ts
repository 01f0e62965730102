// WIT packages and interfaces that manifests may link, so that a misspelled one gets a warning. Only names in the
// namespaces below are judged: other namespaces are anybody's own.

const packages: Readonly<Record<string, readonly string[]>> = {
  'wasi:blobstore': ['blobstore', 'container', 'types'],
  'wasi:cli': ['environment', 'exit', 'run', 'stderr', 'stdin', 'stdout'],
  'wasi:clocks': ['monotonic-clock', 'timezone', 'wall-clock'],
  'wasi:config': ['runtime', 'store'],
  'wasi:filesystem': ['preopens', 'types'],
  'wasi:http': ['handler', 'incoming-handler', 'outgoing-handler', 'types'],
  'wasi:io': ['error', 'poll', 'streams'],
  'wasi:keyvalue': ['atomics', 'batch', 'store', 'watcher'],
  'wasi:logging': ['logging'],
  'wasi:random': ['insecure', 'insecure-seed', 'random'],
  'wasi:sockets': [
    'instance-network',
    'ip-name-lookup',
    'network',
    'tcp',
    'tcp-create-socket',
    'udp',
    'udp-create-socket',
  ],
  'wasmcloud:bus': ['error', 'lattice'],
  'wasmcloud:messaging': ['consumer', 'handler', 'request-reply', 'types'],
  'wasmcloud:postgres': ['managed-query', 'query', 'query-transaction', 'types'],
  'wasmcloud:secrets': ['reveal', 'store'],
};

/** What is doubtful about linking these interfaces; undefined when nothing is. */
export function doubtInterfaces(namespace: string, name: string, interfaces: readonly string[]): string | undefined {
  const known = packages[`${namespace}:${name}`];
  // the contracts of the actor era share the namespace wasmcloud, so an unknown package there proves nothing
  if (!known) return namespace === 'wasi' ? `unknown package "wasi:${name}"` : undefined;
  const unknown = interfaces.filter((one) => !known.includes(one));
  if (unknown.length === 0) return undefined;
  return `unknown interface ${unknown.map((one) => `"${one}"`).join(', ')} of ${namespace}:${name}; known are ${known.join(', ')}`;
}
