// The HTTP provider: each link is a route to its actor. Listeners are shared by the whole process (http-listener.ts), so that
// replacing an actor or a provider never closes a socket.
import { handleRequest, httpServer } from '../lattice/contracts/http-server.ts';
import { defaultAddress, parseHttpRoute } from './http-config.ts';
import { answerRequest } from './http-exchange.ts';
import { type ClaimedRoute, checkClaim, claimRoute, mustCloseFirst, type RouteClaim } from './http-listener.ts';
import { formatRoute } from './http-route.ts';
import {
  checkOptions,
  defineProvider,
  type ProviderContext,
  type ProviderInstance,
  type ProviderLink,
  readOption,
} from './provider.ts';

interface ServedLink {
  readonly claim: RouteClaim;
  readonly claimed: ClaimedRoute;
  readonly link: ProviderLink;
}

const keyOf = (actorId: string, linkName: string): string => `${actorId}\n${linkName}`;

class HttpServerProvider implements ProviderInstance {
  readonly #context: ProviderContext;
  readonly #fallback: string;
  readonly #links = new Map<string, ServedLink>();
  #inFlight = 0;
  #onIdle: (() => void) | undefined;

  constructor(context: ProviderContext) {
    this.#context = context;
    this.#fallback = readOption(context.config, 'default_address', 'address') ?? defaultAddress;
    parseHttpRoute({}, this.#fallback);
  }

  checkLink(link: ProviderLink): void {
    checkClaim(this.#claimOf(link));
  }

  async putLink(link: ProviderLink): Promise<void> {
    const key = keyOf(link.actorId, link.linkName);
    const before = this.#links.get(key);
    if (before && JSON.stringify(before.link) === JSON.stringify(link)) return;
    const claim = this.#claimOf(link);
    const claimed = before ? await this.#replace(key, before, claim) : await claimRoute(claim);
    this.#links.set(key, { claim, claimed, link });
    this.#context.log.info({ actor: link.actorId, url: formatRoute(claim.route, claimed.port) }, 'serves');
  }

  async deleteLink(actorId: string, linkName: string): Promise<void> {
    const key = keyOf(actorId, linkName);
    const served = this.#links.get(key);
    this.#links.delete(key);
    await served?.claimed.release();
  }

  async checkHealth(): Promise<void> {
    // a listener that could not open was refused with its link; nothing else here can fail by itself
  }

  describe(): Readonly<Record<string, string>> {
    const entries = [...this.#links.values()].map(({ claim, claimed, link }) => [
      `${link.actorId}/${link.linkName}`,
      formatRoute(claim.route, claimed.port),
    ]);
    return Object.fromEntries(entries);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const served = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(served.map(({ claimed }) => claimed.release()));
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  /** Opens the new route before the old one goes; where both cannot be open at once, puts the old one back on failure. */
  async #replace(key: string, before: ServedLink, claim: RouteClaim): Promise<ClaimedRoute> {
    const closeFirst = mustCloseFirst(before.claim.route, claim.route);
    checkClaim(claim);
    if (closeFirst) void before.claimed.release();
    try {
      const claimed = await claimRoute(claim);
      if (!closeFirst) void before.claimed.release();
      return claimed;
    } catch (thrown) {
      if (closeFirst) this.#links.set(key, { ...before, claimed: await claimRoute(before.claim) });
      throw thrown;
    }
  }

  #claimOf(link: ProviderLink): RouteClaim {
    const { connection } = this.#context;
    const route = parseHttpRoute(link.config, this.#fallback);
    const call = (payload: Uint8Array): Promise<Uint8Array> =>
      this.#context.invoke(link.actorId, link.linkName, handleRequest.name, payload);
    return {
      route,
      owner: `${connection.lattice}\n${keyOf(link.actorId, link.linkName)}`,
      title: `actor ${link.actorId}${link.linkName === 'default' ? '' : ` (link ${link.linkName})`}`,
      answer: (exchange) => {
        this.#inFlight++;
        void answerRequest(exchange, route, call).then(() => {
          if (--this.#inFlight === 0) this.#onIdle?.();
        });
      },
    };
  }
}

export const httpServerProvider = defineProvider({
  name: 'http-server',
  contract: httpServer,
  summary: 'serves HTTP requests with linked actors, by address, host and path prefix',
  images: ['http-server', 'httpserver'],
  async start(context) {
    checkOptions(context.config, 'http-server: start configuration', ['default_address', 'address']);
    return new HttpServerProvider(context);
  },
});
