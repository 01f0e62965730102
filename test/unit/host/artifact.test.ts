import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readArtifact } from '../../../host/artifact.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

const content = Buffer.from('some bytes that stand for a module');
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;

async function startServer(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/a.wasm`,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('An artifact from a file', () => {
  it('is read by path and by file URL, and known by the digest of its bytes', async () => {
    await using directory = await startTemporaryDirectory();
    const path = join(directory.path, 'a.wasm');
    await writeFile(path, content);
    for (const ref of [path, `file:${path}`, `file://${path}`, `file://${path}@${digest}`])
      expect(await readArtifact(ref, { cacheDir: directory.path })).toEqual({ bytes: content, digest });
  });

  it('is refused when it is missing, too large, another than pinned, or of no known scheme', async () => {
    await using directory = await startTemporaryDirectory();
    const options = { cacheDir: directory.path };
    const path = join(directory.path, 'a.wasm');
    await writeFile(path, content);
    await expect(readArtifact(`${path}.not`, options)).rejects.toMatchObject({ code: 'E_ARTIFACT_NOT_FOUND' });
    await expect(readArtifact(path, { ...options, limitBytes: 3 })).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    const other = `sha256:${'0'.repeat(64)}`;
    await expect(readArtifact(`${path}@${other}`, options)).rejects.toMatchObject({ code: 'E_ARTIFACT_DIGEST' });
    await expect(readArtifact('ghcr.io/x/y:1', options)).rejects.toMatchObject({ code: 'E_ARTIFACT_REF' });
  });
});

describe('An artifact over HTTP', () => {
  it('is fetched once while its etag holds, and from the cache when the source is down', async () => {
    await using directory = await startTemporaryDirectory();
    const statuses: number[] = [];
    const server = await startServer((request, response) => {
      const known = request.headers['if-none-match'] === '"1"';
      statuses.push(known ? 304 : 200);
      response.writeHead(known ? 304 : 200, { etag: '"1"' }).end(known ? undefined : content);
    });
    const stale: string[] = [];
    const options = { cacheDir: join(directory.path, 'cache'), onStale: (reason: string) => stale.push(reason) };
    expect(await readArtifact(server.url, options)).toEqual({ bytes: content, digest });
    expect((await readArtifact(server.url, options)).digest).toBe(digest);
    expect(statuses).toEqual([200, 304]);
    await server[Symbol.asyncDispose]();
    expect((await readArtifact(server.url, options)).digest).toBe(digest);
    expect(stale).toHaveLength(1);
  });

  it('with a pinned digest needs no network once it is cached', async () => {
    await using directory = await startTemporaryDirectory();
    const server = await startServer((_request, response) => response.end(content));
    const options = { cacheDir: directory.path };
    await readArtifact(`${server.url}@${digest}`, options);
    await server[Symbol.asyncDispose]();
    expect((await readArtifact(`${server.url}@${digest}`, options)).digest).toBe(digest);
  });

  it('is refused with a code for each way a source can be wrong', async () => {
    await using directory = await startTemporaryDirectory();
    const answer: { listener: RequestListener } = { listener: (_request, response) => response.writeHead(404).end() };
    await using server = await startServer((request, response) => answer.listener(request, response));
    const read = (timeoutMs = 5000) =>
      readArtifact(server.url, { cacheDir: directory.path, limitBytes: 100, timeoutMs });
    await expect(read()).rejects.toMatchObject({ code: 'E_ARTIFACT_NOT_FOUND' });
    answer.listener = (_request, response) => response.writeHead(500).end();
    await expect(read()).rejects.toMatchObject({ code: 'E_ARTIFACT_FETCH' });
    answer.listener = (_request, response) => response.end(Buffer.alloc(5000));
    await expect(read()).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    answer.listener = (request) => request.socket.destroy();
    await expect(read()).rejects.toMatchObject({ code: 'E_ARTIFACT_FETCH' });
    answer.listener = (_request, response) => response.writeHead(302, { location: server.url }).end();
    await expect(read()).rejects.toMatchObject({ code: 'E_ARTIFACT_FETCH' });
    answer.listener = (_request, response) => response.writeHead(302, { location: 'ftp://127.0.0.1/x' }).end();
    await expect(read()).rejects.toThrow(/not followed/);
    answer.listener = () => undefined;
    await expect(read(150)).rejects.toMatchObject({ code: 'E_ARTIFACT_FETCH' });
  });
});
