// The versions of one stored application: pure edits of its record, to be carried out by the store.
import { randomBytes } from 'node:crypto';
import { WattleError } from '../lattice/errors.ts';
import type { StoredApplication } from './store.ts';

/** Versions in the order they were put. */
export const versionsOf = (record: StoredApplication): string[] => {
  const known = Object.keys(record.manifests);
  const order = (record.order ?? []).filter((version) => known.includes(version));
  return [...order, ...known.filter((version) => !order.includes(version))];
};

/** 26 characters of Crockford base 32: 48 bits of time, 80 of chance. */
export function createUlid(nowMs: number): string {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  let value = (BigInt(nowMs) << 80n) | BigInt(`0x${randomBytes(10).toString('hex')}`);
  let text = '';
  for (let place = 0; place < 26; place++) {
    text = digits[Number(value & 31n)]! + text;
    value >>= 5n;
  }
  return text;
}

/** The manifest with its version written into the annotations. */
function annotate(manifest: unknown, version: string): unknown {
  const { metadata, ...rest } = manifest as { metadata: { annotations?: object } };
  return { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, version } } };
}

/** With one more version, the newest. A version is put once: throws E_MANIFEST_VERSION. */
export function addVersion(
  stored: StoredApplication,
  { version, manifest, text }: { version: string; manifest: unknown; text: string },
): StoredApplication {
  if (Object.hasOwn(stored.manifests, version))
    throw new WattleError('E_MANIFEST_VERSION', `Manifest version ${version} already exists`);
  const { deleted_ms: _deleted, ...rest } = stored;
  return {
    ...rest,
    manifests: { ...stored.manifests, [version]: annotate(manifest, version) },
    sources: { ...stored.sources, [version]: text },
    order: [...versionsOf(stored), version],
  };
}

/** Without one version, or (undefined) without any. The record stays: what runs of it has still to be taken away. */
export function removeVersion(
  stored: StoredApplication,
  version: string | undefined,
  nowMs: number,
): StoredApplication {
  const order = versionsOf(stored).filter((one) => version !== undefined && one !== version);
  const keep = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(map).filter(([key]) => order.includes(key)));
  const deployed = stored.deployed_version;
  const next = {
    ...stored,
    manifests: keep(stored.manifests),
    sources: keep(stored.sources),
    order,
    deployed_version: deployed != null && order.includes(deployed) ? deployed : null,
  };
  return order.length === 0 ? { ...next, leave_running: false, deleted_ms: nowMs } : next;
}
