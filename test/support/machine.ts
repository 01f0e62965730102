// What the integration tests need of the machine, made ready once before they run: a few programs, and a nats-server in the
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
  } catch (error) {
    // openssl 3 knows `version` only and says so with an exit code; only a missing file is missing
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
};

/** Programs the tests run, and the Debian packages that bring them: a small image has none of these. */
const programs: Readonly<Record<string, string>> = { 'redis-server': 'redis-server', ps: 'procps', openssl: 'openssl' };

/** Installs what is missing where this is Debian and we are root. RUNLEVEL keeps redis from starting a server of its own. */
function preparePrograms(): void {
  const missing = (): string[] => Object.keys(programs).filter((program) => !runs(program));
  const packages = missing().map((program) => programs[program]!);
  if (packages.length > 0 && process.getuid?.() === 0 && runs('apt-get')) {
    const options = {
      stdio: 'inherit',
      env: { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' },
    } as const;
    execFileSync('apt-get', ['update', '-qq'], options);
    execFileSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...packages], options);
  }
  const left = missing();
  if (left.length > 0)
    throw new WattleError(
      'E_STORE',
      `the tests need ${left.join(', ')} on PATH (Debian: apt-get install ${left.map((program) => programs[program]).join(' ')})`,
    );
}

async function prepareNats(): Promise<void> {
  const { path, version } = await findNatsBinary({ cacheDir, onProgress: (line) => console.log(line) });
  console.log(`nats-server ${version} (${path})${isSafeVersion(version) ? '' : ', older than the minimum for users'}`);
}

try {
  preparePrograms();
  await prepareNats();
} catch (thrown) {
  console.error(formatError(toWattleError(thrown)));
  process.exitCode = 1;
}
