// Gives up the rights a cell does not need. Started as root it becomes `nobody`, unless that user could not read the
// program's own files: each isolate's thread still has to load them.
import { closeSync, openSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const nobody = 'nobody';
const nogroup = 65_534;

/** Files a worker thread loads after this, relative to this one. */
const neededFolders = ['./', './abi/', './wasi/'];
const neededFiles = ['../../lattice/errors', '../../lattice/wasm'];

function openNeeded(extension: string): void {
  const files = neededFiles.map((file) => new URL(file + extension, import.meta.url));
  for (const folder of neededFolders) {
    const url = new URL(folder, import.meta.url);
    for (const name of readdirSync(url)) if (name.endsWith(extension)) files.push(new URL(name, url));
  }
  for (const file of files) closeSync(openSync(fileURLToPath(file), 'r'));
}

/** Undefined when done or not needed; otherwise why the process stays what it is. */
export function dropPrivileges(extension: string): string | undefined {
  if (process.geteuid?.() !== 0 || !process.setuid) return undefined;
  try {
    process.setegid!(nogroup);
    process.seteuid!(nobody);
    openNeeded(extension);
  } catch (error) {
    return `runs as root, as ${nobody} cannot read its program: ${(error as Error).message}`;
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
  process.setgroups!([]);
  process.setgid!(nogroup);
  process.setuid(nobody);
  return undefined;
}
