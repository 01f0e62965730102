// The version of this installation, from its package.json: the one place it is written. It must parse as semver, because
// readers of heartbeats insist (protocol.md 4.3).
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
// A checkout has it one folder up; the packed JavaScript lives in dist/ and has it two up.
const read = (path: string): { readonly version: string } => require(path);

export const version: string = import.meta.filename.endsWith('.ts')
  ? read('../package.json').version
  : read('../../package.json').version;
