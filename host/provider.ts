// One running provider of this host: its instance, the links it should serve and those it does. Changes run one at a
// time; a link it refuses is remembered with the reason and tried again when the reason may have gone.
import { errorTable, formatError, toWattleError, WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import type { Link, ProviderDescription } from '../lattice/types.ts';
import type { ProviderCall, ProviderDefinition, ProviderInstance, ProviderLink } from '../providers/provider.ts';
import { contractNameOf } from './links.ts';

/** A link as this provider should serve it; `link` is what the lattice stores. */
export interface WantedLink {
  readonly link: Link;
  /** Resolved for the provider's side, or why it cannot be (a config that does not exist). */
  readonly resolve: () => ProviderLink;
}

interface ServedLink {
  readonly link: Link;
  readonly fingerprint: string;
  readonly error?: WattleError;
}

/** The end of a link that is not the provider. */
export const actorEnd = (link: Link, providerId: string): string =>
  link.source_id === providerId ? link.target : link.source_id;

/** Whether a link has this provider at one end and is of its contract. */
export const concerns = (link: Link, providerId: string, definition: ProviderDefinition): boolean =>
  (link.target === providerId || (link.source_id === providerId && definition.contract.caller === 'provider')) &&
  contractNameOf(link) === definition.contract.name;

export interface ProviderOptions {
  readonly id: string;
  readonly ref: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly definition: ProviderDefinition;
  readonly instance: ProviderInstance;
  readonly log: Log;
  onLinkFailed(link: Link, error: WattleError): void;
  /** Something its description shows has changed. */
  onChange(): void;
}

export class Provider {
  readonly id: string;
  readonly definition: ProviderDefinition;
  readonly instance: ProviderInstance;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ref: string;
  readonly #options: ProviderOptions;
  readonly #served = new Map<string, ServedLink>();
  #work: Promise<void> = Promise.resolve();
  /** Undefined before the first check. */
  #health: { readonly error?: WattleError } | undefined;

  constructor(options: ProviderOptions) {
    this.id = options.id;
    this.ref = options.ref;
    this.definition = options.definition;
    this.instance = options.instance;
    this.annotations = options.annotations;
    this.#options = options;
  }

  /** Answers a call of an actor that is linked. Rejects with WattleError; E_OPERATION where the provider only calls. */
  handle(call: ProviderCall): Uint8Array | Promise<Uint8Array> {
    if (!this.instance.handle)
      throw new WattleError('E_OPERATION', `${this.definition.name} answers no calls of actors`);
    return this.instance.handle(call);
  }

  /** Brings the served links to the wanted ones: deletes first, so that a freed route can be taken in the same round. */
  applyLinks(wanted: readonly WantedLink[]): Promise<void> {
    this.#work = this.#work.then(async () => {
      const keys = new Map(wanted.map((entry) => [this.#keyOf(entry.link), entry]));
      let changed = false;
      for (const [key, served] of this.#served)
        if (!keys.has(key)) {
          await this.#delete(key, served);
          changed = true;
        }
      for (const [key, entry] of keys) changed = (await this.#put(key, entry)) || changed;
      if (changed) this.#options.onChange();
    });
    return this.#work;
  }

  /** Asks the instance how it is; tells what changed. */
  async checkHealth(): Promise<'passed' | 'failed' | 'status'> {
    const was = this.#health;
    const error = await this.instance.checkHealth().then(
      () => undefined,
      (thrown: unknown) => toWattleError(thrown, 'E_PROVIDER_DOWN'),
    );
    this.#health = error ? { error } : {};
    const same = was !== undefined && (was.error === undefined) === (error === undefined);
    if (!same) this.#options.onChange();
    return same ? 'status' : error ? 'failed' : 'passed';
  }

  describe(): ProviderDescription {
    const errors = [...this.#served].flatMap(([key, { error }]) => (error ? [[key, formatError(error)]] : []));
    const health = this.#health?.error;
    return {
      id: this.id,
      image_ref: this.ref,
      name: this.definition.name,
      revision: 0,
      annotations: { ...this.annotations },
      state: health ? 'failed' : 'running',
      ...(health ? { state_reason: formatError(health) } : {}),
      ...(errors.length ? { link_errors: Object.fromEntries(errors) } : {}),
    };
  }

  /** `source/target/contract/name`, as link_errors of the inventory are keyed. */
  #keyOf(link: Link): string {
    return `${link.source_id}/${link.target}/${this.definition.contract.name}/${link.name}`;
  }

  /** The link is gone whatever its end runs into; one that throws must not keep the others from being served. */
  async #delete(key: string, served: ServedLink): Promise<void> {
    this.#served.delete(key);
    await this.instance.deleteLink(actorEnd(served.link, this.id), served.link.name).catch((thrown: unknown) => {
      this.#options.log.warn(
        { provider: this.id, link: key },
        `link not ended cleanly: ${toWattleError(thrown).message}`,
      );
    });
  }

  async #put(key: string, wanted: WantedLink): Promise<boolean> {
    const known = this.#served.get(key);
    let fingerprint = '';
    try {
      const resolved = wanted.resolve();
      fingerprint = JSON.stringify(resolved);
      if (known?.fingerprint === fingerprint && !this.#mayHeal(known)) return false;
      await this.instance.putLink(resolved);
      this.#served.set(key, { link: wanted.link, fingerprint });
      return true;
    } catch (thrown) {
      const error = toWattleError(thrown, 'E_LINK_CONFIG');
      this.#served.set(key, { link: wanted.link, fingerprint, error });
      if (known?.error?.message === error.message) return false;
      this.#options.onLinkFailed(wanted.link, error);
      return true;
    }
  }

  /** A refusal may go by itself (a port was freed, a store came back, another application left the route). */
  #mayHeal(served: ServedLink): boolean {
    return served.error !== undefined && (errorTable[served.error.code].retry || served.error.code === 'E_ROUTE_TAKEN');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work;
    await this.instance[Symbol.asyncDispose]();
  }
}
