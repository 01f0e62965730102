// A whole platform as a user has it: `wattle up` in a process of its own, a data directory of its own, ports from the
// system; and `wattle …` commands against it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { eventually } from './eventually.ts';
import { cacheDir } from './nats.ts';
import { startTemporaryDirectory } from './temporary.ts';

const launcher = fileURLToPath(new URL('../../bin/wattle.js', import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one `wattle` command to its end. Never rejects because of its exit code. */
export async function runWattle(
  args: readonly string[],
  options: { cwd?: string; input?: string } = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [launcher, ...args], { cwd: options.cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (output.stdout += data));
  child.stderr.on('data', (data) => (output.stderr += data));
  child.stdin.end(options.input ?? '');
  const [code] = await once(child, 'close');
  return { code: code ?? -1, ...output };
}

/** A port nobody listens on at the moment; taken again at once by whoever asked. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export interface WattleProcess extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly dataDir: string;
  /** All it printed so far. */
  output(): string;
  /** Ends it as Ctrl-C would and resolves with its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a long-running `wattle` command and waits until it prints `ready`. */
export async function startWattle(args: readonly string[], ready = /is ready|serves lattice/): Promise<WattleProcess> {
  const dataDir = args[args.indexOf('--data-dir') + 1] ?? '';
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  let exited: number | null | undefined;
  child.on('exit', (code) => (exited = code));
  const stop = async (signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> => {
    if (exited !== undefined) return exited;
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code;
  };
  const what = `wattle ${args[0]} to be ready`;
  await eventually(() => exited !== undefined || ready.test(output), { timeoutMs: 60_000, what }).catch((error) => {
    child.kill('SIGKILL');
    throw new Error(`${error.message}\n${output}`);
  });
  if (exited !== undefined) throw new Error(`wattle ${args.join(' ')} ended with ${exited}:\n${output}`);
  return {
    process: child,
    dataDir,
    output: () => output,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

export interface Platform extends WattleProcess {
  readonly natsUrl: string;
  /** Runs a command against this platform. */
  wattle(...args: string[]): Promise<CommandResult>;
  /** Runs a command with --output json and parses what it prints; throws with its output when it fails. */
  json(...args: string[]): Promise<unknown>;
}

/** `wattle up` with its own data directory and NATS port. */
export async function startPlatform(args: readonly string[] = []): Promise<Platform> {
  const directory = await startTemporaryDirectory();
  const dataDir = directory.path;
  const binary = await findNatsBinary({ cacheDir });
  const up = ['up', '--data-dir', dataDir, '--nats-port', '0', '--nats-server', binary.path, ...args];
  const running = await startWattle(up);
  const { natsUrl } = JSON.parse(await readFile(join(dataDir, 'up.json'), 'utf8')) as { natsUrl: string };
  const wattle = (...words: string[]): Promise<CommandResult> => runWattle([...words, '--data-dir', dataDir]);
  return {
    ...running,
    natsUrl,
    wattle,
    async json(...words) {
      const result = await wattle(...words, '--output', 'json');
      if (result.code !== 0)
        throw new Error(`wattle ${words.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
      return JSON.parse(result.stdout);
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}
