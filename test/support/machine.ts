// What the integration tests need of the machine, made ready once before they run: redis-server, and a nats-server in the
// cache of this checkout. `npm test` runs this; what it cannot install it names in one line.
import { execFileSync } from 'node:child_process';
import { formatError, toWattleError, WattleError } from '../../lattice/errors.ts';
import { findNatsBinary } from '../../lattice/nats-binary.ts';
import { isSafeVersion } from '../../lattice/nats-server.ts';
import { cacheDir } from './nats.ts';

const runs = (command: string): boolean => {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Installs redis-server where this is Debian and we are root. RUNLEVEL keeps the package from starting a server of its own. */
function prepareRedis(): void {
  if (runs('redis-server')) return;
  if (process.getuid?.() === 0 && runs('apt-get')) {
    const options = {
      stdio: 'inherit',
      env: { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' },
    } as const;
    execFileSync('apt-get', ['update', '-qq'], options);
    execFileSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'redis-server'], options);
  }
  if (!runs('redis-server'))
    throw new WattleError(
      'E_STORE',
      'the tests need redis-server on PATH; install it (Debian: apt-get install redis-server)',
    );
}

async function prepareNats(): Promise<void> {
  const { path, version } = await findNatsBinary({ cacheDir, onProgress: (line) => console.log(line) });
  console.log(`nats-server ${version} (${path})${isSafeVersion(version) ? '' : ', older than the minimum for users'}`);
}

try {
  prepareRedis();
  await prepareNats();
} catch (thrown) {
  console.error(formatError(toWattleError(thrown)));
  process.exitCode = 1;
}
