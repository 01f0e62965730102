// `wattle call`: one invocation of an actor, signed like those of hosts with the cluster key of this machine.
import { readFile } from 'node:fs/promises';
import type { LatticeConnection } from '../../lattice/connection.ts';
import { WattleError } from '../../lattice/errors.ts';
import { rpcSubjects } from '../../lattice/subjects.ts';
import type { Cli, Command, Options } from '../command.ts';

/** Longest body sent or taken. */
const maxBodyBytes = 64 * 1024 * 1024;

interface Call {
  readonly id: string;
  readonly operation: string;
  readonly payload: Uint8Array;
}

async function readBodyFile(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new WattleError('E_NOT_FOUND', `cannot read ${path}: ${cause.code}`, {
      cause,
      hint: '@FILE names a file with the body.',
    });
  });
}

/** `@FILE` is the content of a file; with `raw` the bytes as they are, else JSON. */
async function readBody(operation: string, word: string | undefined, raw: boolean): Promise<Uint8Array> {
  const fromFile = word?.startsWith('@') ? await readBodyFile(word.slice(1)) : undefined;
  if (raw) return fromFile ?? Buffer.from(word ?? '', 'utf8');
  const { encodeCallBody } = await import('../call-payload.ts');
  return encodeCallBody(operation, fromFile?.toString('utf8') ?? word);
}

async function invoke(cli: Cli, connection: LatticeConnection, call: Call, options: Options): Promise<Uint8Array> {
  const [{ createInvocationCodec }, { openKeyring }, { parseClusterSeed }, { isNoResponders, isTimeout }] =
    await Promise.all([
      import('../../lattice/invocation-codec.ts'),
      import('../../lattice/keyring.ts'),
      import('../host-keys.ts'),
      import('../../lattice/connection.ts'),
    ]);
  const { dataDir, clusterSeed, timeoutMs } = cli.readSettings(['dataDir', 'clusterSeed', 'timeoutMs'], options);
  const keyring = openKeyring(dataDir);
  const clusterKey = clusterSeed === undefined ? await keyring.cluster() : parseClusterSeed(clusterSeed);
  const hostId = (await keyring.host()).publicKey;
  const issuers = new Set([clusterKey.publicKey]);
  const codec = createInvocationCodec({ connection, hostId, clusterKey, issuers, maxBodyBytes });
  // as wash does it: the actor stands for the caller, who has no entity of its own
  const actor = { public_key: call.id, contract_id: '', link_name: '' };
  const draft = { origin: actor, target: actor, operation: call.operation, payload: call.payload };
  const { id, data } = await codec.encodeCall(draft);
  const subject = rpcSubjects.actor(connection.lattice, call.id);
  const answer = await connection.request(subject, data, timeoutMs).catch((cause: unknown) => {
    if (isNoResponders(cause)) throw new WattleError('E_NO_TARGET', `no host runs actor ${call.id}`, { cause });
    if (isTimeout(cause))
      throw new WattleError('E_TIMEOUT', `actor ${call.id} did not answer ${call.operation} within ${timeoutMs} ms`, {
        cause,
      });
    throw cause;
  });
  return codec.decodeAnswer(id, answer.data);
}

async function callActor(
  cli: Cli,
  words: { id: string; operation: string; body: string | undefined },
  options: Options,
) {
  const raw = options.raw === true;
  const payload = await readBody(words.operation, words.body, raw);
  const connection = await cli.connect(options);
  const answer = await invoke(cli, connection, { id: words.id, operation: words.operation, payload }, options);
  if (raw && !cli.json) {
    process.stdout.write(answer);
    return;
  }
  const { decodeCallAnswer } = await import('../call-payload.ts');
  const shown = raw ? { $bytes: Buffer.from(answer).toString('base64') } : decodeCallAnswer(answer);
  cli.print(shown, (value) => JSON.stringify(value, null, 2));
}

export const call: Command = {
  name: 'call',
  register(program, cli) {
    const command = program
      .command('call <id> <operation> [body]')
      .description('call an operation of an actor and print its answer; the body is JSON, @FILE, or absent')
      .option('--raw', 'send the body, and print the answer, as bytes without MessagePack')
      .action(
        cli.action((id: string, operation: string, body: string | undefined, options: Options) =>
          callActor(cli, { id, operation, body }, options),
        ),
      );
    cli.addExamples(cli.addConnection(command), [
      `call counter HttpServer.HandleRequest '{"path":"/counter"}'`,
      `call echo Echo.Say '{"name":"Ada","data":{"$bytes":"3q2+7w=="}}'`,
      'call echo Echo.Raw @body.bin --raw > answer.bin',
    ]);
  },
};
