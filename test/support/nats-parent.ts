// A process that runs an embedded nats-server and nothing else, for tests that kill it: prints the url, then waits for ever.
import { createLog } from '../../lattice/log.ts';
import { NatsServer } from '../../lattice/nats-server.ts';
import { cacheDir } from './nats.ts';

const log = createLog('silent', 'nats');
const server = await NatsServer.start({ dataDir: process.argv[2]!, cacheDir, port: 0, log });
console.log(server.url);
