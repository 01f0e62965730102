import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBirth, readPlatform, startPlatform } from '../../../cli/platform.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

test('a data directory has one platform at a time', async () => {
  await using directory = await startTemporaryDirectory();
  {
    using _first = startPlatform(directory.path, 'default');
    expect(() => startPlatform(directory.path, 'default')).toThrow(
      expect.objectContaining({ code: 'E_ALREADY_RUNNING', message: expect.stringContaining(`pid ${process.pid}`) }),
    );
  }
  using _second = startPlatform(directory.path, 'default');
});

test('a platform tells what it knows, to its owner only', async () => {
  await using directory = await startTemporaryDirectory();
  using platform = startPlatform(directory.path, 'shop');
  platform.update({ natsUrl: 'nats://127.0.0.1:1', hostId: 'N1' });
  expect(readPlatform(directory.path)).toMatchObject({
    pid: process.pid,
    lattice: 'shop',
    natsUrl: 'nats://127.0.0.1:1',
  });
  expect(statSync(join(directory.path, 'up.json')).mode & 0o777).toBe(0o600);
});

test('a platform that ended leaves nothing to find', async () => {
  await using directory = await startTemporaryDirectory();
  startPlatform(directory.path, 'default')[Symbol.dispose]();
  expect(readPlatform(directory.path)).toBeUndefined();
});

test.each(['', '{', '[]', 'null', '{"pid":-1,"birth":"x","lattice":"l","startedAt":"s"}'])(
  'a damaged file names no platform (%#)',
  async (text) => {
    await using directory = await startTemporaryDirectory();
    writeFileSync(join(directory.path, 'up.json'), text);
    expect(readPlatform(directory.path)).toBeUndefined();
  },
);

test('a file left behind does not name the stranger who got the process id since', async () => {
  await using directory = await startTemporaryDirectory();
  const platform = startPlatform(directory.path, 'default');
  const text = readFileSync(join(directory.path, 'up.json'), 'utf8');
  platform[Symbol.dispose]();
  writeFileSync(join(directory.path, 'up.json'), text.replace(/"birth": "\d+/, '"birth": "1'));
  expect(readPlatform(directory.path)).toBeUndefined();
});

test('the birth of a process is gone with it', async () => {
  const child = spawn('sleep', ['60']);
  const born = readBirth(child.pid!);
  expect(born).not.toBe('');
  expect(readBirth(child.pid!)).toBe(born);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readBirth(child.pid!)).toBe('');
});
