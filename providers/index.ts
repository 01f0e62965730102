// The list of built-in providers, and how an image reference names one. Stock wasmCloud images of both eras mean the
// built-in of the same name, so that manifests written for wasmCloud deploy unchanged; images of others never do.
import { httpServerProvider } from './http-server.ts';
import { keyvalueNatsProvider } from './keyvalue-nats.ts';
import { keyvalueRedisProvider } from './keyvalue-redis.ts';
import type { ProviderDefinition } from './provider.ts';

export const providers: readonly ProviderDefinition[] = [
  httpServerProvider,
  keyvalueNatsProvider,
  keyvalueRedisProvider,
];

/** Where wasmCloud publishes its own images. '' and `wasmcloud/` stand for a reference without registry. */
const stockRegistries = ['wasmcloud.azurecr.io/', 'ghcr.io/wasmcloud/', 'docker.io/wasmcloud/', 'wasmcloud/', ''];
const schemes = ['wattle:', 'builtin:', 'wasmcloud+builtin://'];

/**
 * The provider a reference means: `wattle:http-server`, `builtin:http-server`, `wasmcloud+builtin://http-server`, or a stock
 * image with any tag or digest (`ghcr.io/wasmcloud/http-server:0.23.0`). Undefined for everything else.
 */
export function findProvider(ref: string): ProviderDefinition | undefined {
  const scheme = schemes.find((prefix) => ref.startsWith(prefix));
  if (scheme) return byName(ref.slice(scheme.length));
  const image = ref
    .replace(/^oci:\/\//, '')
    .replace(/@sha256:[0-9a-f]{64}$/, '')
    .replace(/:[A-Za-z0-9._-]+$/, '');
  const registry = stockRegistries.find(
    (prefix) => image.startsWith(prefix) && !image.slice(prefix.length).includes('/'),
  );
  return registry === undefined ? undefined : byName(image.slice(registry.length));
}

const byName = (name: string): ProviderDefinition | undefined =>
  providers.find((provider) => provider.name === name || provider.images.includes(name));
