// Which hosts a command is about: one by id, unique beginning of an id or friendly name, or all that answer.
import type { ControlClient } from '../lattice/control.ts';
import { WattleError } from '../lattice/errors.ts';
import type { ActorDescription, HostInventory, ProviderDescription } from '../lattice/types.ts';

/** The inventory of every host that answers, by friendly name. A host that leaves meanwhile is left out. */
export async function readInventories(control: ControlClient): Promise<HostInventory[]> {
  const hosts = await control.hosts();
  const answers = await Promise.allSettled(hosts.map((host) => control.inventory(host.id)));
  return answers
    .flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    .sort((a, b) => (a.friendly_name < b.friendly_name ? -1 : 1));
}

/** The id of the host that `text` names. Throws E_NOT_FOUND when none or several fit, E_NO_HOST when none answers. */
export async function findHost(control: ControlClient, text: string): Promise<string> {
  if (/^N[A-Z2-7]{55}$/.test(text)) return text;
  const hosts = await control.hosts();
  if (hosts.length === 0) throw new WattleError('E_NO_HOST', 'no host answers');
  const named = hosts.filter((host) => host.friendly_name === text);
  const fitting = named.length > 0 ? named : hosts.filter((host) => host.id.startsWith(text));
  if (fitting.length === 1) return fitting[0]!.id;
  const problem = fitting.length === 0 ? `no host is called "${text}"` : `"${text}" fits ${fitting.length} hosts`;
  throw new WattleError('E_NOT_FOUND', problem, { hint: 'See `wattle host list`.' });
}

/** What was asked for by id, as it runs on one host. */
export interface Placement<T> {
  readonly hostId: string;
  readonly hostName: string;
  readonly run: T;
}

const placed = <T>({ host_id: hostId, friendly_name: hostName }: HostInventory, runs: readonly T[]): Placement<T>[] =>
  runs.map((run) => ({ hostId, hostName, run }));

/** Every group of actors, and every provider, on every host. */
export const listActors = (inventories: readonly HostInventory[]): Placement<ActorDescription>[] =>
  inventories.flatMap((inventory) => placed(inventory, inventory.components));
export const listProviders = (inventories: readonly HostInventory[]): Placement<ProviderDescription>[] =>
  inventories.flatMap((inventory) => placed(inventory, inventory.providers));

/** Placements of `id`, on `hostId` only when given. Throws E_NOT_FOUND when it runs nowhere. */
export function findPlacements<T extends { readonly id: string }>(
  placements: readonly Placement<T>[],
  { kind, id, hostId }: { kind: 'actor' | 'provider'; id: string; hostId?: string | undefined },
): Placement<T>[] {
  const found = placements.filter(({ run, hostId: on }) => run.id === id && (hostId === undefined || hostId === on));
  if (found.length > 0) return found;
  const where = hostId === undefined ? 'on any host' : `on ${hostId}`;
  throw new WattleError('E_NOT_FOUND', `${kind} ${id} does not run ${where}`, { hint: `See \`wattle ${kind} list\`.` });
}
