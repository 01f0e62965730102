// A real redis-server for a test: on a port the system chooses, nothing on disk, gone with the test.
import { createServer } from 'node:net';
import { GuardedProcess } from '../../lattice/guarded-process.ts';
import { startTemporaryDirectory } from './temporary.ts';

export interface TestRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
}

/** A port that was free a moment ago; redis-server cannot report one it chose itself. */
async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server, with the port given or a free one; `await using redis = await startRedis()`. */
export async function startRedis(port?: number): Promise<TestRedis> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const redis = await tryStart(port ?? (await findFreePort()));
    if (redis) return redis;
    if (port !== undefined) break;
  }
  throw new Error(`redis-server did not start${port === undefined ? '' : ` on port ${port}`}; is it installed?`);
}

async function tryStart(port: number): Promise<TestRedis | undefined> {
  const directory = await startTemporaryDirectory();
  const ready = Promise.withResolvers<boolean>();
  const child = GuardedProcess.start({
    command: 'sh',
    // redis-server logs to stdout, the guard listens on stderr
    words: ['-c', 'exec redis-server "$@" >&2', 'sh', ...redisWords(port, directory.path)],
    onLine: (line) => line.includes('Ready to accept connections') && ready.resolve(true),
  });
  void child.exited.then(() => ready.resolve(false));
  const dispose = async (): Promise<void> => {
    await child[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  };
  if (await ready.promise) return { url: `redis://127.0.0.1:${port}`, port, [Symbol.asyncDispose]: dispose };
  await dispose();
  return undefined;
}

const redisWords = (port: number, folder: string): string[] =>
  Object.entries({ port: String(port), bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' }).flatMap(
    ([key, value]) => [`--${key}`, value],
  );
