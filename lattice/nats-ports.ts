// Where a nats-server listens, as its ports file tells it: known port of a server that chose one, readiness of one that is
// starting, and the trace of one whose parent was killed.
import { readdir, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardedProcess } from './guarded-process.ts';

/** Reading a large store back counts. */
const startTimeoutMs = 30_000;
const orphanTimeoutMs = 7000;

/** Holds nothing but the ports file of the running server. */
export const portsFolder = (dataDir: string): string => join(dataDir, 'nats', 'ports');

/** Configuration the running server was started with. */
export const configFile = (dataDir: string): string => join(dataDir, 'nats', 'server.conf');

/**
 * The port in the ports file `{"nats":["nats://127.0.0.1:4222"]}`, which the server writes when it listens and removes when it
 * ends in order; undefined while there is none.
 */
export async function readPort(dataDir: string): Promise<number | undefined> {
  for (const name of await readdir(portsFolder(dataDir)).catch(() => [])) {
    const text = await readFile(join(portsFolder(dataDir), name), 'utf8').catch(() => '');
    const port = Number(/"nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1]);
    if (Number.isInteger(port)) return port;
  }
  return undefined;
}

/** Waits until the server listens. Throws when it ends first or takes too long. */
export async function waitForPort(dataDir: string, child: GuardedProcess): Promise<number> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    if (!child.running) throw new Error('it ended while starting');
    const port = await readPort(dataDir);
    if (port) return port;
    await sleep(10);
  }
  throw new Error(`it was not ready within ${startTimeoutMs} ms`);
}

/**
 * A server whose parent was killed takes a moment to end; starting beside it would put two on one store. False when it is
 * still there after longer than its watcher lets it live (guarded-process.ts).
 */
export async function waitForOrphan(dataDir: string): Promise<boolean> {
  const port = await readPort(dataDir);
  const config = await readFile(configFile(dataDir), 'utf8').catch(() => '');
  const name = /server_name: ("[^"]+")/.exec(config)?.[1];
  const deadline = performance.now() + orphanTimeoutMs;
  while (port && name && (await answersAs(name, port))) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** True when a nats-server of that (quoted) name greets on the port; another one there is not our orphan. */
function answersAs(name: string, port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  return new Promise((resolve) => {
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(500, () => done(false));
    socket.once('data', (data) => done(data.toString().includes(`"server_name":${name}`)));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
