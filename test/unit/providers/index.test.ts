import { describe, expect, it } from 'vitest';
import { findProvider, providers } from '../../../providers/index.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('The image of a provider', () => {
  it('names a built-in by our own schemes and by every stock image', () => {
    const names = {
      'wattle:http-server': 'http-server',
      'builtin:http-server': 'http-server',
      'wasmcloud+builtin://http-server': 'http-server',
      'ghcr.io/wasmcloud/http-server:0.23.0': 'http-server',
      [`ghcr.io/wasmcloud/http-server:0.23.0@${digest}`]: 'http-server',
      [`ghcr.io/wasmcloud/http-server@${digest}`]: 'http-server',
      'oci://ghcr.io/wasmcloud/http-server:0.23.0': 'http-server',
      'ghcr.io/wasmcloud/httpserver': 'http-server',
      'wasmcloud.azurecr.io/httpserver:0.17.0': 'http-server',
      'wasmcloud.azurecr.io/kvredis:0.16.3': 'keyvalue-redis',
      'ghcr.io/wasmcloud/keyvalue-redis:0.28.1': 'keyvalue-redis',
      'ghcr.io/wasmcloud/keyvalue-nats:0.1.0': 'keyvalue-nats',
      'docker.io/wasmcloud/http-server:1': 'http-server',
      'wasmcloud/http-server': 'http-server',
      httpserver: 'http-server',
      'wattle:keyvalue-nats': 'keyvalue-nats',
    };
    for (const [ref, name] of Object.entries(names)) expect(findProvider(ref)?.name, ref).toBe(name);
  });
  it('of anybody else is never taken for a built-in', () => {
    const others = [
      '',
      'localhost:5000/http-server:1',
      'example.com/wasmcloud/http-server:1',
      'ghcr.io/someone/http-server:0.23.0',
      'ghcr.io/wasmcloud/components/http-server:1',
      'ghcr.io/wasmcloud.evil/http-server',
      'ghcr.io/wasmcloudx/http-server',
      'evil.io/ghcr.io/wasmcloud/http-server',
      'file:///http-server',
      'wattle:nothing',
      'wasmcloud.azurecr.io/httpclient:0.17.0',
      'constructor',
    ];
    for (const ref of others) expect(findProvider(ref), ref).toBeUndefined();
  });
  it('belongs to one provider only', () => {
    const names = providers.flatMap((provider) => [...new Set([provider.name, ...provider.images])]);
    expect(new Set(names).size).toBe(names.length);
  });
});
