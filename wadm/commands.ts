// What wadm can tell a lattice to do, as data: a closed union, what names a command (so that it is not sent twice), what
// it asks for exactly (so that a changed wish is sent at once), how long it may take to show, and the one place that sends.
import type { ControlClient } from '../lattice/control.ts';
import { WattleError } from '../lattice/errors.ts';
import { linkKeyText } from '../lattice/state.ts';
import type { Link, LinkKey } from '../lattice/types.ts';
import { annotationKeys } from './application.ts';

type Annotations = Readonly<Record<string, string>>;

export interface ProviderCommand {
  readonly host: string;
  readonly id: string;
  readonly ref: string;
  readonly annotations: Annotations;
  readonly config: readonly string[];
}

export type Command =
  | { readonly type: 'put-config'; readonly name: string; readonly values: Readonly<Record<string, string>> }
  | (ProviderCommand & { readonly type: 'scale'; readonly count: number })
  | (ProviderCommand & { readonly type: 'start-provider' })
  /** Start it beside or instead of the one that runs under the same id; where a host refuses that, stop the old one first. */
  | (ProviderCommand & { readonly type: 'replace-provider' })
  | { readonly type: 'put-link'; readonly link: Link }
  | { readonly type: 'delete-link'; readonly key: LinkKey }
  | { readonly type: 'stop-provider'; readonly host: string; readonly id: string }
  | { readonly type: 'delete-config'; readonly name: string };

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

interface Row<C extends Command> {
  /** What the command is about: at most one command of a key is under way. */
  readonly key: (command: C) => string;
  /** Later stages wait until the answers to earlier ones are there: config, then code, then links; removal in reverse. */
  readonly stage: (command: C) => number;
  /** How long its effect may take to show before it is sent again (protocol.md 5.5). */
  readonly settleMs: number;
  readonly send: (control: ControlClient, command: C) => Promise<unknown>;
  /** For the status: what is being done. */
  readonly text: (command: C) => string;
}

/** Key of all that concerns one group of instances; failure events carry what it is made of. */
export const scaleKey = (host: string, id: string, annotations: Annotations): string =>
  `actor/${host}/${id}/${annotations[annotationKeys.scaler] ?? ''}/${annotations[annotationKeys.spread] ?? ''}`;
export const providerKey = (host: string, id: string): string => `provider/${host}/${id}`;
export const linkCommandKey = (key: LinkKey): string => `link/${linkKeyText(key)}`;

const providerOptions = (command: ProviderCommand) => ({
  providerId: command.id,
  ref: command.ref,
  annotations: command.annotations,
  config: command.config,
});

/** A host that cannot replace in place says that the id is taken; hosts of wasmCloud say it without a code. */
export const isRunningAlready = (thrown: unknown): boolean =>
  thrown instanceof WattleError && (thrown.code === 'E_CONFLICT' || thrown.message.includes('already running'));

const table: { readonly [T in Command['type']]: Row<Of<T>> } = {
  'put-config': {
    key: (command) => `config/${command.name}`,
    stage: () => 0,
    settleMs: 5000,
    send: (control, command) => control.putConfig(command.name, command.values),
    text: (command) => `putting config ${command.name}`,
  },
  scale: {
    key: (command) => scaleKey(command.host, command.id, command.annotations),
    stage: (command) => (command.count > 0 ? 1 : 4),
    settleMs: 5000,
    send: (control, { host, id, ref, count, annotations, config }) =>
      control.scaleActor(host, { actorId: id, ref, count, annotations, config, allowUpdate: true }),
    text: ({ count, id, ref, host }) =>
      count > 0 ? `scaling ${id} to ${count} of ${ref} on ${host}` : `stopping ${id} on ${host}`,
  },
  'start-provider': {
    key: (command) => providerKey(command.host, command.id),
    stage: () => 1,
    settleMs: 60_000,
    send: (control, command) => control.startProvider(command.host, providerOptions(command)),
    text: ({ id, ref, host }) => `starting ${id} (${ref}) on ${host}`,
  },
  'replace-provider': {
    key: (command) => providerKey(command.host, command.id),
    stage: () => 1,
    settleMs: 60_000,
    send: async (control, command) => {
      await control.startProvider(command.host, providerOptions(command)).catch(async (refused: unknown) => {
        if (!isRunningAlready(refused)) throw refused;
        await control.stopProvider(command.host, command.id);
        await control.startProvider(command.host, providerOptions(command));
      });
    },
    text: ({ id, ref, host }) => `replacing ${id} by ${ref} on ${host}`,
  },
  'put-link': {
    key: (command) => linkCommandKey(command.link),
    stage: () => 2,
    settleMs: 5000,
    send: (control, command) => control.putLink(command.link),
    text: ({ link }) => `putting link ${linkKeyText(link)} to ${link.target}`,
  },
  'delete-link': {
    key: (command) => linkCommandKey(command.key),
    stage: () => 3,
    settleMs: 5000,
    send: (control, command) => control.deleteLink(command.key),
    text: ({ key }) => `deleting link ${linkKeyText(key)}`,
  },
  'stop-provider': {
    key: (command) => providerKey(command.host, command.id),
    stage: () => 4,
    settleMs: 60_000,
    send: (control, command) => control.stopProvider(command.host, command.id),
    text: ({ id, host }) => `stopping ${id} on ${host}`,
  },
  'delete-config': {
    key: (command) => `config/${command.name}`,
    stage: () => 5,
    settleMs: 5000,
    send: (control, command) => control.deleteConfig(command.name),
    text: (command) => `deleting config ${command.name}`,
  },
};

const rowOf = (command: Command): Row<Command> => table[command.type] as Row<Command>;

export const commandKey = (command: Command): string => rowOf(command).key(command);
export const commandStage = (command: Command): number => rowOf(command).stage(command);
export const commandSettleMs = (command: Command): number => rowOf(command).settleMs;
export const commandText = (command: Command): string => rowOf(command).text(command);
/** Two commands with equal prints ask for the same. */
export const commandPrint = (command: Command): string => JSON.stringify(command);
/** Sends a command; resolves when it was accepted, which is before its work is done. Throws WattleError. */
export const sendCommand = async (control: ControlClient, command: Command): Promise<void> => {
  await rowOf(command).send(control, command);
};
