// Groups of instances of one actor on a host, one a set of annotations, and how inventories and events show them: the forms
// strict readers demand (protocol.md 3.2, 4.3).
import type { Claims } from '../lattice/claims.ts';
import { formatError } from '../lattice/errors.ts';
import type { ActorDescription } from '../lattice/types.ts';
import type { Actor } from './actor.ts';

/** Instances asked for under one set of annotations; wadm addresses a group by its annotations. */
export interface Group {
  readonly annotations: Readonly<Record<string, string>>;
  readonly count: number;
}

/** The same for the same annotations in any order. */
export const groupKey = (annotations: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(annotations).sort(([left], [right]) => (left < right ? -1 : 1)));
export const totalOf = (groups: ReadonlyMap<string, Group>): number =>
  [...groups.values()].reduce((sum, group) => sum + group.count, 0);

/** As an inventory shows it. */
export function describeGroup(actor: Actor, group: Group): ActorDescription {
  const { failure, module, claims } = actor;
  return {
    id: actor.id,
    image_ref: module.ref,
    name: claims?.name || actor.id,
    annotations: { ...group.annotations },
    revision: claims?.revision ?? 0,
    max_instances: group.count,
    digest: module.digest,
    state: failure === undefined ? 'running' : failure.code === 'E_CRASH_LOOP' ? 'crash-loop' : 'starting',
    ...(failure ? { state_reason: formatError(failure) } : {}),
  };
}

/** Claims as events carry them; readers require every one of these fields (protocol.md 4.3). */
export function createEventClaims(claims: Claims): Record<string, unknown> & { issuer: string } {
  return {
    call_alias: claims.callAlias ?? null,
    caps: claims.capabilities,
    issuer: claims.issuer,
    tags: claims.tags,
    name: claims.name,
    version: claims.version,
    revision: claims.revision,
    not_before_human: claims.notBefore?.toISOString() ?? 'immediately',
    expires_human: claims.expiresAt?.toISOString() ?? 'never',
  };
}
