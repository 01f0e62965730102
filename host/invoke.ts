// START HERE for a call. Every call of an actor, and every call of a provider to an actor, takes the steps of `invoke…`
// below in order: resolve target → claims → limits → dispatch. Dispatch prefers what is near: a provider or actor of this
// host directly, else the lattice. Whatever goes wrong reaches the caller as one of a closed list of codes.
import type { Claims } from '../lattice/claims.ts';
import { findContract } from '../lattice/contracts/index.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import type { Entity } from '../lattice/invocation.ts';
import { idPattern, type Link } from '../lattice/types.ts';
import type { Actor } from './actor.ts';
import type { Actors } from './actors.ts';
import type { HostCall } from './isolates.ts';
import type { LatticeData } from './links.ts';
import type { Provider } from './provider.ts';
import type { Providers } from './providers.ts';

/** Most bytes one request or response may have. Beyond 900 KiB it crosses the lattice in chunks (protocol.md 2.5). */
export const maxPayloadBytes = 16 * 1024 * 1024;

/** A call on its way to another host. */
export interface RemoteCall {
  readonly origin: Entity;
  readonly target: Entity;
  readonly operation: string;
  readonly payload: Uint8Array;
}

/** A call that has reached the host of its provider; an invocation from the lattice is one. */
export interface ProviderInvocation {
  readonly origin: Entity;
  readonly linkName: string;
  readonly operation: string;
  readonly msg: Uint8Array;
}

/** Sends calls over the lattice. Both reject with E_NO_TARGET when nobody listens: proof that nothing was run. */
export interface Remote {
  callActor(call: RemoteCall): Promise<Uint8Array>;
  callProvider(call: RemoteCall): Promise<Uint8Array>;
}

export interface InvokerOptions {
  readonly data: LatticeData;
  /** How long a provider of this host may take to answer. */
  readonly timeoutMs: number;
  actors(): Actors;
  providers(): Providers;
  remote(): Remote;
}

type Target =
  | { readonly kind: 'linked'; readonly link: Link; readonly contract: string }
  | { readonly kind: 'actor'; readonly id: string };

export class Invoker {
  readonly #options: InvokerOptions;

  constructor(options: InvokerOptions) {
    this.#options = options;
  }

  /** A host call of an actor of this host: to a capability through a link, or to another actor. */
  async invokeFromActor(caller: Actor, call: HostCall): Promise<Uint8Array> {
    const target = this.#resolveTarget(caller, call);
    if (target.kind === 'linked') checkCapability(caller.claims, target.contract);
    checkSize(call.operation, call.payload);
    return target.kind === 'linked'
      ? this.#dispatchLinked(caller, target, call)
      : this.#dispatchActor(caller, target.id, call);
  }

  /** A call of a provider of this host to the actor at the other end of one of its links. */
  invokeFromProvider(provider: Entity, actorId: string, operation: string, payload: Uint8Array): Promise<Uint8Array> {
    const actor = this.#options.actors().find(actorId);
    if (!actor || actor.failure?.code === 'E_CRASH_LOOP')
      return this.#callElsewhere({ origin: provider, target: actorEntity(actorId), operation, payload }, actor);
    if (payload.length > maxPayloadBytes) return Promise.reject(tooLarge(operation, payload));
    return this.callActor(actor, provider, operation, payload);
  }

  /** The last step of every call to an actor of this host, whether it came from here or over the lattice. */
  callActor(actor: Actor, origin: Entity, operation: string, payload: Uint8Array): Promise<Uint8Array> {
    if (origin.contract_id !== '') {
      try {
        checkCapability(actor.claims, origin.contract_id);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return actor.call(operation, payload);
  }

  /** The last step of every call to a provider of this host. The link is looked up here too: the far host may be wrong. */
  async callProvider(provider: Provider, call: ProviderInvocation): Promise<Uint8Array> {
    const contract = provider.definition.contract.capability;
    const actorId = call.origin.public_key;
    const link = this.#options.data.resolve(actorId, contract, call.linkName);
    if (link?.target !== provider.id) throw noLink(actorId, contract, call.linkName);
    const answer = provider.handle({ actorId, linkName: link.name, operation: call.operation, payload: call.msg });
    return answer instanceof Promise ? withTimeout(answer, this.#options.timeoutMs, `provider ${provider.id}`) : answer;
  }

  /** A namespace with a colon is a contract and needs a link; anything else is an actor id, module key or call alias. */
  #resolveTarget(caller: Actor, call: HostCall): Target {
    const { namespace } = call;
    if (namespace.includes(':')) {
      const link = this.#options.data.resolve(caller.id, namespace, call.binding);
      // Claims first: a module that may not use a capability learns that, not whether somebody linked it.
      if (!link) {
        checkCapability(caller.claims, namespace);
        throw noLink(caller.id, namespace, call.binding);
      }
      return { kind: 'linked', link, contract: namespace };
    }
    if (this.#options.actors().has(namespace)) return { kind: 'actor', id: namespace };
    const id = this.#options.data.moduleOfAlias(namespace) ?? namespace;
    if (!idPattern.test(id)) throw new WattleError('E_NO_TARGET', `no actor answers to "${namespace}"`);
    return { kind: 'actor', id };
  }

  async #dispatchLinked(
    caller: Actor,
    { link, contract }: Target & { kind: 'linked' },
    call: HostCall,
  ): Promise<Uint8Array> {
    const { operation, payload } = call;
    const origin = actorEntity(caller.id);
    const provider = this.#options.providers().find(link.target);
    if (provider) return this.callProvider(provider, { origin, linkName: link.name, operation, msg: payload });
    if (this.#options.actors().has(link.target)) return this.#dispatchActor(caller, link.target, call);
    const target = { public_key: link.target, contract_id: contract, link_name: link.name };
    try {
      return await this.#options.remote().callProvider({ origin, target, operation, payload });
    } catch (error) {
      if (!(error instanceof WattleError) || error.code !== 'E_NO_TARGET') throw error;
    }
    // Nobody took it, so it may be sent again: the other end of a link may be an actor on another host.
    return this.#options
      .remote()
      .callActor({ origin, target: actorEntity(link.target), operation, payload })
      .catch((error: unknown) => {
        throw error instanceof WattleError && error.code === 'E_NO_TARGET'
          ? new WattleError(
              'E_PROVIDER_DOWN',
              `${link.target}, linked to ${caller.id} for ${contract}, runs on no host`,
            )
          : error;
      });
  }

  #dispatchActor(caller: Actor, id: string, { operation, payload }: HostCall): Promise<Uint8Array> {
    const origin = actorEntity(caller.id);
    const actor = this.#options.actors().find(id);
    if (!actor || actor.failure?.code === 'E_CRASH_LOOP')
      return this.#callElsewhere({ origin, target: actorEntity(id), operation, payload }, actor);
    return this.callActor(actor, origin, operation, payload);
  }

  /** Over the lattice; what is wrong with the one that runs here, if one does, is the better answer than silence. */
  async #callElsewhere(call: RemoteCall, here: Actor | undefined): Promise<Uint8Array> {
    if (here?.failure) throw here.failure;
    checkSize(call.operation, call.payload);
    return this.#options.remote().callActor(call);
  }
}

export const actorEntity = (id: string): Entity => ({ public_key: id, contract_id: '', link_name: '' });

const noLink = (source: string, contract: string, linkName: string): WattleError =>
  new WattleError(
    'E_NO_LINK',
    `actor ${source} has no link for ${contract}${linkName === '' || linkName === 'default' ? '' : ` named "${linkName}"`}`,
  );

const tooLarge = (operation: string, payload: Uint8Array): WattleError =>
  new WattleError('E_TOO_LARGE', `${operation}: ${payload.length} bytes are more than ${maxPayloadBytes}`);

function checkSize(operation: string, payload: Uint8Array): void {
  if (payload.length > maxPayloadBytes) throw tooLarge(operation, payload);
}

/** Signed modules may use what their claims name; an unsigned one was let in by the operator and needs only the link. */
function checkCapability(claims: Claims | undefined, contract: string): void {
  if (!claims || claims.capabilities.includes(contract)) return;
  const name = findContract(contract)?.capability ?? contract;
  if (!claims.capabilities.includes(name))
    throw new WattleError('E_NO_CAPABILITY', `Invocation not authorized: missing capability claim for ${name}`);
}

/** Rejects with E_TIMEOUT when the answer takes longer; the work itself cannot be called back. */
function withTimeout<T>(answer: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new WattleError('E_TIMEOUT', `${what} did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    answer.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(toWattleError(error));
      },
    );
  });
}
