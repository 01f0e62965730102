import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findNatsBinary } from '../../../lattice/nats-binary.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

/** A script that answers `--version` as nats-server does. */
async function writeBinary(path: string, version: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho nats-server: v${version}\n`);
  await chmod(path, 0o755);
  return path;
}

describe('a nats-server', () => {
  test('that the user named comes before all others', async () => {
    await using folder = await startTemporaryDirectory();
    const path = await writeBinary(join(folder.path, 'mine'), '2.12.12');
    await writeBinary(join(folder.path, 'path', 'nats-server'), '2.14.4');
    const found = await findNatsBinary({ binary: path, cacheDir: folder.path, searchPath: join(folder.path, 'path') });
    expect(found).toEqual({ path, version: '2.12.12' });
  });

  test('that the user named and that is none is an error, not a reason to fetch another', async () => {
    await using folder = await startTemporaryDirectory();
    await expect(findNatsBinary({ binary: '/bin/true', cacheDir: folder.path })).rejects.toMatchObject({
      code: 'E_NATS_SERVER',
      message: '/bin/true is not a nats-server that runs on this machine',
    });
  });

  test('on PATH comes before the cache', async () => {
    await using folder = await startTemporaryDirectory();
    const path = await writeBinary(join(folder.path, 'bin', 'nats-server'), '2.9.10');
    await writeBinary(join(folder.path, 'nats-server', '2.14.4', 'nats-server'), '2.14.4');
    const searchPath = ['', join(folder.path, 'nowhere'), join(folder.path, 'bin')].join(delimiter);
    expect(await findNatsBinary({ cacheDir: folder.path, searchPath })).toEqual({ path, version: '2.9.10' });
  });

  test('in the cache is the newest that runs', async () => {
    await using folder = await startTemporaryDirectory();
    const cached = (version: string): string => join(folder.path, 'nats-server', version, 'nats-server');
    await writeBinary(cached('2.9.10'), '2.9.10');
    const path = await writeBinary(cached('2.12.12'), '2.12.12');
    await mkdir(dirname(cached('2.14.4')), { recursive: true });
    await writeFile(cached('2.14.4'), 'half a download');
    expect(await findNatsBinary({ cacheDir: folder.path, searchPath: '' })).toEqual({ path, version: '2.12.12' });
  });
});
