// References to artifacts as a person writes them: relative to where the person, or the manifest, is. Hosts need them
// absolute. Only what names a file is touched; every other reference passes unchanged.
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A digest pinned at the end of a reference. */
const pinPattern = /@sha256:[0-9a-f]{64}$/;

function localPath(location: string): string | undefined {
  const named = /^file:(?:\/\/)?(.*)$/is.exec(location)?.[1];
  if (named !== undefined) return named.startsWith('/') ? undefined : named;
  if (location.startsWith('./') || location.startsWith('../') || isAbsolute(location)) return location;
  return /^[^:]+\.wasm$/i.test(location) ? location : undefined;
}

/**
 * `file:build/a.wasm`, `./a.wasm` or `build/a.wasm` seen from `folder` as `file:///…/build/a.wasm`. An image name with a
 * colon, a URL and an absolute `file:` reference stay as they are; a pinned digest stays at the end.
 */
export function resolveArtifactRef(ref: string, folder: string): string {
  const pin = pinPattern.exec(ref)?.[0] ?? '';
  const path = localPath(ref.slice(0, ref.length - pin.length));
  return path === undefined ? ref : pathToFileURL(resolve(folder, path)).href + pin;
}
