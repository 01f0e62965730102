// The socket of one isolate: the host listens under a name nobody can guess, in a folder only the cell's user can enter,
// takes one connection that knows the token, and stops listening. What reads the frames gets the connection.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WattleError } from '../lattice/errors.ts';
import { type Frame, FrameReader, frameType } from './engine/frames.ts';
import { frameBytes } from './engine/limits.ts';

/** Longest path of a unix socket that every system takes. */
const socketPathBytes = 100;
const connectMs = 10_000;
/** User and group `nobody` of Linux; a cell started by root runs as it. */
const nobodyId = 65_534;

export interface IsolateSocket {
  readonly path: string;
  readonly token: string;
  /** The connection; frames go to the handler given, from the first after the token. Rejects E_CELL_LOST when none comes. */
  readonly connected: Promise<Socket>;
  /** Stops listening; no effect on a connection that came. */
  close(): void;
}

interface ListenOptions {
  /** Where the folder of the socket is made when the path stays short enough; else the system's temporary folder. */
  readonly runDir: string;
  readonly onFrame: (frame: Frame) => void;
  /** The cell sent what no isolate sends. */
  readonly onMalformed: (error: Error) => void;
}

/** `[path, remove]` of a fresh socket address. */
async function createAddress(runDir: string): Promise<[string, () => void]> {
  if (process.platform === 'win32') return [`\\\\.\\pipe\\wattle-${randomBytes(16).toString('hex')}`, () => undefined];
  const isRoot = process.getuid?.() === 0;
  const name = 'wattle-123456/s';
  const base = isRoot || join(runDir, name).length > socketPathBytes ? tmpdir() : runDir;
  if (base === runDir) await mkdir(runDir, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(base, 'wattle-'));
  await chmod(folder, 0o700);
  if (isRoot) await chown(folder, nobodyId, nobodyId).catch(() => undefined);
  return [join(folder, 's'), () => void rm(folder, { recursive: true, force: true }).catch(() => undefined)];
}

/** Reads frames of one connection; the first must carry the token. */
function readConnection(connection: Socket, token: string, options: ListenOptions & { onHello: () => void }): void {
  let known = false;
  const onFrame = (frame: Frame): void => {
    if (known) options.onFrame(frame);
    else if (frame.type === frameType.hello && isToken(frame, token)) {
      known = true;
      options.onHello();
    } else connection.destroy();
  };
  const reader = new FrameReader(frameBytes, onFrame);
  connection.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk);
    } catch (error) {
      connection.destroy();
      if (known) options.onMalformed(error as Error);
    }
  });
  connection.on('error', () => connection.destroy());
}

const isToken = ({ bytes, start, end }: Frame, token: string): boolean =>
  end - start === token.length && timingSafeEqual(bytes.subarray(start, end), Buffer.from(token));

/** Listens for one isolate. */
export async function listenForIsolate(options: ListenOptions): Promise<IsolateSocket> {
  const [path, remove] = await createAddress(options.runDir);
  const token = randomBytes(24).toString('base64url');
  const connected = Promise.withResolvers<Socket>();
  connected.promise.catch(() => undefined);
  const server: Server = createServer();
  const close = (): void => {
    clearTimeout(timer);
    server.close();
    remove();
    connected.reject(new WattleError('E_CELL_LOST', 'the isolate did not connect to the host'));
  };
  const timer = setTimeout(close, connectMs);
  server.on('connection', (connection) => {
    const onHello = (): void => {
      connected.resolve(connection);
      close();
    };
    readConnection(connection, token, { ...options, onHello });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  if (process.getuid?.() === 0 && process.platform !== 'win32') await chmod(path, 0o666);
  return { path, token, connected: connected.promise, close };
}

/** Resolves when the connection has closed, all it carried having been read, or after `timeoutMs`. */
export function closed(connection: Socket, timeoutMs: number): Promise<void> {
  if (connection.closed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    connection.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
