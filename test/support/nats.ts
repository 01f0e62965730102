// A real nats-server for a test: on a port of its own, with a store of its own, gone with the test. The binary is fetched
// once into {repo}/.cache (test/support/machine.ts does it before the integration tests).
import { fileURLToPath } from 'node:url';
import { createLog } from '../../lattice/log.ts';
import { NatsServer } from '../../lattice/nats-server.ts';
import { startTemporaryDirectory } from './temporary.ts';

/** Shared by all tests of this checkout; not in git. */
export const cacheDir = fileURLToPath(new URL('../../.cache', import.meta.url));

export interface TestNats extends AsyncDisposable {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** For `LatticeConnection.start({ ...nats.connection, name })`: the url and a lattice name of its own. */
  readonly connection: { readonly url: string; readonly lattice: string; readonly name: string };
  /** Where it keeps its store. */
  readonly dataDir: string;
  readonly server: NatsServer;
}

let count = 0;

/** Starts a server; `await using nats = await startNats()`. */
export async function startNats(): Promise<TestNats> {
  const directory = await startTemporaryDirectory();
  const log = createLog('silent', 'nats');
  const server = await NatsServer.start({ dataDir: directory.path, cacheDir, port: 0, log });
  return {
    url: server.url,
    port: server.port,
    connection: { url: server.url, lattice: `test-${process.pid}-${++count}`, name: 'test' },
    dataDir: directory.path,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
