// WadmClient: typed requests of the wadm API (protocol.md 5.1), and the schemas both its ends share.
import { z } from 'zod';
import type { LatticeConnection } from './connection.ts';
import { type ErrorCode, errorTable, WattleError } from './errors.ts';
import { wadmSubjects } from './subjects.ts';

export const StatusType = z.enum(['waiting', 'undeployed', 'reconciling', 'deployed', 'failed', 'unhealthy']);
export type StatusType = z.infer<typeof StatusType>;
export const StatusInfo = z.object({ type: StatusType, message: z.string().optional() });
export type StatusInfo = z.infer<typeof StatusInfo>;

/**
 * Status of one part of an application. `kind` is the scaler's (`SpreadScaler`, `LinkScaler` …), `name` what it is about.
 * Own additions: since when (ISO time), manifest position, what happens next.
 */
export const ScalerStatus = z.object({
  id: z.string(),
  kind: z.string(),
  name: z.string(),
  status: StatusInfo,
  since: z.string().optional(),
  line: z.number().optional(),
  column: z.number().optional(),
  code: z.string().optional(),
  next: z.string().optional(),
});
export type ScalerStatus = z.infer<typeof ScalerStatus>;

export const AppStatus = z.object({
  status: StatusInfo,
  scalers: z.array(ScalerStatus).default([]),
  version: z.string().default(''),
  components: z.array(z.unknown()).default([]),
});
export type AppStatus = z.infer<typeof AppStatus>;

export const ModelSummary = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string().nullish(),
  deployed_version: z.string().nullish(),
  status: z.string(),
  status_message: z.string().nullish(),
  detailed_status: AppStatus.optional(),
});
export type ModelSummary = z.infer<typeof ModelSummary>;

/** A problem of a manifest; line and column count from 1. */
export const Finding = z.object({
  level: z.enum(['error', 'warning']),
  message: z.string(),
  line: z.number(),
  column: z.number(),
  /** The file it was read from, where there is one. */
  file: z.string().optional(),
});
export type Finding = z.infer<typeof Finding>;

const Envelope = z.looseObject({ result: z.string(), message: z.string().default(''), code: z.string().optional() });
const PutReply = Envelope.extend({
  name: z.string(),
  current_version: z.string(),
  total_versions: z.number(),
  findings: z.array(Finding).optional(),
});
const VersionInfo = z.object({ version: z.string(), deployed: z.boolean() });

/** Every method throws WattleError: what wadm refused (with its code), E_WADM when none answers, E_TIMEOUT. */
export class WadmClient {
  readonly #connection: LatticeConnection;
  readonly #timeoutMs: number;

  constructor(connection: LatticeConnection, timeoutMs = 5000) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** Stores a manifest (YAML or JSON text) as a new version; it is not deployed yet. */
  async put(manifest: string): Promise<z.infer<typeof PutReply>> {
    return PutReply.parse(await this.#request('put', undefined, manifest));
  }

  async list(): Promise<ModelSummary[]> {
    const reply = await this.#request('get', undefined, undefined);
    return z.array(ModelSummary).parse(reply.models ?? []);
  }

  async get(name: string, version?: string): Promise<unknown> {
    return (await this.#request('get', name, version ? { version } : undefined)).manifest;
  }

  async versions(name: string): Promise<z.infer<typeof VersionInfo>[]> {
    return z.array(VersionInfo).parse((await this.#request('versions', name, undefined)).versions ?? []);
  }

  /** Deploys a version (the latest put when not named); the answer comes before the work. */
  async deploy(name: string, version?: string): Promise<string> {
    return String((await this.#request('deploy', name, version ? { version } : undefined)).version ?? '');
  }

  async undeploy(name: string): Promise<string> {
    return (await this.#request('undeploy', name, {})).message;
  }

  /** Deletes one version or all; `undeploy` in the answer says whether the deployed one was among them. */
  async delete(name: string, version?: string): Promise<{ message: string; undeploy: boolean; result: string }> {
    const reply = await this.#request('del', name, version ? { version } : { delete_all: true });
    return { message: reply.message, undeploy: reply.undeploy === true, result: reply.result };
  }

  async status(name: string): Promise<AppStatus> {
    return AppStatus.parse((await this.#request('status', name, undefined)).status);
  }

  async #request(operation: string, name: string | undefined, body: unknown): Promise<z.infer<typeof Envelope>> {
    const missing = new WattleError('E_WADM', `no wadm answers in lattice ${this.#connection.lattice}`);
    const subject = wadmSubjects.api(this.#connection.lattice, operation, name);
    const reply = Envelope.parse(await this.#connection.requestJson(subject, body, this.#timeoutMs, missing));
    if (reply.result === 'error' || reply.result === 'notfound') {
      const known = reply.code !== undefined && Object.hasOwn(errorTable, reply.code);
      throw new WattleError(
        known ? (reply.code as ErrorCode) : reply.result === 'notfound' ? 'E_APP_NOT_FOUND' : 'E_MANIFEST',
        reply.message,
      );
    }
    return reply;
  }
}
