// The picture of the lattice in the KV bucket wadm_state, shaped as upstream writes it: washboard reads it there
// (protocol.md 5.6). Written when something changed, and now and then for the times when hosts were last seen.
import type { KV } from '@nats-io/kv';
import type { LatticeConnection } from '../lattice/connection.ts';
import type { Log } from '../lattice/log.ts';
import type { LatticeState } from '../lattice/state.ts';
import { buckets } from '../lattice/subjects.ts';

const writeEveryMs = 1000;
const refreshMs = 10_000;

/** Hosts, components and providers by id, as upstream keeps them. */
export function createWireState(state: LatticeState): Record<'host' | 'component' | 'provider', object> {
  const hosts: Record<string, object> = {};
  const components: Record<string, { instances: Record<string, object[]> } & Record<string, unknown>> = {};
  const providers: Record<string, { hosts: Record<string, string> } & Record<string, unknown>> = {};
  for (const [id, { inventory, seenMs }] of state.hosts) {
    const counts: Record<string, number> = {};
    for (const actor of inventory.components) {
      counts[actor.id] = (counts[actor.id] ?? 0) + actor.max_instances;
      components[actor.id] ??= {
        id: actor.id,
        name: actor.name ?? '',
        issuer: '',
        reference: actor.image_ref,
        instances: {},
      };
      const group = { annotations: actor.annotations ?? {}, count: actor.max_instances };
      const { instances } = components[actor.id]!;
      instances[id] = [...(instances[id] ?? []), group];
    }
    for (const one of inventory.providers) {
      providers[one.id] ??= { id: one.id, name: one.name ?? '', issuer: '', reference: one.image_ref ?? '', hosts: {} };
      providers[one.id]!.hosts[id] = wireStates[one.state ?? 'running'];
    }
    hosts[id] = {
      id,
      friendly_name: inventory.friendly_name,
      labels: inventory.labels,
      components: counts,
      providers: inventory.providers.map((one) => ({
        provider_id: one.id,
        provider_ref: one.image_ref ?? '',
        annotations: one.annotations ?? {},
      })),
      uptime_seconds: inventory.uptime_seconds,
      version: inventory.version,
      last_seen: new Date(seenMs).toISOString(),
    };
  }
  return { host: hosts, component: components, provider: providers };
}

const wireStates = { running: 'Running', starting: 'Pending', failed: 'Failed' } as const;

export class StateBucket {
  readonly #kv: KV;
  readonly #lattice: string;
  readonly #log: Log;
  readonly #written = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #refreshedMs = 0;

  private constructor(kv: KV, lattice: string, log: Log) {
    this.#kv = kv;
    this.#lattice = lattice;
    this.#log = log;
  }

  static async start(connection: LatticeConnection, log: Log): Promise<StateBucket> {
    return new StateBucket(await connection.bucket(buckets.state), connection.lattice, log);
  }

  /** Takes a picture; at most one write a second comes of it. */
  offer(read: () => LatticeState): void {
    if (this.#timer) return;
    const waitMs = Math.max(0, this.#dueMs - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#dueMs = Date.now() + writeEveryMs;
      this.#write(read()).catch((thrown) => this.#log.debug(`the state bucket cannot be written: ${thrown}`));
    }, waitMs);
    this.#timer.unref();
  }

  async #write(state: LatticeState): Promise<void> {
    const now = Date.now();
    const refresh = now - this.#refreshedMs > refreshMs;
    if (refresh) this.#refreshedMs = now;
    for (const [kind, entries] of Object.entries(createWireState(state))) {
      const body = JSON.stringify(entries);
      // what only tells the time is written with the next refresh
      const print = body.replace(/"(uptime_seconds|last_seen)":("[^"]*"|[\d.]+)/g, '');
      if (this.#written.get(kind) === print && !(refresh && kind === 'host')) continue;
      await this.#kv.put(`${kind}_${this.#lattice}`, body);
      this.#written.set(kind, print);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
