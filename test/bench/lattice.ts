// A call across the lattice (signed, verified, run in an actor of another process) against a bare NATS request answered by
// another process. Calls go one at a time, so the figures are latencies; rounds alternate.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { actorEntity } from '../../host/invoke.ts';
import { LatticeConnection } from '../../lattice/connection.ts';
import { createInvocationCodec } from '../../lattice/invocation-codec.ts';
import { openKeyring } from '../../lattice/keyring.ts';
import { encodeMessage } from '../../lattice/msgpack.ts';
import { rpcSubjects } from '../../lattice/subjects.ts';
import { freePort, type Platform, startPlatform } from '../support/platform.ts';
import { deployHello } from '../support/sample.ts';
import { type Figure, figure, median } from './figure.ts';

const rounds = 7;
const callsPerRound = 500;
const echoSubject = 'bench.echo';

const responderSource = (url: string): string => `
import { connect } from 'nats';
const nats = await connect({ servers: '${url}' });
nats.subscribe('${echoSubject}', { callback: (_error, message) => message.respond(message.data) });
await nats.flush();
console.log('ready');`;

async function startResponder(url: string): Promise<AsyncDisposable> {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const words = ['--input-type=module', '-e', responderSource(url)];
  const child = spawn(process.execPath, words, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** A function that asks the hello actor how it is, as another host would. */
async function createCaller(platform: Platform, connection: LatticeConnection): Promise<() => Promise<unknown>> {
  const clusterKey = await openKeyring(platform.dataDir).cluster();
  const codec = createInvocationCodec({
    connection,
    hostId: clusterKey.publicKey,
    clusterKey,
    issuers: new Set([clusterKey.publicKey]),
    maxBodyBytes: 1024,
  });
  const target = actorEntity('hello-actor');
  const subject = rpcSubjects.actor(connection.lattice, target.public_key);
  const payload = encodeMessage({});
  return async () => {
    const call = await codec.encodeCall({
      origin: actorEntity('bench'),
      target,
      operation: 'Actor.HealthRequest',
      payload,
    });
    const reply = await connection.nats.request(subject, call.data, { timeout: 5000 });
    return codec.decodeAnswer(call.id, reply.data);
  };
}

/** Microseconds a call takes on average. */
async function time(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let count = 0; count < callsPerRound; count++) await call();
  return ((performance.now() - startedAt) * 1000) / callsPerRound;
}

export async function measureLattice(): Promise<Figure[]> {
  await using platform = await startPlatform();
  await deployHello(platform, { port: await freePort() });
  await using _responder = await startResponder(platform.natsUrl);
  await using connection = await LatticeConnection.start({ lattice: 'default', url: platform.natsUrl, name: 'bench' });
  const call = await createCaller(platform, connection);
  const bare = (): Promise<unknown> => connection.nats.request(echoSubject, 'x', { timeout: 5000 });
  await time(call);
  await time(bare);
  const measured: { lattice: number; bare: number }[] = [];
  for (let round = 0; round < rounds; round++) measured.push({ lattice: await time(call), bare: await time(bare) });
  return [
    figure('lattice.call.ratio', median(measured.map((round) => round.bare / round.lattice)), 'bare NATS / call'),
    figure('lattice.call.us', median(measured.map((round) => round.lattice)), 'µs'),
    figure('lattice.nats.us', median(measured.map((round) => round.bare)), 'µs'),
  ];
}
