import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LatticeConnection } from '../../lattice/connection.ts';
import { GuardedProcess } from '../../lattice/guarded-process.ts';
import { createLog, type Log } from '../../lattice/log.ts';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { isSafeVersion, NatsServer } from '../../lattice/nats-server.ts';
import { eventually } from '../support/eventually.ts';
import { cacheDir, startNats } from '../support/nats.ts';
import { findProcesses, findServers } from '../support/processes.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';

const silent = createLog('silent', 'nats');
const parentFile = fileURLToPath(new URL('../support/nats-parent.ts', import.meta.url));

/** A process of its own that runs a server on `dataDir`; it is killed at the end. */
async function startParent(dataDir: string): Promise<{ url: string; kill: () => Promise<void> } & AsyncDisposable> {
  const parent = spawn(process.execPath, [parentFile, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = async (): Promise<void> => {
    if (parent.exitCode !== null || parent.signalCode !== null) return;
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  };
  const [url] = await once(createInterface({ input: parent.stdout }), 'line');
  return { url, kill, [Symbol.asyncDispose]: kill };
}

const connect = (url: string): Promise<LatticeConnection> =>
  LatticeConnection.start({ url, lattice: 'test', name: 'test' });

async function waitForReconnect(connection: LatticeConnection): Promise<void> {
  for await (const status of connection.nats.status()) if (status.type === 'reconnect') return;
}

describe('an embedded server', () => {
  test('answers with JetStream on loopback as soon as it is started, and leaves nothing when stopped', async () => {
    await using folder = await startTemporaryDirectory();
    {
      await using server = await NatsServer.start({ dataDir: folder.path, cacheDir, port: 0, log: silent });
      await using connection = await connect(server.url);
      expect(connection.nats.info).toMatchObject({ jetstream: true, max_payload: 1_048_576, version: server.version });
      expect((await stat(join(folder.path, 'nats', 'server.conf'))).mode & 0o777).toBe(0o600);
      expect(findProcesses(folder.path).every((row) => !/token|pass|seed/i.test(row.command))).toBe(true);
    }
    await eventually(() => findProcesses(folder.path).length === 0, { what: 'no process left' });
  });

  test('keeps what was stored over a stop and a start', async () => {
    await using folder = await startTemporaryDirectory();
    for (const expected of [undefined, 'kept']) {
      await using server = await NatsServer.start({ dataDir: folder.path, cacheDir, port: 0, log: silent });
      await using connection = await connect(server.url);
      const bucket = await connection.bucket('test');
      expect((await bucket.get('key'))?.string()).toBe(expected);
      await bucket.put('key', 'kept');
    }
  });

  test('ends when its parent is killed', async () => {
    await using folder = await startTemporaryDirectory();
    await using parent = await startParent(folder.path);
    expect(findServers(folder.path)).toHaveLength(1);
    await parent.kill();
    const gone = (): boolean => findProcesses(folder.path).length === 0;
    await eventually(gone, { timeoutMs: 2000, what: 'server and watcher are gone' });
  });

  test('whose parent was killed leaves its data to the next, which may start at once', async () => {
    await using folder = await startTemporaryDirectory();
    await using parent = await startParent(folder.path);
    {
      await using connection = await connect(parent.url);
      await (await connection.bucket('test')).put('key', 'kept');
    }
    await parent.kill();
    await using next = await NatsServer.start({ dataDir: folder.path, cacheDir, port: 0, log: silent });
    await using connection = await connect(next.url);
    expect((await (await connection.bucket('test')).get('key'))?.string()).toBe('kept');
  });

  test('refuses a second one on the same data and says where the first is', async () => {
    await using folder = await startTemporaryDirectory();
    await using parent = await startParent(folder.path);
    await expect(NatsServer.start({ dataDir: folder.path, cacheDir, port: 0, log: silent })).rejects.toMatchObject({
      code: 'E_ALREADY_RUNNING',
      message: `a nats-server already uses ${folder.path} (${parent.url})`,
    });
  });

  test('on a taken port says who holds it', async () => {
    await using folder = await startTemporaryDirectory();
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    await expect(NatsServer.start({ dataDir: folder.path, cacheDir, port, log: silent })).rejects.toMatchObject({
      code: 'E_PORT',
      message: expect.stringMatching(
        new RegExp(`^127\\.0\\.0\\.1:${port} is used by (pid ${process.pid} \\(.+\\)|another process)$`),
      ),
    });
    holder.close();
    expect(findProcesses(folder.path)).toEqual([]);
    await using server = await NatsServer.start({ dataDir: folder.path, cacheDir, port, log: silent });
    expect(server.port).toBe(port);
  });

  test('comes back on its port after a crash, and clients with it', async () => {
    await using nats = await startNats();
    await using connection = await connect(nats.url);
    await (await connection.bucket('test')).put('key', 'kept');
    const reconnected = waitForReconnect(connection);
    const [pid] = findServers(nats.dataDir);
    process.kill(pid!, 'SIGKILL');
    const next = await eventually(() => findServers(nats.dataDir).find((other) => other !== pid), {
      what: 'a new server',
    });
    expect(next).not.toBe(pid);
    await reconnected;
    expect((await (await connection.bucket('test')).get('key'))?.string()).toBe('kept');
    expect(nats.server.port).toBe(nats.port);
  });

  test('that crashes again and again is given up with its last word', async () => {
    await using nats = await startNats();
    let lost: unknown;
    void nats.server.lost.then((reason) => {
      lost = reason;
    });
    await eventually(
      () => {
        for (const pid of findServers(nats.dataDir)) process.kill(pid, 'SIGKILL');
        return lost;
      },
      { timeoutMs: 60_000, what: 'the server is given up' },
    );
    expect(lost).toMatchObject({ code: 'E_NATS_SERVER' });
  });

  test('of a version with published faults is warned of, once', async () => {
    await using folder = await startTemporaryDirectory();
    const warnings: string[] = [];
    const log = { debug: () => undefined, warn: (...words: unknown[]) => warnings.push(words.join(' ')) };
    await using server = await NatsServer.start({
      dataDir: folder.path,
      cacheDir,
      port: 0,
      log: log as unknown as Log,
    });
    expect(warnings.filter((line) => line.includes('published faults')).length).toBe(
      isSafeVersion(server.version) ? 0 : 1,
    );
  });

  test('that does not start tells its own last word', async () => {
    await using folder = await startTemporaryDirectory();
    const options = { dataDir: folder.path, cacheDir, port: 99_999, log: silent };
    await expect(NatsServer.start(options)).rejects.toMatchObject({
      code: 'E_NATS_SERVER',
      message: expect.stringContaining('99999'),
    });
  });
});

describe('a guarded process', () => {
  test.each(['linux', 'win32'])('ends with its guard, by the watcher of %s', async (platform) => {
    await using folder = await startTemporaryDirectory();
    const guarded = GuardedProcess.start({
      command: 'sh',
      words: ['-c', 'echo ready >&2; while :; do sleep 0.05; done', folder.path],
      onLine: (line) => seen.push(line),
      platform,
    });
    const seen: string[] = [];
    await eventually(() => seen.includes('ready'));
    await guarded[Symbol.asyncDispose]();
    expect(guarded.running).toBe(false);
    await eventually(() => findProcesses(folder.path).length === 0, { what: 'no process left' });
  });

  test.each(['linux', 'win32'])('tells the exit code of its child, by the watcher of %s', async (platform) => {
    const guarded = GuardedProcess.start({ command: 'sh', words: ['-c', 'exit 7'], onLine: () => undefined, platform });
    expect(await guarded.exited).toBe(7);
  });

  test('that ignores SIGTERM is killed', async () => {
    await using folder = await startTemporaryDirectory();
    const seen: string[] = [];
    const guarded = GuardedProcess.start({
      command: 'sh',
      words: ['-c', 'trap "" TERM; echo ready >&2; while :; do sleep 0.05; done', folder.path],
      onLine: (line) => seen.push(line),
    });
    await eventually(() => seen.includes('ready'));
    await guarded[Symbol.asyncDispose]();
    await eventually(() => findProcesses(folder.path).length === 0, { what: 'no process left' });
  });
});

test('a machine that reaches no release gets the package of Debian, without root', async ({ skip }) => {
  await using folder = await startTemporaryDirectory();
  const lines: string[] = [];
  const options = { cacheDir: folder.path, searchPath: '', releaseUrl: 'http://127.0.0.1:1' };
  const found = await findNatsBinary({ ...options, onProgress: (line) => lines.push(line) }).catch(
    (thrown: Error) => thrown,
  );
  if (found instanceof Error && /no apt-get|gave none/.test(found.message)) return skip('no Debian archive in reach');
  expect(found).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  expect(lines[0]).toContain('could not be fetched');
});
