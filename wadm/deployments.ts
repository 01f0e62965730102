// The deployed version of each application, parsed once and kept; and what must hold before another one is deployed.
import { WattleError } from '../lattice/errors.ts';
import type { Application, Component } from './application.ts';
import { formatFinding, parseManifest } from './manifest.ts';
import type { ApplicationRecord, StoredApplication } from './store.ts';
import { createUnits, type Directory, resolveComponent } from './units.ts';

export interface ReadDeployment {
  /** Undefined when nothing is deployed, or what is deployed cannot be read. */
  readonly application: Application | undefined;
  readonly readable: boolean;
  readonly reason?: string;
}

/** The text of a version: as it was put, else (records of upstream) its JSON. */
export const sourceOf = (stored: StoredApplication, version: string): string =>
  (Object.hasOwn(stored.sources, version) ? stored.sources[version] : undefined) ??
  JSON.stringify(stored.manifests[version], undefined, 2);

function parseStored(text: string): ReadDeployment {
  const { application, findings } = parseManifest(text);
  if (application) return { application, readable: true };
  const first = findings.find((finding) => finding.level === 'error');
  return { application: undefined, readable: false, reason: first ? formatFinding(first) : 'it is empty' };
}

export class Deployments {
  readonly #parsed = new Map<string, { readonly text: string; readonly read: ReadDeployment }>();

  /** What is deployed of a record. A version that this wadm cannot read is left running as it is. */
  read(record: ApplicationRecord): ReadDeployment {
    const version = record.deployed_version;
    if (version === undefined || version === null) return { application: undefined, readable: true };
    if (!Object.hasOwn(record.manifests, version))
      return { application: undefined, readable: false, reason: `version ${version} is not stored` };
    const text = sourceOf(record, version);
    const known = this.#parsed.get(record.name);
    if (known?.text === text) return known.read;
    const read = parseStored(text);
    this.#parsed.set(record.name, { text, read });
    return read;
  }

  /** All deployed applications by name. */
  directory(records: readonly ApplicationRecord[]): Directory {
    return new Map(
      records.flatMap((record) => {
        const { application } = this.read(record);
        return application ? [[record.name, application] as const] : [];
      }),
    );
  }
}

const at = (position: { line: number; column: number }): string => `line ${position.line}:${position.column}`;

/** Throws when `application` cannot be deployed beside the others: secrets, taken ids, shared components that are not there. */
export function checkDeployable(application: Application, others: Directory): void {
  const [secret] = application.secrets;
  if (secret)
    throw new WattleError(
      'E_NOT_SUPPORTED',
      `${at(secret.position)}: secret "${secret.name}": secrets are not supported by this version`,
      { hint: 'Pass the value by config, or remove the secret.' },
    );
  for (const component of application.components) {
    const resolved = resolveComponent(component, others);
    if ('reason' in resolved) throw new WattleError(resolved.code, `${at(resolved.position)}: ${resolved.reason}`);
  }
  for (const other of others.values()) if (other.name !== application.name) checkClash(application, other);
}

function checkClash(application: Application, other: Application): void {
  const own = (components: readonly Component[]): Component[] => components.filter((one) => !one.reference);
  const ids = new Set(own(other.components).map((component) => component.id));
  const clash = own(application.components).find((component) => ids.has(component.id));
  if (clash)
    throw new WattleError(
      'E_CONFLICT',
      `${at(clash.idPosition)}: the id ${clash.id} of component "${clash.name}" is used by the deployed application ${other.name}`,
      { hint: 'Give the component another "id", or share the one that runs.' },
    );
  const made = (one: Application): string[] =>
    createUnits(one, new Map()).flatMap((unit) => (unit.kind === 'config' && unit.values ? [unit.name] : []));
  const taken = new Set(made(other));
  const config = made(application).find((name) => taken.has(name));
  if (config)
    throw new WattleError('E_CONFLICT', `the config ${config} is made by the deployed application ${other.name}`);
}

/** Throws when a deployed application uses a component that `name` shares and `next` no longer has. */
export function checkStillShared(name: string, next: Application | undefined, others: Directory): void {
  for (const other of others.values())
    for (const { reference } of other.components) {
      if (other.name === name || reference?.application !== name) continue;
      if (next?.shared && next.components.some((one) => one.name === reference.component)) continue;
      throw new WattleError(
        'E_CONFLICT',
        `application ${other.name} uses component "${reference.component}" of ${name}`,
        { hint: `Undeploy ${other.name} first.` },
      );
    }
}
