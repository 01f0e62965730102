// The wadm API (protocol.md 5.1): a table from operation to handler. Bodies of both eras are understood; every answer is
// JSON with a `result` word, and a refusal carries our code beside the text.
import type { Msg } from 'nats';
import { z } from 'zod';
import type { LatticeConnection } from '../lattice/connection.ts';
import { toWattleError, WattleError } from '../lattice/errors.ts';
import { createCloudEvent } from '../lattice/events.ts';
import type { Log } from '../lattice/log.ts';
import { wadmSubjects } from '../lattice/subjects.ts';
import type { AppStatus, ModelSummary } from '../lattice/wadm-client.ts';
import { appNamePattern } from './application.ts';
import { checkDeployable, checkStillShared, type Deployments, sourceOf } from './deployments.ts';
import { formatFinding, parseManifest } from './manifest.ts';
import type { ApplicationRecord, Store, StoredApplication } from './store.ts';
import { addVersion, createUlid, removeVersion, versionsOf } from './versions.ts';

export interface ApiOptions {
  readonly connection: LatticeConnection;
  readonly store: Store;
  readonly deployments: Deployments;
  readonly log: Log;
  /** How every application stands now. */
  statuses(): ReadonlyMap<string, AppStatus>;
}

interface Request {
  /** Empty when the subject names none. */
  readonly name: string;
  readonly text: string;
}
type Handler = (request: Request) => unknown;

const optionalText = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const VersionBody = z.object({ version: optionalText });
const DeleteBody = z.object({ version: optionalText, delete_all: z.boolean().nullish() });
const UndeployBody = z.object({ non_destructive: z.boolean().nullish() });

/** An empty body is an empty object. Throws E_CONTROL. */
function parseBody<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(text.trim() === '' ? {} : JSON.parse(text));
  } catch (cause) {
    throw new WattleError('E_CONTROL', 'the request does not have the shape of the wadm API', { cause });
  }
}

const isStored = (record: ApplicationRecord | undefined): record is ApplicationRecord =>
  record !== undefined && versionsOf(record).length > 0;

const missing = (name: string) => ({
  result: 'notfound',
  code: 'E_APP_NOT_FOUND',
  message: `Model with the name ${name} not found`,
});

export class Api {
  readonly #options: ApiOptions;

  private constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** Serves until disposed; several wadm of a lattice share the requests. */
  static async start(options: ApiOptions): Promise<AsyncDisposable> {
    const api = new Api(options);
    const { nats, lattice } = options.connection;
    const subscription = nats.subscribe(wadmSubjects.all(lattice), {
      queue: wadmSubjects.queue,
      callback: (_error, message) => void api.#onMessage(message),
    });
    await nats.flush();
    return { [Symbol.asyncDispose]: async () => void (nats.isClosed() || (await subscription.drain())) };
  }

  readonly #handlers: Readonly<Record<string, Handler>> = {
    put: (request) => this.#put(request),
    get: (request) => (request.name === '' ? this.#models() : this.#get(request)),
    list: () => this.#summaries(),
    versions: (request) => this.#versions(request),
    del: (request) => this.#delete(request),
    deploy: (request) => this.#deploy(request),
    undeploy: (request) => this.#undeploy(request),
    status: (request) => this.#status(request),
  };

  async #onMessage(message: Msg): Promise<void> {
    const reply = await this.#answer(message).catch((thrown: unknown) => {
      const error = toWattleError(thrown);
      this.#options.log[error.code === 'E_INTERNAL' ? 'error' : 'debug']({ code: error.code }, error.message);
      return { result: 'error', message: error.message, code: error.code };
    });
    message.respond(JSON.stringify(reply));
  }

  async #answer(message: Msg): Promise<unknown> {
    const [operation = '', name = '', ...more] = message.subject.split('.').slice(4);
    const handler = Object.hasOwn(this.#handlers, operation) ? this.#handlers[operation] : undefined;
    if (!handler || more.length > 0) throw new WattleError('E_CONTROL', `the wadm API has no operation "${operation}"`);
    const named = operation !== 'put' && operation !== 'list' && !(operation === 'get' && name === '');
    if (named && !appNamePattern.test(name))
      throw new WattleError('E_CONTROL', `"${name}" is no name of an application`);
    return handler({ name, text: message.string() });
  }

  async #put({ text }: Request): Promise<unknown> {
    const { application, manifest, findings } = parseManifest(text);
    if (!application) {
      const errors = findings.filter((finding) => finding.level === 'error');
      const message = errors.slice(0, 10).map(formatFinding).join('; ');
      const none = { name: '', current_version: '', total_versions: 0 };
      return { result: 'error', message, code: 'E_MANIFEST', findings, ...none };
    }
    const version = application.version ?? createUlid(Date.now());
    const added = { version, manifest, text };
    const record = await this.#options.store.change(application.name, (stored) => addVersion(stored, added));
    const total = record ? versionsOf(record).length : 0;
    return {
      result: total > 1 ? 'newversion' : 'created',
      message: `Successfully put manifest ${application.name} ${version}`,
      name: application.name,
      current_version: version,
      total_versions: total,
      findings,
    };
  }

  #models(): unknown {
    return { result: 'success', message: 'Successfully fetched list of applications', models: this.#summaries() };
  }

  #summaries(): ModelSummary[] {
    const statuses = this.#options.statuses();
    return this.#options.store
      .records()
      .filter(isStored)
      .map((record) => {
        const version = versionsOf(record).at(-1)!;
        const status = statuses.get(record.name);
        const manifest = record.manifests[version] as { metadata?: { annotations?: { description?: string } } };
        return {
          name: record.name,
          version,
          description: manifest.metadata?.annotations?.description ?? null,
          deployed_version: record.deployed_version ?? null,
          status: status?.status.type ?? 'undeployed',
          status_message: status?.status.message ?? null,
          ...(status ? { detailed_status: status } : {}),
        };
      });
  }

  #get({ name, text }: Request): unknown {
    const { version } = parseBody(VersionBody, text);
    const record = this.#options.store.find(name);
    if (!isStored(record)) return missing(name);
    const wanted = version ?? versionsOf(record).at(-1)!;
    if (!Object.hasOwn(record.manifests, wanted)) return missing(`${name} and version ${wanted}`);
    return {
      result: 'success',
      message: `Successfully fetched model ${name} ${wanted}`,
      manifest: record.manifests[wanted],
      source: sourceOf(record, wanted),
    };
  }

  #versions({ name }: Request): unknown {
    const record = this.#options.store.find(name);
    if (!isStored(record)) return { ...missing(name), versions: [] };
    const versions = versionsOf(record).map((version) => ({ version, deployed: version === record.deployed_version }));
    return { result: 'success', message: `Successfully fetched versions for model ${name}`, versions };
  }

  async #deploy({ name, text }: Request): Promise<unknown> {
    const { version } = parseBody(VersionBody, text);
    const record = this.#options.store.find(name);
    if (!isStored(record)) return { ...missing(name), name };
    const wanted = version === undefined || version === 'latest' ? versionsOf(record).at(-1)! : version;
    if (!Object.hasOwn(record.manifests, wanted)) return { ...missing(`${name} and version ${wanted}`), name };
    this.#check(record, wanted);
    let deployed: StoredApplication | undefined;
    await this.#options.store.change(name, (stored) => {
      if (!Object.hasOwn(stored.manifests, wanted))
        throw new WattleError('E_APP_NOT_FOUND', `version ${wanted} of ${name} was deleted`);
      deployed = stored;
      return { ...stored, deployed_version: wanted, leave_running: false };
    });
    this.#publish('manifest_published', deployed?.manifests[wanted]);
    return { result: 'acknowledged', message: `Successfully deployed model ${name} ${wanted}`, name, version: wanted };
  }

  /** Throws when a version cannot be deployed beside what is deployed. */
  #check(record: ApplicationRecord, version: string): void {
    const { application, findings } = parseManifest(sourceOf(record, version));
    if (!application) throw new WattleError('E_MANIFEST', findings.map(formatFinding).join('; '));
    const others = this.#options.deployments.directory(this.#options.store.records());
    checkDeployable(application, new Map([...others].filter(([other]) => other !== record.name)));
    checkStillShared(record.name, application, others);
  }

  async #undeploy({ name, text }: Request): Promise<unknown> {
    const { non_destructive: leave } = parseBody(UndeployBody, text);
    const record = this.#options.store.find(name);
    if (!isStored(record)) return { ...missing(name), name };
    this.#checkUnused(name);
    await this.#options.store.change(name, (stored) => ({
      ...stored,
      deployed_version: null,
      leave_running: leave === true,
    }));
    this.#publish('manifest_unpublished', { name });
    return {
      result: 'acknowledged',
      message: `Successfully undeployed model ${name}`,
      name,
      version: record.deployed_version ?? '',
    };
  }

  #checkUnused(name: string): void {
    checkStillShared(name, undefined, this.#options.deployments.directory(this.#options.store.records()));
  }

  async #delete({ name, text }: Request): Promise<unknown> {
    const { version, delete_all: all } = parseBody(DeleteBody, text);
    const record = this.#options.store.find(name);
    const gone = all === true || version === undefined ? undefined : version;
    const noop = (message: string) => ({ result: 'noop', message, undeploy: false });
    if (!isStored(record)) return noop(`Model with the name ${name} does not exist`);
    // the actor era sends an empty version and delete_all: false for nothing at all
    if (version === undefined && all === false) return noop('Name a version, or delete all of them');
    if (gone !== undefined && !Object.hasOwn(record.manifests, gone))
      return noop(`Model version ${gone} does not exist`);
    const undeploy = record.deployed_version != null && (gone === undefined || gone === record.deployed_version);
    if (undeploy) this.#checkUnused(name);
    await this.#options.store.change(name, (stored) => removeVersion(stored, gone, Date.now()));
    if (undeploy) this.#publish('manifest_unpublished', { name });
    const what = gone === undefined ? `Successfully deleted model ${name}` : `Model version ${gone} deleted`;
    return { result: 'deleted', message: what, undeploy };
  }

  #status({ name }: Request): unknown {
    const record = this.#options.store.find(name);
    const status = this.#options.statuses().get(name);
    if (!isStored(record) || !status) return missing(name);
    return { result: 'ok', message: `Successfully fetched status of model ${name}`, status };
  }

  #publish(event: string, data: unknown): void {
    const { nats, lattice } = this.#options.connection;
    const body = createCloudEvent(`com.wadm.${event}`, 'wadm', data);
    nats.publish(wadmSubjects.event(lattice, event), JSON.stringify(body));
  }
}
