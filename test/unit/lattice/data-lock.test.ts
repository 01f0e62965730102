import { join } from 'node:path';
import { expect, test } from 'vitest';
import { acquireLock } from '../../../lattice/data-lock.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

test('a lock has one owner until it is let go', async () => {
  await using folder = await startTemporaryDirectory();
  const path = join(folder.path, 'deep', 'owner.lock');
  const first = acquireLock(path);
  expect(first).toBeDefined();
  expect(acquireLock(path)).toBeUndefined();
  first![Symbol.dispose]();
  const second = acquireLock(path);
  expect(second).toBeDefined();
  second![Symbol.dispose]();
});
