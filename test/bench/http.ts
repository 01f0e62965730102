// HTTP hello through an actor in a cell, against the same answer from a bare fastify route, 64 connections. Rounds
// alternate between the two so that a busy neighbour disturbs both. wrk drives where it is installed, else autocannon.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, startPlatform } from '../support/platform.ts';
import { deployHello } from '../support/sample.ts';
import { type Figure, figure, median } from './figure.ts';

const run = promisify(execFile);
const connections = 64;
const roundSeconds = 4;
const rounds = 5;

type Drive = (url: string, seconds: number) => Promise<number>;

/** Requests a second; throws when any answer was not 2xx, since a wrong answer may be a quick one. */
async function driveWrk(url: string, seconds: number): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk saw errors:\n${stdout}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

async function driveAutocannon(url: string, seconds: number): Promise<number> {
  const program = fileURLToPath(import.meta.resolve('autocannon'));
  const words = [program, '-c', String(connections), '-d', String(seconds), '--json', '--no-progress', url];
  const { stdout } = await run(process.execPath, words);
  const result = JSON.parse(stdout) as { non2xx: number; errors: number; requests: { average: number } };
  if (result.non2xx + result.errors > 0) throw new Error(`autocannon saw ${result.non2xx + result.errors} errors`);
  return result.requests.average;
}

const findDrive = (): Promise<Drive> =>
  run('wrk', ['--version']).then(
    () => driveWrk,
    (error: { code?: unknown }) => (error.code === 1 ? driveWrk : driveAutocannon),
  );

const fastifySource = (port: number): string => `
import fastify from 'fastify';
const app = fastify();
app.get('/', async () => 'Hello from Wattle');
await app.listen({ port: ${port}, host: '127.0.0.1' });
console.log('ready');`;

async function startFastify(port: number): Promise<AsyncDisposable> {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const child = spawn(process.execPath, ['--input-type=module', '-e', fastifySource(port)], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

export async function measureHttp(): Promise<Figure[]> {
  const drive = await findDrive();
  const [actorPort, barePort] = [await freePort(), await freePort()];
  await using platform = await startPlatform();
  await deployHello(platform, { port: actorPort });
  await using _bare = await startFastify(barePort);
  const [actorUrl, bareUrl] = [`http://127.0.0.1:${actorPort}/`, `http://127.0.0.1:${barePort}/`];
  await drive(actorUrl, 3);
  await drive(bareUrl, 3);
  const measured: { actor: number; bare: number }[] = [];
  for (let round = 0; round < rounds; round++)
    measured.push({ actor: await drive(actorUrl, roundSeconds), bare: await drive(bareUrl, roundSeconds) });
  return [
    figure('http.hello.ratio', median(measured.map(({ actor, bare }) => actor / bare)), 'actor / bare fastify'),
    figure('http.hello.rps', median(measured.map(({ actor }) => actor)), 'requests/s'),
    figure('http.fastify.rps', median(measured.map(({ bare }) => bare)), 'requests/s'),
  ];
}
