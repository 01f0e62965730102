// ControlClient: typed requests of the control interface v1 (protocol.md 3.2), for the CLI, wadm and the dashboard.
// Acks precede the work for scale, update and provider start: the outcome shows in inventories and events.
import { z } from 'zod';
import type { LatticeConnection } from './connection.ts';
import { type ErrorCode, errorTable, WattleError } from './errors.ts';
import { controlSubjects } from './subjects.ts';
import { ClaimsRecord, Host, HostInventory, Link, type LinkKey } from './types.ts';

const Reply = z.object({
  success: z.boolean(),
  message: z.string().default(''),
  response: z.unknown().optional(),
  code: z.string().optional(),
});

export interface ScaleOptions {
  readonly actorId: string;
  readonly ref: string;
  readonly count: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: readonly string[];
  /** Replace a running actor of another reference; without it the reference stays. */
  readonly allowUpdate?: boolean;
}

export interface ProviderStartOptions {
  readonly providerId: string;
  readonly ref: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: readonly string[];
}

/** Every method throws WattleError: what the host refused (with its code), E_NO_HOST, E_TIMEOUT or E_LATTICE. */
export class ControlClient {
  readonly #connection: LatticeConnection;
  readonly #timeoutMs: number;

  constructor(connection: LatticeConnection, timeoutMs = 5000) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  get #lattice(): string {
    return this.#connection.lattice;
  }

  /** All hosts that answer within a short window. */
  async hosts(): Promise<Host[]> {
    const replies = await this.#connection.gatherJson(
      controlSubjects.hostPing(this.#lattice),
      undefined,
      this.#timeoutMs,
      200,
    );
    return replies.flatMap((reply) => {
      const parsed = Host.safeParse((reply as { response?: unknown })?.response);
      return parsed.success ? [parsed.data] : [];
    });
  }

  async inventory(hostId: string): Promise<HostInventory> {
    return HostInventory.parse(await this.#request(controlSubjects.hostGet(this.#lattice, hostId), undefined, hostId));
  }

  async stopHost(hostId: string, timeoutMs?: number): Promise<void> {
    await this.#request(
      controlSubjects.hostStop(this.#lattice, hostId),
      { host_id: hostId, timeout: timeoutMs },
      hostId,
    );
  }

  async putLabel(hostId: string, key: string, value: string): Promise<void> {
    await this.#request(controlSubjects.labelPut(this.#lattice, hostId), { key, value }, hostId);
  }

  async deleteLabel(hostId: string, key: string): Promise<void> {
    await this.#request(controlSubjects.labelDel(this.#lattice, hostId), { key }, hostId);
  }

  /** Hosts that could run the actor (labels match, id not running there). */
  async auctionActor(ref: string, actorId: string, constraints: Readonly<Record<string, string>>): Promise<string[]> {
    return this.#auction(controlSubjects.actorAuction(this.#lattice), {
      component_ref: ref,
      component_id: actorId,
      constraints,
    });
  }

  async auctionProvider(
    ref: string,
    providerId: string,
    constraints: Readonly<Record<string, string>>,
  ): Promise<string[]> {
    return this.#auction(controlSubjects.providerAuction(this.#lattice), {
      provider_ref: ref,
      provider_id: providerId,
      constraints,
    });
  }

  async scaleActor(hostId: string, options: ScaleOptions): Promise<string> {
    const body = {
      component_id: options.actorId,
      component_ref: options.ref,
      count: options.count,
      host_id: hostId,
      annotations: options.annotations ?? {},
      config: options.config ?? [],
      allow_update: options.allowUpdate ?? false,
    };
    return this.#command(controlSubjects.actorScale(this.#lattice, hostId), body, hostId);
  }

  async updateActor(hostId: string, actorId: string, ref: string): Promise<string> {
    const body = { component_id: actorId, new_component_ref: ref, host_id: hostId };
    return this.#command(controlSubjects.actorUpdate(this.#lattice, hostId), body, hostId);
  }

  async startProvider(hostId: string, options: ProviderStartOptions): Promise<string> {
    const body = {
      provider_id: options.providerId,
      provider_ref: options.ref,
      host_id: hostId,
      annotations: options.annotations ?? {},
      config: options.config ?? [],
    };
    return this.#command(controlSubjects.providerStart(this.#lattice, hostId), body, hostId);
  }

  async stopProvider(hostId: string, providerId: string): Promise<string> {
    const body = { provider_id: providerId, host_id: hostId };
    return this.#command(controlSubjects.providerStop(this.#lattice, hostId), body, hostId);
  }

  async claims(): Promise<ClaimsRecord[]> {
    const response = await this.#request(controlSubjects.claimsGet(this.#lattice), undefined);
    return z.array(ClaimsRecord.loose()).catch([]).parse(response);
  }

  async links(): Promise<Link[]> {
    return z.array(Link).parse((await this.#request(controlSubjects.linkGet(this.#lattice), undefined)) ?? []);
  }

  async putLink(link: Link): Promise<void> {
    await this.#request(controlSubjects.linkPut(this.#lattice), link);
  }

  async deleteLink(key: LinkKey): Promise<void> {
    await this.#request(controlSubjects.linkDel(this.#lattice), key);
  }

  /** Undefined when there is no config of that name. */
  async getConfig(name: string): Promise<Record<string, string> | undefined> {
    const response = await this.#request(controlSubjects.configGet(this.#lattice, name), undefined);
    return response === undefined || response === null ? undefined : z.record(z.string(), z.string()).parse(response);
  }

  async putConfig(name: string, values: Readonly<Record<string, string>>): Promise<void> {
    await this.#request(controlSubjects.configPut(this.#lattice, name), values);
  }

  async deleteConfig(name: string): Promise<void> {
    await this.#request(controlSubjects.configDel(this.#lattice, name), undefined);
  }

  async listConfig(): Promise<Record<string, Record<string, string>>> {
    const response = await this.#request(controlSubjects.configList(this.#lattice), undefined);
    return z.record(z.string(), z.record(z.string(), z.string())).parse(response ?? {});
  }

  async #auction(subject: string, body: unknown): Promise<string[]> {
    const replies = await this.#connection.gatherJson(subject, body, this.#timeoutMs, 200);
    return replies.flatMap((reply) => {
      const host = (reply as { response?: { host_id?: unknown } })?.response?.host_id;
      return typeof host === 'string' ? [host] : [];
    });
  }

  async #command(subject: string, body: unknown, hostId: string): Promise<string> {
    const reply = await this.#send(subject, body, hostId);
    return reply.message;
  }

  async #request(subject: string, body: unknown, hostId?: string): Promise<unknown> {
    return (await this.#send(subject, body, hostId)).response;
  }

  async #send(subject: string, body: unknown, hostId?: string): Promise<z.infer<typeof Reply>> {
    const missing = new WattleError(
      'E_NO_HOST',
      hostId ? `host ${hostId} does not answer` : `no host answers in lattice ${this.#lattice}`,
    );
    const reply = Reply.parse(await this.#connection.requestJson(subject, body, this.#timeoutMs, missing));
    if (!reply.success) {
      const code =
        reply.code !== undefined && Object.hasOwn(errorTable, reply.code) ? (reply.code as ErrorCode) : 'E_CONTROL';
      throw new WattleError(code, reply.message);
    }
    return reply;
  }
}
