// START HERE. One wadm process: the store of manifests, the observer of the lattice, the reconciler that compares the two,
// and the API. Several may run in a lattice: they share the API and each reconciles; commands are safe to send twice.
import type { LatticeConnection } from '../lattice/connection.ts';
import type { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { wadmSubjects } from '../lattice/subjects.ts';
import { Api } from './api.ts';
import { Deployments } from './deployments.ts';
import { Observer } from './observer.ts';
import { Reconciler } from './reconciler.ts';
import { StateBucket } from './state-bucket.ts';
import { Store } from './store.ts';

export interface WadmOptions {
  /** Stays the caller's: disposing a Wadm does not close it. */
  readonly connection: LatticeConnection;
  readonly log: Log;
  /** How often links and config are read again whole, though nothing told of a change; 10 s when not given. */
  readonly intervalMs?: number;
}

export class Wadm {
  readonly #stack: AsyncDisposableStack;

  private constructor(stack: AsyncDisposableStack) {
    this.#stack = stack;
  }

  /** Ready to serve when it returns. Throws E_LATTICE when the buckets cannot be opened. */
  static async start({ connection, log, intervalMs = 10_000 }: WadmOptions): Promise<Wadm> {
    await using stack = new AsyncDisposableStack();
    let reconciler: Reconciler | undefined;
    const wake = (): void => reconciler?.wake();
    const store = stack.use(await Store.start({ connection, log, onChange: wake }));
    const bucket = stack.use(await StateBucket.start(connection, log));
    const observer: Observer = await Observer.start({
      connection,
      log,
      resyncMs: intervalMs,
      onChange() {
        wake();
        if (reconciler) bucket.offer(() => observer.state);
      },
      onFailure: (key: string, error: WattleError) => reconciler?.onFailure(key, error),
    });
    stack.use(observer);
    const deployments = new Deployments();
    reconciler = stack.use(new Reconciler({ connection, store, observer, deployments, log }));
    // each wadm hears of a deployment, whichever of them served the request
    const published = wadmSubjects.event(connection.lattice, 'manifest_published');
    const subscription = connection.nats.subscribe(published, { callback: () => reconciler?.retry() });
    stack.defer(() => subscription.unsubscribe());
    const statuses = () => reconciler?.statuses() ?? new Map();
    stack.use(await Api.start({ connection, store, deployments, log, statuses }));
    bucket.offer(() => observer.state);
    wake();
    return new Wadm(stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
