// Runs a file with a Node.js new enough for Wattle: in this process when it already is one, else this same script once more
// in a child that shares the terminal. Signals to us reach the child; when we are gone, however, the child is told to end.
import { spawn } from 'node:child_process';
import module from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findNode, noNodeMessage } from './find-node.js';

/** Exit code of "a service this needs is not available" (sysexits). */
const unavailable = 69;

/** Runs `file` with `args`; resolves when the file was imported here, or exits with the child's code. */
export async function handOver(file, args) {
  const node = findNode();
  if (!node) {
    console.error(noNodeMessage);
    process.exit(unavailable);
  }
  if (node === process.execPath) await runHere(file, args);
  else runIn(node);
}

async function runHere(file, args) {
  module.enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));
  if (process.channel) {
    // SIGTERM, so that what runs here can end in its own order if it wants to
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
    process.channel.unref();
  }
  process.argv = [process.argv[0], file, ...args];
  await import(pathToFileURL(file).href);
}

function runIn(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  // Ctrl-C in a terminal reaches the whole group: passing it on would look like a second Ctrl-C
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on('SIGINT', () => terminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`E_NODE_VERSION: could not start ${node}: ${error.message}`);
    process.exit(unavailable);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
