import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configFile, portsFolder, readPort, waitForOrphan } from '../../../lattice/nats-ports.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

/** Greets like a nats-server of that name. */
async function startGreeter(name: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.end(`INFO {"server_id":"x","server_name":"${name}"}\r\n`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

/** What a server named `left` that listened on the port leaves in the data directory when it is not stopped in order. */
async function writeTraces(dataDir: string, port: number): Promise<void> {
  await mkdir(portsFolder(dataDir), { recursive: true });
  await writeFile(configFile(dataDir), 'server_name: "left"\nport: -1\n');
  await writeFile(join(portsFolder(dataDir), 'nats-server_7.ports'), `{"nats":["nats://127.0.0.1:${port}"]}`);
}

describe('an orphan', () => {
  test('is waited for until it is gone', async () => {
    await using folder = await startTemporaryDirectory();
    const { server, port } = await startGreeter('left');
    await writeTraces(folder.path, port);
    let waited = false;
    const waiting = waitForOrphan(folder.path).then((gone) => {
      waited = true;
      return gone;
    });
    for (let connections = 0; connections < 3; connections++) await once(server, 'connection');
    expect(waited).toBe(false);
    server.close();
    expect(await waiting).toBe(true);
  });

  test('is not seen in another server that took its port', async () => {
    await using folder = await startTemporaryDirectory();
    const { server, port } = await startGreeter('other');
    await writeTraces(folder.path, port);
    expect(await waitForOrphan(folder.path)).toBe(true);
    server.close();
  });
});

test('a port is unknown while there is no ports file, or half of one', async () => {
  await using folder = await startTemporaryDirectory();
  expect(await readPort(folder.path)).toBeUndefined();
  await mkdir(portsFolder(folder.path), { recursive: true });
  await writeFile(join(portsFolder(folder.path), 'nats-server_7.ports'), '{"nats":["nats://127.0.0.1:42');
  expect(await readPort(folder.path)).toBeUndefined();
});
