// Runs a file with a Node.js new enough for Wattle: in this process when it already is one, else in a child that
// shares the terminal, gets our signals, and ends with us (it watches the IPC channel).
import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { findNode, noNodeMessage } from './find-node.js';

/** Runs `file` with `args`; resolves when the file was imported here, or exits with the child's code. */
export async function handOver(file, args) {
  const node = findNode();
  if (!node) {
    console.error(noNodeMessage);
    process.exit(69);
  }
  if (node === process.execPath) {
    process.argv = [process.argv[0], file, ...args];
    await import(pathToFileURL(file).href);
    return;
  }
  const child = spawn(node, [...process.execArgv, file, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, WATTLE_LAUNCHER: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`E_NODE_VERSION: could not start ${node}: ${error.message}`);
    process.exit(69);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}
