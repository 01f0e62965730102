// The sample actors built, signed by a platform's own key and deployed on it, as a user would.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildActor, readActorFile } from '../../actors/build.ts';
import { openKeyring } from '../../lattice/keyring.ts';
import type { Platform } from './platform.ts';

const actorsDir = fileURLToPath(new URL('../../actors', import.meta.url));

/** Builds one sample at a version, signed with the account of a data directory; returns the file. */
export async function buildSample(dataDir: string, name: string, version?: string): Promise<string> {
  const actor = await readActorFile(join(actorsDir, name));
  const out = join(dataDir, `${name}-${version ?? actor.version}.wasm`);
  await buildActor({ ...actor, ...(version ? { version } : {}), out, keyring: openKeyring(dataDir) });
  return out;
}

export interface ManifestOptions {
  readonly app: string;
  readonly file: string;
  readonly port: number;
  readonly instances?: number;
  readonly version?: string;
  /** Image of the key-value provider, with the configuration of the link. */
  readonly store?: { readonly image: string; readonly config: Readonly<Record<string, string>> };
  /** Labels a host must have to run the HTTP server; without them any host may get it. */
  readonly httpRequirements?: Readonly<Record<string, string>>;
  /** Labels a host must have to run the actor. */
  readonly requirements?: Readonly<Record<string, string>>;
}

const configOf = (name: string, values: Readonly<Record<string, string>>): object => ({
  config: [{ name, properties: values }],
});

/** A manifest (JSON is YAML) of one HTTP actor, with a key-value store when asked. Ids: `{app}-actor`, `{app}-http`, `{app}-store`. */
export function createManifest(options: ManifestOptions): string {
  const { app, file, port, store } = options;
  const spread = (requirements: ManifestOptions['requirements']): object =>
    requirements ? { spread: [{ name: 'here', requirements }] } : {};
  const link = (properties: object): object => ({ type: 'link', properties });
  const storeLink = store
    ? [
        link({
          target: { name: 'store', ...configOf('store', store.config) },
          namespace: 'wasi',
          package: 'keyvalue',
          interfaces: ['store', 'atomics'],
        }),
      ]
    : [];
  const actor = {
    name: 'actor',
    type: 'component',
    properties: { image: `file://${file}` },
    traits: [
      { type: 'spreadscaler', properties: { instances: options.instances ?? 50, ...spread(options.requirements) } },
      ...storeLink,
    ],
  };
  const http = {
    name: 'http',
    type: 'capability',
    properties: { image: 'wattle:http-server' },
    traits: [
      { type: 'spreadscaler', properties: { instances: 1, ...spread(options.httpRequirements) } },
      link({
        target: { name: 'actor' },
        namespace: 'wasi',
        package: 'http',
        interfaces: ['incoming-handler'],
        source: configOf('address', { address: `127.0.0.1:${port}` }),
      }),
    ],
  };
  const stores = store ? [{ name: 'store', type: 'capability', properties: { image: store.image } }] : [];
  return JSON.stringify({
    apiVersion: 'core.oam.dev/v1beta1',
    kind: 'Application',
    metadata: { name: app, annotations: { version: options.version ?? 'v1', description: `test application ${app}` } },
    spec: { components: [actor, http, ...stores] },
  });
}

/** Writes and deploys a manifest; throws with what the command printed when it does not become deployed. */
export async function deployManifest(platform: Platform, manifest: string): Promise<void> {
  const path = join(platform.dataDir, `manifest-${Math.random().toString(36).slice(2)}.json`);
  await writeFile(path, manifest);
  const result = await platform.wattle('app', 'deploy', path);
  if (result.code !== 0) throw new Error(`app deploy: exit ${result.code}\n${result.stdout}${result.stderr}`);
}

/** The hello sample on `http://127.0.0.1:{port}/`. */
export async function deployHello(platform: Platform, { port }: { port: number }): Promise<void> {
  const file = await buildSample(platform.dataDir, 'hello');
  await deployManifest(platform, createManifest({ app: 'hello', file, port }));
}

/** The counter sample with a key-value store. */
export async function deployCounter(
  platform: Platform,
  options: { port: number; store: NonNullable<ManifestOptions['store']>; app?: string },
): Promise<void> {
  const file = await buildSample(platform.dataDir, 'counter');
  await deployManifest(platform, createManifest({ app: options.app ?? 'counter', file, ...options }));
}
