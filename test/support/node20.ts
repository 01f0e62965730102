// An old Node.js, as a fresh machine has it: what the launcher must start from.
import { execFileSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

/** Path of a `node` on PATH older than 26, or undefined on a machine that has only newer ones. */
export function findOldNode(): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'node');
    try {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      if (Number(/^v(\d+)/.exec(version)?.[1]) < 26) return path;
    } catch {
      // no node there
    }
  }
  return undefined;
}
