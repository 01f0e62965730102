// The path of a file that is run as a process or thread of its own, next to the file that names it. A checkout runs .ts, a
// packed tarball .js; whoever asks is of the same kind as what it starts.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `findEntryFile('./engine/cell', import.meta.url)` → absolute path with the extension of the asking file. */
export const findEntryFile = (name: string, from: string): string =>
  fileURLToPath(new URL(name + extname(new URL(from).pathname), from));
