// Proof that an invocation comes from a host of this cluster: a token of the cluster key that names both ends, the
// operation and the hash of the body. Whoever lacks the cluster seed can neither make nor change a call. Facts:
// protocol.md 2.4.
import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { WattleError } from './errors.ts';
import type { Entity, Invocation } from './invocation.ts';
import type { KeyPair } from './nkeys.ts';
import { checkTimes, readToken, signToken, verifyToken } from './token.ts';

/** How long the token of a call may be used. Clocks of two hosts may differ by as much. */
const lifetimeMs = 300_000;

/** What a caller knows of a call. */
export interface InvocationDraft {
  readonly origin: Entity;
  readonly target: Entity;
  readonly operation: string;
  readonly payload: Uint8Array;
  readonly traceContext?: Readonly<Record<string, string>> | undefined;
}

export interface InvocationSigner {
  readonly clusterKey: KeyPair;
  /** Key of this host (N…). */
  readonly hostId: string;
}

const moduleKey = /^M[A-Z2-7]{55}$/;

/** An actor: by its module key, or in this era by its id with neither contract nor link. */
const isActor = (entity: Entity): boolean =>
  moduleKey.test(entity.public_key) || (entity.contract_id === '' && entity.link_name === '');

/** `wasmbus://{key}` of an actor, `wasmbus://{contract}/{link}/{key}` of a provider. */
export function entityUrl(entity: Entity): string {
  if (isActor(entity)) return `wasmbus://${entity.public_key}`;
  const contract = entity.contract_id.replaceAll(':', '/').replaceAll(' ', '_').toLowerCase();
  const link = entity.link_name.replaceAll(' ', '_').toLowerCase();
  return `wasmbus://${contract}/${link}/${entity.public_key}`;
}

interface Statement {
  readonly target_url: string;
  readonly origin_url: string;
  /** Upper-case hex SHA-256 of both URLs, the operation and the body, one after the other. */
  readonly hash: string;
}

type Call = Pick<Invocation, 'origin' | 'target' | 'operation'>;

const originUrl = (call: Call): string => entityUrl(call.origin);
const targetUrl = (call: Call): string => `${entityUrl(call.target)}/${call.operation}`;

function hashCall(call: Call, body: Uint8Array): string {
  const hash = createHash('sha256').update(originUrl(call)).update(targetUrl(call)).update(call.operation).update(body);
  return hash.digest('hex').toUpperCase();
}

const createStatement = (call: Call, body: Uint8Array): Statement => ({
  target_url: targetUrl(call),
  origin_url: originUrl(call),
  hash: hashCall(call, body),
});

/** A signed invocation with a new id; the whole body is in `msg`. */
export async function signInvocation(draft: InvocationDraft, signer: InvocationSigner): Promise<Invocation> {
  const { origin, target, operation, payload } = draft;
  const id = randomUUID();
  const now = Date.now();
  const token = await signToken(signer.clusterKey, {
    subject: id,
    wascap: { ...createStatement(draft, payload) },
    issuedAt: new Date(now),
    expiresAt: new Date(now + lifetimeMs),
  });
  return {
    origin,
    target,
    operation,
    msg: payload,
    id,
    encoded_claims: token,
    host_id: signer.hostId,
    content_length: payload.length,
    ...(draft.traceContext ? { traceContext: draft.traceContext } : {}),
  };
}

const StatementShape = z.object({ target_url: z.string(), origin_url: z.string(), hash: z.string() });

/** Real hosts write 56 characters; some tools invent them, so no checksum is asked for. */
const hostIdPattern = /^[NC][A-Z2-7]{55}$/;

const forged = (id: string, why: string, cause?: unknown): WattleError =>
  new WattleError('E_FORGED', `invocation ${id} is refused: ${why}`, { cause });

/**
 * Checks everything but the body of an invocation whose body is still in the chunk store. Returns a function that checks
 * the body. Throws E_FORGED.
 */
export async function verifyOrigin(
  invocation: Invocation,
  issuers: ReadonlySet<string>,
  now: Date = new Date(),
): Promise<(body: Uint8Array) => void> {
  const { id } = invocation;
  if (!hostIdPattern.test(invocation.host_id)) throw forged(id, 'its host id is no key of a host');
  for (const end of [invocation.origin, invocation.target])
    if (isActor(end) && (end.contract_id !== '' || end.link_name !== ''))
      throw forged(id, 'it names a contract for an actor, which no signature covers');
  const statement = await readStatement(invocation, issuers, now);
  if (statement.origin_url !== originUrl(invocation)) throw forged(id, 'it was signed for another origin');
  if (statement.target_url !== targetUrl(invocation)) throw forged(id, 'it was signed for another target or operation');
  return (body) => {
    if (statement.hash !== hashCall(invocation, body)) throw forged(id, 'its body is not the one that was signed');
  };
}

async function readStatement(invocation: Invocation, issuers: ReadonlySet<string>, now: Date): Promise<Statement> {
  const { id } = invocation;
  try {
    const token = readToken(invocation.encoded_claims);
    if (!issuers.has(token.payload.iss)) throw forged(id, `its cluster ${token.payload.iss} is not trusted`);
    await verifyToken(token);
    checkTimes(token.payload, now);
    if (token.payload.sub !== id) throw forged(id, 'its token is that of another invocation');
    return StatementShape.parse(token.payload.wascap);
  } catch (cause) {
    if (cause instanceof WattleError && cause.code === 'E_FORGED') throw cause;
    throw forged(id, cause instanceof WattleError ? cause.message : 'its token is not that of an invocation', cause);
  }
}

/** Checks an invocation with its body in `msg`. Throws E_FORGED. */
export async function verifyInvocation(
  invocation: Invocation,
  issuers: ReadonlySet<string>,
  now: Date = new Date(),
): Promise<void> {
  const checkBody = await verifyOrigin(invocation, issuers, now);
  checkBody(invocation.msg);
}
