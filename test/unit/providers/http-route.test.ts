import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHttpRoute } from '../../../providers/http-config.ts';
import { corsLines, isPreflight, preflightLines } from '../../../providers/http-cors.ts';
import { createRouteTable, formatRoute, routesClash } from '../../../providers/http-route.ts';

const route = parseHttpRoute;
const refused = (config: Record<string, string>, text: string): void =>
  expect(() => route(config), JSON.stringify(config)).toThrow(
    expect.objectContaining({ code: 'E_LINK_CONFIG', message: expect.stringContaining(text) }),
  );

describe('The configuration of an HTTP link', () => {
  it('without an address listens where protocol.md 7.5 says', () => {
    expect(route({})).toMatchObject({ address: '127.0.0.1', port: 8000, pathPrefix: '/', readOnly: false });
    expect(route({}, '0.0.0.0:9000')).toMatchObject({ address: '0.0.0.0', port: 9000 });
  });
  it('takes the keys of both eras in any case', () => {
    expect(route({ ADDRESS: '127.0.0.1:8080' })).toMatchObject({ address: '127.0.0.1', port: 8080 });
    expect(route({ address: '0.0.0.0:8080' })).toMatchObject({ address: '0.0.0.0', port: 8080 });
    expect(route({ Port: '9' })).toMatchObject({ address: '127.0.0.1', port: 9 });
    expect(route({ address: '0.0.0.0', PORT: '9' })).toMatchObject({ address: '0.0.0.0', port: 9 });
    expect(route({ address: '[::1]:80' })).toMatchObject({ address: '::1', port: 80 });
    expect(route({ address: 'localhost:0' })).toMatchObject({ address: '127.0.0.1', port: 0 });
    expect(route({ Host: 'Example.COM', path_prefix: '/api/' })).toMatchObject({
      host: 'example.com',
      pathPrefix: '/api',
    });
    expect(route({ path: '/' }).pathPrefix).toBe('/');
    expect(route({ tls_cert_file: 'c', TLS_PRIV_KEY_FILE: 'k' }).tls).toEqual({ certFile: 'c', keyFile: 'k' });
    expect(route({ cors_allowed_origins: 'https://a, https://b' }).cors?.origins).toEqual(['https://a', 'https://b']);
  });
  it('takes whole settings, single keys laid over them', () => {
    const settings = {
      address: '0.0.0.0:1',
      timeout_ms: 500,
      max_content_len: '100M',
      cors: { allowed_origins: ['*'] },
    };
    const expected = { address: '0.0.0.0', port: 1, timeoutMs: 500, maxBodyBytes: 100 * 1024 * 1024 };
    expect(route({ config_json: JSON.stringify(settings) })).toMatchObject(expected);
    expect(route({ CONFIG_B64: Buffer.from(JSON.stringify(settings)).toString('base64') })).toMatchObject(expected);
    expect(route({ config_json: JSON.stringify(settings), address: '127.0.0.1:2' })).toMatchObject({
      address: '127.0.0.1',
      port: 2,
    });
    expect(route({ config_json: JSON.stringify(settings) }).cors?.origins).toEqual([]);
  });
  it('reads sizes and flags', () => {
    for (const [text, bytes] of [
      ['10', 10],
      ['2K', 2048],
      ['1MB', 1048576],
      ['1 GiB', 1073741824],
    ] as const)
      expect(route({ max_content_len: text }).maxBodyBytes).toBe(bytes);
    expect(route({ readonly_mode: 'true' }).readOnly).toBe(true);
  });
  it('is refused where it means nothing, naming the key', () => {
    refused({ adress: 'x' }, 'unknown option "adress"');
    refused({ __proto__x: '1' }, 'unknown option');
    refused({ address: 'example.com:80' }, 'example.com:80');
    refused({ address: '127.0.0.1:99999' }, '99999');
    refused({ address: '127.0.0.1:1', port: '2' }, 'two ports');
    refused({ port: 'x' }, 'port');
    refused({ path: 'api' }, 'path');
    refused({ path: '/a*' }, 'path');
    refused({ host: 'a:80' }, 'host');
    refused({ max_content_len: 'lots' }, 'max_content_len');
    refused({ timeout_ms: '0' }, 'timeout_ms');
    refused({ readonly_mode: 'maybe' }, 'readonly_mode');
    refused({ cache_control: 'a\r\nset-cookie: x' }, 'cache_control');
    refused({ config_json: '[]' }, 'config_json');
    refused({ config_json: '{"tls": {"cert_file": "c"}}' }, 'tls.priv_key_file');
    refused({ config_file: '/etc/x' }, 'config_file');
    refused({ tls_cert_file: 'c' }, 'tls.priv_key_file');
  });
});

describe('Two routes', () => {
  const clash = (a: Record<string, string>, b: Record<string, string>): boolean => {
    const forward = routesClash(route(a), route(b));
    expect(routesClash(route(b), route(a))).toBe(forward);
    return forward;
  };
  it('clash on the same port, host and path where their addresses overlap', () => {
    expect(clash({ address: '127.0.0.1:80' }, { address: '127.0.0.1:80' })).toBe(true);
    expect(clash({ address: '127.0.0.1:80' }, { address: '0.0.0.0:80' })).toBe(true);
    expect(clash({ address: '127.0.0.1:80' }, { address: '[::]:80' })).toBe(true);
    expect(clash({ address: '0.0.0.0:80', host: 'A' }, { address: '0.0.0.0:80', host: 'a', path: '/' })).toBe(true);
    expect(clash({ path: '/api/' }, { path: '/api' })).toBe(true);
  });
  it('do not clash when port, host or path tell them apart', () => {
    expect(clash({ address: '127.0.0.1:80' }, { address: '127.0.0.1:81' })).toBe(false);
    expect(clash({ address: '127.0.0.1:80' }, { address: '127.0.0.2:80' })).toBe(false);
    expect(clash({ address: '127.0.0.1:0' }, { address: '127.0.0.1:0' })).toBe(false);
    expect(clash({ host: 'a' }, { host: 'b' })).toBe(false);
    expect(clash({ host: 'a' }, {})).toBe(false);
    expect(clash({ path: '/a' }, { path: '/ab' })).toBe(false);
  });
  it('are written as people read them', () => {
    expect(formatRoute(route({ address: '[::1]:80', path: '/a', host: 'x' }))).toBe('http://[::1]:80/a (host x)');
    expect(formatRoute(route({ port: '0' }), 4711)).toBe('http://127.0.0.1:4711/');
  });
});

describe('A table of routes', () => {
  const entry = (config: Record<string, string>) => ({ route: route(config) });
  const table = createRouteTable([
    entry({ path: '/' }),
    entry({ path: '/api' }),
    entry({ path: '/api/v2' }),
    entry({ host: 'x.org' }),
    entry({ host: 'x.org', path: '/api' }),
  ]);
  const find = (host: string, path: string): string => {
    const found = table.find(host, path)?.route;
    return `${found?.host ?? '*'}${found?.pathPrefix}`;
  };
  it('gives a request to the most specific: its host first, then the longest path', () => {
    expect(find('', '/')).toBe('*/');
    expect(find('', '/api')).toBe('*/api');
    expect(find('', '/api/')).toBe('*/api');
    expect(find('', '/api/v1')).toBe('*/api');
    expect(find('', '/api/v2/x')).toBe('*/api/v2');
    expect(find('y.org', '/api/v2')).toBe('*/api/v2');
    expect(find('x.org', '/api/v2')).toBe('x.org/api');
    expect(find('x.org', '/other')).toBe('x.org/');
  });
  it('compares whole segments and bytes as sent', () => {
    for (const path of ['/apix', '/API', '/%61pi', '/ap', 'api', '*', '']) expect(find('', path)).toBe('*/');
  });
  it('finds nothing where no route is', () => {
    const small = createRouteTable([entry({ host: 'x.org', path: '/a' })]);
    expect(small.needsHost).toBe(true);
    expect(small.find('x.org', '/b')).toBeUndefined();
    expect(small.find('', '/a')).toBeUndefined();
    expect(createRouteTable([]).find('', '/')).toBeUndefined();
  });
  it('always gives an entry that takes the path, and never a shorter one than another that does', () => {
    const segment = fc.constantFrom('/a', '/ab', '/b');
    const path = fc.array(segment, { maxLength: 4 }).map((parts) => parts.join('') || '/');
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 6 }), path, (prefixes, asked) => {
        const found = createRouteTable(prefixes.map((prefix) => entry({ path: prefix }))).find('', asked);
        const taking = prefixes.filter(
          (prefix) => prefix === '/' || asked === prefix || asked.startsWith(`${prefix}/`),
        );
        const longest = taking.sort((a, b) => b.length - a.length)[0];
        expect(found?.route.pathPrefix).toBe(longest);
      }),
    );
  });
});

describe('Cross-origin rules', () => {
  const rules = (config: Record<string, string>) => route(config).cors!;
  const some = rules({ cors_allowed_origins: 'https://a', cors_exposed_headers: 'x-id', cors_max_age_secs: '60' });
  it('allow the origins named and nobody else', () => {
    expect(corsLines(some, ['Origin', 'https://a'])).toEqual([
      'access-control-allow-origin',
      'https://a',
      'vary',
      'Origin',
      'access-control-expose-headers',
      'x-id',
    ]);
    expect(corsLines(some, ['Origin', 'https://b'])).toEqual([]);
    expect(corsLines(some, [])).toEqual([]);
    expect(corsLines(rules({ cors_allowed_origins: '*' }), ['origin', 'null'])).toEqual([
      'access-control-allow-origin',
      '*',
    ]);
  });
  it('answer a preflight with methods, headers and age', () => {
    const asked = [
      'Origin',
      'https://a',
      'Access-Control-Request-Method',
      'PUT',
      'Access-Control-Request-Headers',
      'x-a',
    ];
    expect(isPreflight('OPTIONS', asked)).toBe(true);
    expect(isPreflight('GET', asked)).toBe(false);
    expect(isPreflight('OPTIONS', ['Origin', 'https://a'])).toBe(false);
    const lines = preflightLines(some, asked);
    expect(lines[lines.indexOf('access-control-allow-headers') + 1]).toBe('x-a');
    expect(lines[lines.indexOf('access-control-max-age') + 1]).toBe('60');
    expect(preflightLines(some, ['Origin', 'https://b'])).toEqual([]);
  });
});
