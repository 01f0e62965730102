// The fetch of a release, against a local server that plays the release page with each of its faults.
import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { findSum, pinnedNatsVersion, readRelease, releaseName } from '../../../lattice/nats-release.ts';
import { createTar } from '../../support/archives.ts';

const name = releaseName()!;
const file = `${name}.tar.gz`;
const base = `/v${pinnedNatsVersion}`;
const binary = Buffer.from('#!/bin/sh\necho nats-server: v2.14.4\n');
const archive = gzipSync(createTar([{ name: `${name}/README.md` }, { name: `${name}/nats-server`, bytes: binary }]));
const sums = `${'0'.repeat(64)}  other.zip\n${createHash('sha256').update(archive).digest('hex')}  ${file}\n`;

async function startRelease(listener: RequestListener): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Serves the paths given; anything else is 404. */
const serve =
  (paths: Record<string, string | Buffer>): RequestListener =>
  (request, response) => {
    const body = paths[request.url!];
    response.statusCode = body === undefined ? 404 : 200;
    response.end(body);
  };

describe('a release', () => {
  test('gives the binary when the archive matches its checksum', async () => {
    await using release = await startRelease(serve({ [`${base}/SHA256SUMS`]: sums, [`${base}/${file}`]: archive }));
    const lines: string[] = [];
    const fetched = await readRelease({ releaseUrl: release.url, onProgress: (line) => lines.push(line) });
    expect(fetched).toEqual({ version: pinnedNatsVersion, bytes: binary });
    expect(lines.join('\n')).toContain('100 %');
  });

  test('is followed through redirects', async () => {
    const behind = serve({ [`/cdn${base}/SHA256SUMS`]: sums, [`/cdn${base}/${file}`]: archive });
    await using release = await startRelease((request, response) => {
      if (request.url!.startsWith('/cdn')) return behind(request, response);
      response.writeHead(302, { location: `/cdn${request.url}` }).end();
    });
    expect(await readRelease({ releaseUrl: release.url })).toHaveProperty('bytes', binary);
  });

  test('whose redirects never end is given up', async () => {
    await using release = await startRelease((request, response) =>
      response.writeHead(302, { location: request.url! }).end(),
    );
    expect(await readRelease({ releaseUrl: release.url })).toEqual({
      failure: expect.stringContaining('too many redirects'),
    });
  });

  test('whose archive was changed is refused, and nothing else is tried', async () => {
    const changed = Buffer.from(archive);
    changed[changed.length - 20]! ^= 1;
    await using release = await startRelease(serve({ [`${base}/SHA256SUMS`]: sums, [`${base}/${file}`]: changed }));
    await expect(readRelease({ releaseUrl: release.url })).rejects.toMatchObject({
      code: 'E_NATS_SERVER',
      message: expect.stringContaining('is not what SHA256SUMS says'),
    });
  });

  test('without checksums is not used', async () => {
    await using release = await startRelease(serve({ [`${base}/${file}`]: archive }));
    expect(await readRelease({ releaseUrl: release.url })).toEqual({ failure: expect.stringContaining('404') });
  });

  test('whose checksums leave our file out is not used', async () => {
    await using release = await startRelease(
      serve({ [`${base}/SHA256SUMS`]: sums.replace(file, 'else'), [`${base}/${file}`]: archive }),
    );
    expect(await readRelease({ releaseUrl: release.url })).toEqual({ failure: expect.stringContaining('no checksum') });
  });

  test('that breaks off half way is a failure to fetch', async () => {
    await using release = await startRelease((request, response) => {
      if (request.url!.endsWith('SHA256SUMS')) return response.end(sums);
      response.writeHead(200, { 'content-length': archive.length });
      return response.write(archive.subarray(0, 100), () => response.destroy());
    });
    expect(await readRelease({ releaseUrl: release.url })).toEqual({
      failure: expect.stringContaining('could not be fetched'),
    });
  });

  test('that cannot be reached costs no time', async () => {
    const release = await startRelease(serve({}));
    await release[Symbol.asyncDispose]();
    const started = performance.now();
    expect(await readRelease({ releaseUrl: release.url })).toEqual({
      failure: expect.stringContaining('ECONNREFUSED'),
    });
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

test('a release is named for every platform nats-server is published for', () => {
  const names = ['linux', 'darwin', 'win32'].flatMap((system) =>
    ['x64', 'arm64'].map((arch) => releaseName(system, arch)),
  );
  expect(names).toContain(`nats-server-v${pinnedNatsVersion}-windows-arm64`);
  expect(new Set(names).size).toBe(6);
  expect(releaseName('aix', 'ppc64')).toBeUndefined();
});

test('a checksum is found by the exact name of its file', () => {
  const digest = 'a'.repeat(64);
  expect(findSum(`${digest}  x.tar.gz.sig\n${digest} *x.tar.gz\r\n`, 'x.tar.gz')).toBe(digest);
  expect(findSum(`${digest}  ax.tar.gz\nshort  x.tar.gz\n`, 'x.tar.gz')).toBeUndefined();
});
