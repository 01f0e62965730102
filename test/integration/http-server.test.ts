// The HTTP provider over real sockets: what reaches the actor, what comes back, who gets which route, and how it ends.
import { execFileSync } from 'node:child_process';
import { Agent } from 'node:http';
import { request as sendSecure } from 'node:https';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../lattice/contracts/http-server.ts';
import { WattleError } from '../../lattice/errors.ts';
import { encodeMessage } from '../../lattice/msgpack.ts';
import type { ProviderInstance } from '../../providers/provider.ts';
import { eventually } from '../support/eventually.ts';
import { portOf, send, sendRaw, startHttpProvider, type TestActor } from '../support/http-provider.ts';
import { linkTo } from '../support/provider.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';

const anyPort = { address: '127.0.0.1:0' };
let open = new AsyncDisposableStack();
afterEach(async () => {
  await open.disposeAsync();
  open = new AsyncDisposableStack();
});

async function startOne(
  actor: TestActor,
  config: Record<string, string> = {},
): Promise<{ port: number; provider: ProviderInstance }> {
  const provider = open.use(await startHttpProvider({ actor }));
  await provider.putLink(linkTo('actor', { ...anyPort, ...config }));
  return { port: portOf(provider, 'actor'), provider };
}
const startAll = async (actors: Record<string, TestActor>): Promise<ProviderInstance> =>
  open.use(await startHttpProvider(actors));

/** A port nobody listens on; the first route takes it by asking for any. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
const failing =
  (error: WattleError): TestActor =>
  () =>
    Promise.reject(error);
const named =
  (name: string): TestActor =>
  () => ({ body: name });

describe('A request', () => {
  it('reaches the actor as it was sent', async () => {
    const seen: HttpRequest[] = [];
    const { port } = await startOne((request) => {
      seen.push(request);
      return {};
    });
    const headers = { 'X-One': ['1', '2'], 'Content-Type': 'text/x; broken==', Cookie: 'a=b' };
    await send({ port, path: '/a%2Fb//c/../d?x=1&y=%20?', method: 'POST', headers, body: Buffer.of(0, 255, 1) });
    expect(seen[0]).toMatchObject({ method: 'POST', path: '/a%2Fb//c/../d', queryString: 'x=1&y=%20?' });
    expect([...seen[0]!.body]).toEqual([0, 255, 1]);
    const lines = seen[0]!.header;
    expect(lines.slice(lines.indexOf('x-one'), lines.indexOf('x-one') + 4)).toEqual(['x-one', '1', 'x-one', '2']);
    expect(lines[lines.indexOf('content-type') + 1]).toBe('text/x; broken==');
  });
  it('of every method and with any target gets through', async () => {
    const { port } = await startOne((request) => ({
      body: `${request.method} ${request.path} ${request.queryString}`,
    }));
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])
      expect((await send({ port, method, path: '/x' })).body).toBe(`${method} /x `);
    expect((await send({ port, path: '/%zz?%' })).body).toBe('GET /%zz %');
    expect((await send({ port, path: 'http://other.org/p?q' })).body).toBe('GET /p q');
    expect((await send({ port, path: 'http://other.org' })).body).toBe('GET / ');
    expect((await send({ port, method: 'OPTIONS', path: '*' })).body).toBe('OPTIONS * ');
  });
  it('carries a body of any size and framing up to the limit of the link', async () => {
    const { port } = await startOne((request) => ({ body: String(request.body.length) }), { max_content_len: '1M' });
    const mebibyte = Buffer.alloc(1024 * 1024, 'x');
    expect((await send({ port, method: 'POST', body: mebibyte })).body).toBe('1048576');
    expect(
      (await send({ port, method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body: mebibyte })).body,
    ).toBe('1048576');
    expect((await send({ port, method: 'GET', headers: { 'Content-Length': '2' }, body: 'hi' })).body).toBe('2');
    expect((await send({ port, method: 'POST' })).body).toBe('0');
  });
  it('with a body over the limit gets 413, whether it says so or not', async () => {
    let calls = 0;
    const { port } = await startOne(() => ({ statusCode: 200 + calls++ }), { max_content_len: '1K' });
    for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
      const answer = await send({ port, method: 'POST', headers, body: Buffer.alloc(1025) });
      expect(answer).toMatchObject({ status: 413, headers: { connection: 'close' } });
      expect(JSON.parse(answer.body)).toEqual({ error: 'E_TOO_LARGE', message: 'the body is larger than 1024 bytes' });
    }
    expect(calls).toBe(0);
    expect((await send({ port, method: 'POST', body: Buffer.alloc(1024) })).status).toBe(200);
  });
  it('that is not HTTP gets 400 and takes nothing else down', async () => {
    const { port } = await startOne(named('ok'));
    expect(await sendRaw(port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*E_USAGE/s);
    expect(
      await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
    ).toMatch(/^HTTP\/1.1 400 /);
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
    expect((await send({ port })).body).toBe('ok');
  });
  it('may come in a pipeline with others and is answered in order', async () => {
    const { port } = await startOne(async ({ path }) => {
      if (path === '/slow') await new Promise((resolve) => setTimeout(resolve, 30));
      return { body: `<${path}>` };
    });
    const line = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const text = await sendRaw(port, line('/slow') + line('/b') + line('/c', 'Connection: close\r\n'));
    expect(text.match(/<[^>]+>/g)).toEqual(['</slow>', '</b>', '</c>']);
  });
  it('whose client goes away disturbs nobody', async () => {
    const gate = Promise.withResolvers<void>();
    const { port } = await startOne(async ({ path }) => {
      if (path === '/wait') await gate.promise;
      return { body: 'ok' };
    });
    for (const text of [
      'POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc',
      'GET /wait HTTP/1.1\r\nHost: x\r\n\r\n',
    ]) {
      const socket = connect(port, '127.0.0.1', () => socket.write(text, () => socket.destroy()));
      await new Promise((resolve) => socket.on('close', resolve));
    }
    gate.resolve();
    expect((await send({ port })).body).toBe('ok');
  });
});

describe('An answer', () => {
  it('carries status, headers with all their values, and any bytes', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const header = ['Content-Type', 'application/x', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Ü', 'no'].slice(0, 6);
    const { port } = await startOne(({ path }) => ({
      statusCode: 418,
      header,
      body: path === '/big' ? new Uint8Array(1e6).fill(65) : bytes,
    }));
    const answer = await send({ port });
    expect(answer).toMatchObject({
      status: 418,
      headers: { 'content-type': 'application/x', 'content-length': '256' },
    });
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect((await send({ port, path: '/big' })).body).toBe('A'.repeat(1e6));
    const text = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(Buffer.from(text.split('\r\n\r\n')[1]!, 'latin1')).toEqual(Buffer.from(bytes));
  });
  it('leaves framing and connection to the server', async () => {
    const header = [
      'Content-Length',
      '99',
      'Transfer-Encoding',
      'chunked',
      'Connection',
      'upgrade',
      'Upgrade',
      'x',
      'Keep-Alive',
      'no',
      'X-A',
      '1',
    ];
    const { port } = await startOne(() => ({ header, body: 'four' }));
    const answer = await send({ port });
    expect(answer).toMatchObject({ body: 'four', headers: { 'content-length': '4', 'x-a': '1' } });
    expect(answer.headers).not.toHaveProperty('transfer-encoding');
    expect(answer.headers).not.toHaveProperty('upgrade');
  });
  it('to HEAD has the length and no body, and 204 and 304 have neither', async () => {
    const { port } = await startOne(({ path }) => ({ statusCode: Number(path.slice(1)), body: 'hello' }));
    const keepAlive = open.adopt(new Agent({ keepAlive: true, maxSockets: 1 }), (agent) => agent.destroy());
    expect(await send({ port, path: '/200', method: 'HEAD', agent: keepAlive })).toMatchObject({
      body: '',
      headers: { 'content-length': '5' },
    });
    for (const status of [204, 304]) {
      const answer = await send({ port, path: `/${status}`, agent: keepAlive });
      expect(answer).toMatchObject({ status, body: '' });
      expect(answer.headers).not.toHaveProperty('content-length');
    }
    expect((await send({ port, path: '/200', agent: keepAlive })).body).toBe('hello');
  });
  it('that HTTP does not allow becomes 502 and the next request is served', async () => {
    const bad: Record<string, () => ReturnType<TestActor>> = {
      '/name': () => ({ header: ['bad name', 'x'] }),
      '/empty': () => ({ header: ['', 'x'] }),
      '/split': () => ({ header: ['x', 'a\r\nset-cookie: evil=1'] }),
      '/unicode': () => ({ header: ['x', '\u{1f600}'] }),
      '/zero': () => ({ statusCode: 0 }),
      '/switch': () => ({ statusCode: 101 }),
      '/high': () => ({ statusCode: 600 }),
      '/nothing': () => new Uint8Array(0),
      '/nonsense': () => Uint8Array.of(0xc1, 1, 2),
      '/text': () => encodeMessage('hello'),
    };
    const { port } = await startOne(({ path }) => bad[path]?.() ?? { body: 'fine' });
    const agent = open.adopt(new Agent({ keepAlive: true, maxSockets: 1 }), (each) => each.destroy());
    for (const path of Object.keys(bad)) {
      const answer = await send({ port, path, agent });
      expect(answer, path).toMatchObject({ status: 502 });
      expect(JSON.parse(answer.body), path).toMatchObject({ error: 'E_PAYLOAD' });
      expect(answer.headers).not.toHaveProperty('set-cookie');
      expect((await send({ port, agent })).body).toBe('fine');
    }
  });
  it('of a failed call is JSON with the status of its code, and says when to try again', async () => {
    const codes = {
      E_OVERLOAD: 429,
      E_PROVIDER_DOWN: 503,
      E_ACTOR_DEADLINE: 504,
      E_CELL_LOST: 502,
      E_ACTOR_TRAP: 500,
      E_NO_LINK: 502,
    } as const;
    for (const [code, status] of Object.entries(codes)) {
      const { port } = await startOne(failing(new WattleError(code as keyof typeof codes, 'what happened')));
      const answer = await send({ port });
      expect(answer).toMatchObject({ status, headers: { 'content-type': 'application/json; charset=utf-8' } });
      expect(JSON.parse(answer.body)).toEqual({ error: code, message: 'what happened' });
      expect(answer.headers['retry-after']).toBe(status === 429 || status === 503 ? '1' : undefined);
    }
  });
});

describe('Options of a link', () => {
  it('timeout_ms ends waiting with 504', async () => {
    const gate = Promise.withResolvers<void>();
    const { port } = await startOne(async () => gate.promise.then(() => ({})), { timeout_ms: '30' });
    expect(await send({ port })).toMatchObject({ status: 504, body: expect.stringContaining('E_TIMEOUT') });
    gate.resolve();
  });
  it('readonly_mode lets only reading methods through', async () => {
    const { port } = await startOne(named('ok'), { readonly_mode: 'true' });
    expect(await send({ port, method: 'POST' })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, OPTIONS' },
    });
    expect((await send({ port })).body).toBe('ok');
  });
  it('cache_control is put on what may be cached, unless the actor did', async () => {
    const header = (path: string) => (path === '/own' ? ['Cache-Control', 'no-store'] : []);
    const { port } = await startOne(({ path }) => ({ statusCode: path === '/bad' ? 500 : 200, header: header(path) }), {
      cache_control: 'max-age=60',
    });
    const cached = async (path: string, method = 'GET') =>
      (await send({ port, path, method })).headers['cache-control'];
    expect(await cached('/')).toBe('max-age=60');
    expect(await cached('/own')).toBe('no-store');
    expect(await cached('/bad')).toBeUndefined();
    expect(await cached('/', 'POST')).toBeUndefined();
  });
  it('cors answers preflights itself and marks answers; without it OPTIONS goes to the actor', async () => {
    const headers = { Origin: 'https://a', 'Access-Control-Request-Method': 'PUT' };
    const ruled = await startOne(named('actor'), { cors_allowed_origins: 'https://a' });
    expect(await send({ port: ruled.port, method: 'OPTIONS', headers })).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': 'https://a' },
    });
    expect((await send({ port: ruled.port, headers })).headers['access-control-allow-origin']).toBe('https://a');
    expect((await send({ port: ruled.port, headers: { Origin: 'https://b' } })).headers).not.toHaveProperty(
      'access-control-allow-origin',
    );
    const free = await startOne(named('actor'));
    expect((await send({ port: free.port, method: 'OPTIONS', headers })).body).toBe('actor');
  });
  it('cert_file and priv_key_file serve TLS', async () => {
    await using directory = await startTemporaryDirectory();
    const [cert, key] = [join(directory.path, 'cert.pem'), join(directory.path, 'key.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    );
    const { port, provider } = await startOne(named('secret'), { tls_cert_file: cert, tls_priv_key_file: key });
    expect(provider.describe!()['actor/default']).toBe(`https://127.0.0.1:${port}/`);
    const body = await new Promise((resolve, reject) =>
      sendSecure({ port, host: '127.0.0.1', rejectUnauthorized: false, agent: false }, (response) =>
        response.on('data', (chunk) => resolve(String(chunk))),
      )
        .on('error', reject)
        .end(),
    );
    expect(body).toBe('secret');
    const other = startOne(named('x'), { tls_cert_file: join(directory.path, 'none'), tls_priv_key_file: key });
    await expect(other).rejects.toMatchObject({ code: 'E_LINK_CONFIG' });
  });
});

describe('Routes', () => {
  it('share one port by path and host, across providers', async () => {
    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    const first = await startAll({ root: named('root'), api: named('api') });
    const second = await startAll({ v2: named('v2'), hosted: named('hosted') });
    await first.putLink(linkTo('root', { address }));
    await first.putLink(linkTo('api', { address, path: '/api' }));
    await second.putLink(linkTo('v2', { address, path: '/api/v2' }));
    await second.putLink(linkTo('hosted', { address, host: 'x.org' }));
    const body = async (path: string, host = '') =>
      (await send({ port, path, headers: host ? { Host: host } : {} })).body;
    expect(await Promise.all([body('/'), body('/api/x'), body('/api/v2/x?y'), body('/api', 'X.org:8080')])).toEqual([
      'root',
      'api',
      'v2',
      'hosted',
    ]);
    await second.deleteLink('v2', 'default');
    expect(await body('/api/v2/x')).toBe('api');
  });
  it('that another actor has are refused by name, at once and before the link is stored', async () => {
    const port = await freePort();
    const first = await startAll({ one: named('one') });
    const second = await startAll({ two: named('two') });
    await first.putLink(linkTo('one', { address: `127.0.0.1:${port}`, path: '/a' }));
    const wanted = linkTo('two', { address: `127.0.0.1:${port}`, path: '/a/' });
    const taken = { code: 'E_ROUTE_TAKEN', message: `http://127.0.0.1:${port}/a is served by actor one already` };
    expect(() => second.checkLink!(wanted)).toThrow(expect.objectContaining(taken));
    await expect(second.putLink(wanted)).rejects.toMatchObject(taken);
    await expect(second.putLink(linkTo('two', { address: `0.0.0.0:${port}`, path: '/a' }))).rejects.toMatchObject({
      code: 'E_ROUTE_TAKEN',
    });
    await expect(second.putLink(linkTo('two', { address: `0.0.0.0:${port}` }))).rejects.toMatchObject({
      code: 'E_PORT',
      message: expect.stringContaining('actor one'),
    });
    expect((await send({ port, path: '/a' })).body).toBe('one');
    await first.deleteLink('one', 'default');
    await second.putLink(wanted);
    expect((await send({ port, path: '/a' })).body).toBe('two');
  });
  it('two actors that ask for one route in the same moment: exactly one gets it', async () => {
    const port = await freePort();
    const provider = await startAll({ one: named('one'), two: named('two') });
    const put = (actor: string) => provider.putLink(linkTo(actor, { port: String(port) }));
    const outcomes = await Promise.allSettled([put('one'), put('two')]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected']);
  });
  it('on a port of another process are refused naming the address, and can be asked for again', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const provider = await startAll({ actor: named('ok') });
    const link = linkTo('actor', { address: `127.0.0.1:${port}` });
    await expect(provider.putLink(link)).rejects.toMatchObject({
      code: 'E_PORT',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await new Promise((resolve) => other.close(resolve));
    await provider.putLink(link);
    expect((await send({ port })).body).toBe('ok');
    await expect(provider.putLink(linkTo('actor', { address: '203.0.113.7:80' }))).rejects.toMatchObject({
      code: 'E_LINK_CONFIG',
    });
    expect((await send({ port })).body).toBe('ok');
  });
  it('of a link that changes move without a gap, also between overlapping addresses', async () => {
    const port = await freePort();
    const provider = await startAll({ actor: named('ok') });
    const put = (config: Record<string, string>) => provider.putLink(linkTo('actor', config));
    await put({ address: `127.0.0.1:${port}` });
    await put({ address: `127.0.0.1:${port}`, path: '/new' });
    expect((await send({ port })).status).toBe(404);
    expect((await send({ port, path: '/new' })).body).toBe('ok');
    await put({ address: `0.0.0.0:${port}`, path: '/new' });
    expect((await send({ port, path: '/new/x' })).body).toBe('ok');
    await expect(
      put({ address: `127.0.0.1:${port}`, tls_cert_file: '/none', tls_priv_key_file: '/none' }),
    ).rejects.toMatchObject({ code: 'E_LINK_CONFIG' });
    expect((await send({ port, path: '/new' })).body).toBe('ok');
  });
  it('nobody has are 404 in JSON', async () => {
    const { port } = await startOne(named('ok'), { path: '/only' });
    for (const method of ['GET', 'POST', 'PROPFIND']) {
      const answer = await send({
        port,
        path: '/other?x',
        method,
        ...(method === 'POST' ? { body: 'x', headers: { 'Content-Type': '' } } : {}),
      });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toEqual({
        error: 'E_NOT_FOUND',
        message: `no actor is linked to ${method} /other?x`,
      });
    }
    expect((await send({ port, path: '/%zz' })).status).toBe(404);
    expect((await send({ port, path: '/x', method: 'HEAD' })).body).toBe('');
  });
});

describe('Replacing and stopping', () => {
  it('a second provider takes over a route without a failed request, and gives it back if it goes', async () => {
    const port = await freePort();
    const old = await startAll({ actor: named('old') });
    await old.putLink(linkTo('actor', { port: String(port) }));
    const agent = open.adopt(new Agent({ keepAlive: true }), (each) => each.destroy());
    const bodies: string[] = [];
    let stop = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!stop) bodies.push((await send({ port, agent })).body);
      }),
    );
    await eventually(() => bodies.length > 50);
    const successor = await startAll({ actor: named('new') });
    await successor.putLink(linkTo('actor', { port: String(port) }));
    await old[Symbol.asyncDispose]();
    const since = bodies.length;
    await eventually(() => bodies.length > since + 50);
    stop = true;
    await load;
    expect(new Set(bodies)).toEqual(new Set(['old', 'new']));
    expect(bodies.slice(since + 8)).not.toContain('old');
    const third = await startHttpProvider({ actor: named('third') });
    await third.putLink(linkTo('actor', { port: String(port) }));
    expect((await send({ port })).body).toBe('third');
    await third[Symbol.asyncDispose]();
    expect((await send({ port })).body).toBe('new');
  });
  it('disposal finishes what is in flight, tells clients to close, and frees the port at once', async () => {
    const gate = Promise.withResolvers<void>();
    let arrived = false;
    const provider = await startHttpProvider({
      actor: async ({ path }) => {
        if (path !== '/slow') return { body: 'quick' };
        arrived = true;
        await gate.promise;
        return { body: 'slow' };
      },
    });
    const port = await freePort();
    await provider.putLink(linkTo('actor', { port: String(port) }));
    const agent = open.adopt(new Agent({ keepAlive: true, maxSockets: 1 }), (each) => each.destroy());
    expect((await send({ port, agent })).headers.connection).toBe('keep-alive');
    const slow = send({ port, path: '/slow' });
    await eventually(() => arrived);
    const disposed = provider[Symbol.asyncDispose]();
    // a request on a connection that was kept open is answered and told to leave, not reset
    const late = await send({ port, agent });
    expect(late).toMatchObject({ status: 503, headers: { connection: 'close', 'retry-after': '1' } });
    await expect(send({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const successor = await startAll({ actor: named('successor') });
    await successor.putLink(linkTo('actor', { port: String(port) }));
    expect((await send({ port })).body).toBe('successor');
    gate.resolve();
    expect(await slow).toMatchObject({ status: 200, body: 'slow' });
    await disposed;
  });
});
