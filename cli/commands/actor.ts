// `wattle actor`: runs, stops, scales and replaces actors by hand. Every subcommand waits for the outcome that the hosts
// report, and fails with their reason.
import type { Command as Program } from 'commander';
import { toWattleError, WattleError } from '../../lattice/errors.ts';
import { parsePairs } from '../../lattice/settings.ts';
import type { ActorDescription } from '../../lattice/types.ts';
import { resolveArtifactRef } from '../artifact-ref.ts';
import type { Cli, Command, Options } from '../command.ts';
import { findHost, findPlacements, listActors, type Placement, readInventories } from '../hosts.ts';
import { addWait, collect, readCount, readWaitMs } from '../options.ts';
import { formatPairs, formatTable } from '../output.ts';

const heavy = () => import('../outcome.ts');
const managedBy = 'wasmcloud.dev/managed-by';

interface StartOptions extends Options {
  readonly host?: string;
  readonly count: string;
  readonly constraint?: readonly string[];
}

async function startActor(cli: Cli, ref: string, id: string, options: StartOptions): Promise<void> {
  const image = resolveArtifactRef(ref, process.cwd());
  const count = readCount(options.count, '--count');
  const constraints = parsePairs(options.constraint ?? [], '--constraint');
  const waitMs = readWaitMs(options);
  const control = await cli.control(options);
  const connection = await cli.connect(options);
  const hosts = options.host
    ? [await findHost(control, options.host)]
    : await control.auctionActor(image, id, constraints);
  const hostId = hosts[0];
  if (hostId === undefined) throw await explainAuction(cli, options, id);
  const send = () => control.scaleActor(hostId, { actorId: id, ref: image, count });
  const { awaitOutcome, judgeActor } = await heavy();
  if (waitMs === undefined) await send();
  else {
    const judge = judgeActor(hostId, id, (run) => run.count === count);
    await awaitOutcome(connection, { what: `actor ${id} on ${hostId}`, timeoutMs: waitMs, judge }, send);
  }
  cli.print({ id, ref: image, host: hostId, count, waited: waitMs !== undefined }, () =>
    waitMs === undefined ? `Asked ${hostId} to start ${id}` : `Started ${id} on ${hostId} (up to ${count} at once)`,
  );
}

async function explainAuction(cli: Cli, options: Options, id: string): Promise<WattleError> {
  const control = await cli.control(options);
  const running = listActors(await readInventories(control)).filter(({ run }) => run.id === id);
  return running.length > 0
    ? new WattleError('E_CONFLICT', `actor ${id} already runs on every host that could take it`, {
        hint: `Change it with \`wattle actor scale ${id} N\` or \`wattle actor update ${id} REF\`.`,
      })
    : new WattleError('E_NO_HOST', `no host can take actor ${id}`);
}

interface Outcome {
  readonly host: string;
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Change {
  readonly id: string;
  readonly placements: readonly Placement<ActorDescription>[];
  /** Sends the change to one host. */
  send(placement: Placement<ActorDescription>): Promise<unknown>;
  /** True for the event that shows it is in force there. */
  done(run: { count: number; ref: string }): boolean;
  readonly said: string;
}

/** Applies a change on every placement and waits for each; throws the first failure after all were heard. */
async function applyEverywhere(cli: Cli, options: Options, change: Change): Promise<void> {
  const waitMs = readWaitMs(options);
  const connection = await cli.connect(options);
  const { awaitOutcome, judgeActor } = await heavy();
  const failures: WattleError[] = [];
  const outcomes: Outcome[] = [];
  for (const placement of change.placements) {
    const { hostId, hostName } = placement;
    const expectation = {
      what: `actor ${change.id} on ${hostName}`,
      timeoutMs: waitMs ?? 0,
      judge: judgeActor(hostId, change.id, change.done),
    };
    try {
      if (waitMs === undefined) await change.send(placement);
      else await awaitOutcome(connection, expectation, () => change.send(placement));
      outcomes.push({ host: hostId, ok: true });
    } catch (thrown) {
      const error = toWattleError(thrown);
      failures.push(error);
      cli.note(`${hostName}: ${error.code}: ${error.message}`);
      outcomes.push({ host: hostId, ok: false, error: { code: error.code, message: error.message } });
    }
  }
  const first = failures[0];
  if (first) {
    const message = `${failures.length} of ${outcomes.length} hosts: ${first.message}`;
    throw new WattleError(first.code, message, { hint: first.hint, cause: first });
  }
  cli.print({ id: change.id, hosts: outcomes }, () =>
    outcomes.map(({ host }) => `${waitMs === undefined ? 'Asked for' : 'Done'}: ${change.said} on ${host}`).join('\n'),
  );
}

async function place(cli: Cli, id: string, options: Options): Promise<Placement<ActorDescription>[]> {
  const control = await cli.control(options);
  const hostId = typeof options.host === 'string' ? await findHost(control, options.host) : undefined;
  const placements = findPlacements(listActors(await readInventories(control)), { kind: 'actor', id, hostId });
  if (placements.some(({ run }) => run.annotations?.[managedBy] === 'wadm'))
    cli.note(`${id} belongs to an application: wadm restores what its manifest says.`);
  return placements;
}

/** One placement a host: requests without annotations concern all groups of it. */
const onePerHost = (placements: readonly Placement<ActorDescription>[]): Placement<ActorDescription>[] => [
  ...new Map(placements.map((placement) => [placement.hostId, placement])).values(),
];

async function stopActor(cli: Cli, id: string, options: Options): Promise<void> {
  const placements = onePerHost(await place(cli, id, options));
  const control = await cli.control(options);
  await applyEverywhere(cli, options, {
    id,
    placements,
    send: ({ hostId, run }) => control.scaleActor(hostId, { actorId: id, ref: run.image_ref, count: 0 }),
    done: ({ count }) => count === 0,
    said: `stop ${id}`,
  });
}

async function scaleActor(cli: Cli, id: string, countText: string, options: Options): Promise<void> {
  const count = readCount(countText, 'the count');
  if (count === 0) return stopActor(cli, id, options);
  const placements = onePerHost(await place(cli, id, options));
  const control = await cli.control(options);
  await applyEverywhere(cli, options, {
    id,
    placements,
    send: ({ hostId, run }) =>
      control.scaleActor(hostId, { actorId: id, ref: run.image_ref, count, annotations: run.annotations ?? {} }),
    done: (run) => run.count === count,
    said: `scale ${id} to ${count}`,
  });
}

async function updateActor(cli: Cli, id: string, ref: string, options: Options): Promise<void> {
  const image = resolveArtifactRef(ref, process.cwd());
  const placements = onePerHost(await place(cli, id, options));
  const control = await cli.control(options);
  await applyEverywhere(cli, options, {
    id,
    placements,
    send: ({ hostId }) => control.updateActor(hostId, id, image),
    done: (run) => run.ref === image,
    said: `update ${id} to ${image}`,
  });
}

async function listRunning(cli: Cli, options: Options): Promise<void> {
  const placements = listActors(await readInventories(await cli.control(options)));
  const rows = placements.map(({ hostId, hostName, run }) => ({ host: hostId, host_name: hostName, ...run }));
  cli.print(rows, (actors) =>
    actors.length === 0
      ? 'No actor runs.'
      : formatTable(
          ['ID', 'STATE', 'COUNT', 'REVISION', 'HOST', 'IMAGE', 'ANNOTATIONS'],
          actors.map((actor) => [
            actor.id,
            actor.state_reason ? `${actor.state}: ${actor.state_reason}` : (actor.state ?? 'running'),
            String(actor.max_instances),
            String(actor.revision),
            actor.host_name,
            actor.image_ref,
            formatPairs(actor.annotations),
          ]),
        ),
  );
}

export const actor: Command = {
  name: 'actor',
  register(program, cli) {
    const noun = program.command('actor').description('run, stop, scale and replace actors by hand');
    const add = (usage: string, about: string): Program => cli.addConnection(noun.command(usage).description(about));
    const host = ['--host <host>', 'id, beginning of an id, or name of a host'] as const;

    const start = add('start <ref> <id>', 'run a module as actor ID on a host that takes it')
      .option(...host)
      .option('--count <n>', 'how many calls it serves at once', '1')
      .option('--constraint <key=value>', 'label the host must have; may be given again', collect)
      .action(cli.action((ref: string, id: string, options: StartOptions) => startActor(cli, ref, id, options)));
    cli.addExamples(addWait(start), [
      'actor start ./hello_s.wasm hello',
      'actor start file:hello_s.wasm hello --count 10 --constraint zone=a',
    ]);

    const stop = add('stop <id>', 'stop an actor on every host that runs it')
      .option(...host)
      .action(cli.action((id: string, options: Options) => stopActor(cli, id, options)));
    cli.addExamples(addWait(stop), ['actor stop hello']);

    const scale = add('scale <id> <count>', 'change how many calls an actor serves at once; 0 stops it')
      .option(...host)
      .action(cli.action((id: string, n: string, options: Options) => scaleActor(cli, id, n, options)));
    cli.addExamples(addWait(scale), ['actor scale hello 20']);

    const update = add('update <id> <ref>', 'replace the module of a running actor without dropping a call')
      .option(...host)
      .action(cli.action((id: string, ref: string, options: Options) => updateActor(cli, id, ref, options)));
    cli.addExamples(addWait(update), ['actor update hello ./hello_v2_s.wasm']);

    const list = add('list', 'show the actors of every host').action(
      cli.action((options: Options) => listRunning(cli, options)),
    );
    cli.addExamples(list, ['actor list', 'actor list --output json']);
  },
};
