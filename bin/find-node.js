// Finds a Node.js new enough for Wattle: the one that runs this, the one npm installed beside us, or `node` on PATH.
// Plain JavaScript that Node 20 can run; everything else in this project needs the newer one.
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

/** The engine needs JS Promise Integration and type stripping as Node 26 has them. */
export const minimumMajor = 26;

const require = createRequire(import.meta.url);
const executable = process.platform === 'win32' ? 'node.exe' : 'node';
const packages = [
  `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`,
  `node-bin-${process.platform}-${process.arch}`,
];

const majorOf = (version) => Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);

const versionOf = (file) =>
  execFileSync(file, ['--version'], { encoding: 'utf8', timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] });

function installedByNpm() {
  for (const name of packages) {
    try {
      const manifest = require.resolve(`${name}/package.json`);
      const file = join(dirname(manifest), 'bin', executable);
      if (majorOf(require(manifest).version) >= minimumMajor && existsSync(file)) return realpathSync(file);
    } catch {
      // not installed for this platform
    }
  }
  return undefined;
}

function onPath() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, executable);
    if (!folder || !existsSync(file)) continue;
    try {
      if (majorOf(versionOf(file)) >= minimumMajor) return realpathSync(file);
    } catch {
      // a broken entry on PATH is not ours to report
    }
  }
  return undefined;
}

/** The path of a Node.js of at least `minimumMajor`, or undefined when this machine has none. */
export function findNode() {
  if (majorOf(process.version) >= minimumMajor) return process.execPath;
  return installedByNpm() ?? onPath();
}

/** The one line a user reads when there is none. */
export const noNodeMessage =
  `E_NODE_VERSION: Wattle needs Node.js ${minimumMajor} or newer, this is ${process.version} and no newer one was found. ` +
  `Reinstall without --omit=optional so that npm can bring one (${packages[0]}), or install Node.js ${minimumMajor}.`;
