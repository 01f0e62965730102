// One owner per data directory. The lock is held by the system (a transaction on an SQLite file), so it goes away with its
// owner however that ends: no stale files, no guessing from process ids.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Takes the lock at `path`; undefined when another owner, in this process or another, holds it. */
export function acquireLock(path: string): Disposable | undefined {
  mkdirSync(dirname(path), { recursive: true });
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE');
  } catch (thrown) {
    database.close();
    if ((thrown as { errcode?: number }).errcode === sqliteBusy) return undefined;
    throw thrown;
  }
  return { [Symbol.dispose]: () => database.close() };
}

const sqliteBusy = 5;
