// Checks across the parts of one manifest (protocol.md 5.3): what cannot work is an error before anything is deployed,
// what is merely doubtful is a warning. The texts of the errors upstream has are upstream's.
import type { AppLink, Application, ConfigUse } from './application.ts';
import type { Position } from './document.ts';
import type { Report } from './fields.ts';
import { doubtInterfaces } from './interfaces.ts';

/** Adds the findings of `application` to `report`. */
export function validate(report: Report, application: Application): void {
  checkUnique(report, application);
  checkLinks(report, application);
  checkConfigs(report, application);
  checkSecrets(report, application);
}

function repeated<T>(items: readonly T[], key: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    if (seen.has(key(item))) return true;
    seen.add(key(item));
    return false;
  });
}

function checkUnique(report: Report, { components }: Application): void {
  for (const twice of repeated(components, (component) => component.name))
    report.error(twice.position, `Duplicate component name in manifest: ${twice.name}`);
  const own = components.filter((component) => !component.reference);
  const named = new Set(repeated(components, (component) => component.name));
  for (const twice of repeated(own, (component) => component.id))
    if (!named.has(twice)) report.error(twice.idPosition, `Duplicate component identifier in manifest: ${twice.id}`);
}

const grant = (link: AppLink): string => `${link.source}/${link.namespace}:${link.package}/${link.name}`;

function checkLinks(report: Report, { components, links }: Application): void {
  const names = new Set(components.map((component) => component.name));
  const first = new Map<string, AppLink>();
  const granted = new Set<string>();
  for (const link of links) {
    if (!names.has(link.target))
      report.error(
        link.targetPosition,
        `The following capability component(s) are missing from the manifest: ${link.target}`,
      );
    const doubt = doubtInterfaces(link.namespace, link.package, link.interfaces);
    if (doubt) report.warning(link.position, doubt);
    checkRepeat(report, link, { first, granted });
  }
}

/**
 * Links of one name and contract must not share an interface. With different interfaces they may stand beside each other,
 * but only to one target: the lattice names a link by source, name and contract (protocol.md 3.2).
 */
function checkRepeat(report: Report, link: AppLink, seen: { first: Map<string, AppLink>; granted: Set<string> }): void {
  const key = grant(link);
  const earlier = seen.first.get(key);
  const interfaces = link.interfaces.length > 0 ? link.interfaces : ['*'];
  const same = interfaces.filter((one) => seen.granted.has(`${key}/${one}`));
  for (const one of interfaces) seen.granted.add(`${key}/${one}`);
  if (!earlier) {
    seen.first.set(key, link);
    return;
  }
  const what = `${link.namespace}:${link.package}`;
  if (same.length > 0 || interfaces.includes('*') || earlier.interfaces.length === 0)
    report.error(
      link.position,
      `Duplicate link found inside component "${link.source}": ${what} (${same.join(', ')}) under the name "${link.name}"`,
    );
  else if (earlier.target !== link.target)
    report.error(
      link.position,
      `component "${link.source}" links ${what} to "${earlier.target}" and "${link.target}" under the name "${link.name}"; give one of them another "name"`,
    );
}

/** Every config the application makes needs a name of its own; those that exist already may be named often. */
function checkConfigs(report: Report, { components, links }: Application): void {
  const uses: ConfigUse[] = [
    ...components.flatMap((component) => component.config),
    ...links.flatMap((link) => [...link.sourceConfig, ...link.targetConfig]),
  ];
  const made = uses.filter((use) => use.values !== undefined);
  for (const twice of repeated(made, (use) => use.name))
    report.error(twice.position, `Duplicate named configuration found: ${twice.name}`);
  for (const long of made.filter((use) => use.name.length > 256))
    report.error(long.position, 'the name of a config is too long');
}

const secretPolicy = 'policy.secret.wasmcloud.dev/v1alpha1';

function checkSecrets(report: Report, { policies, secrets }: Application): void {
  const refuse = (at: Position, message: string): void => report.error(at, message);
  for (const twice of repeated(policies, (policy) => policy.name))
    refuse(twice.position, `Duplicate policy found in manifest: ${twice.name}`);
  for (const secret of secrets) {
    if (secret.policy === undefined) continue;
    const policy = policies.find((one) => one.name === secret.policy);
    if (!policy)
      refuse(secret.position, `secret "${secret.name}" names a policy that is not in the manifest: ${secret.policy}`);
    else if (policy.type !== secretPolicy)
      refuse(secret.position, `secret "${secret.name}" needs a policy of type ${secretPolicy}, not ${policy.type}`);
  }
}
