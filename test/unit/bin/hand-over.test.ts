// The launcher as processes: started by an old Node.js where the machine has one, else by this one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { findOldNode } from '../../support/node20.ts';
import { findProcesses } from '../../support/processes.ts';
import { root } from '../../support/sources.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

const oldNode = findOldNode();
const launcher = join(root, 'bin', 'run.js');

/** Says ready, then each signal it gets; ends with 5 on SIGTERM. */
const script = `
console.log('ready', process.versions.node.split('.')[0], process.argv.slice(2).join());
process.on('SIGINT', () => console.log('SIGINT'));
process.on('SIGTERM', () => { console.log('SIGTERM'); process.exitCode = 5; clearInterval(wait); });
const wait = setInterval(() => {}, 1000);
`;

async function startLauncher(folder: string) {
  const file = join(folder, 'script.mjs');
  await writeFile(file, script);
  const child = spawn(oldNode ?? process.execPath, [launcher, file, 'a', 'b'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await eventually(() => lines.length > 0);
  return { child, lines };
}

describe('the launcher', () => {
  test('runs a file with its arguments in a Node.js of 26 or newer and passes the exit code on', async () => {
    await using folder = await startTemporaryDirectory();
    const { child, lines } = await startLauncher(folder.path);
    expect(lines[0]).toMatch(/^ready (2[6-9]|[3-9]\d) a,b$/);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(5);
    expect(lines).toContain('SIGTERM');
  });

  test('passes an interrupt on once when no terminal does', async () => {
    await using folder = await startTemporaryDirectory();
    const { child, lines } = await startLauncher(folder.path);
    child.kill('SIGINT');
    await eventually(() => lines.includes('SIGINT'));
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(lines.slice(1)).toEqual(['SIGINT', 'SIGTERM']);
  });

  test('that is killed takes its child with it, in the child’s own order', async () => {
    await using folder = await startTemporaryDirectory();
    const { child, lines } = await startLauncher(folder.path);
    child.kill('SIGKILL');
    await once(child, 'close');
    await eventually(() => findProcesses(folder.path).length === 0, { what: 'no process left' });
    if (oldNode) expect(lines).toContain('SIGTERM');
  });

  test('tells a death by signal as shells do', async () => {
    await using folder = await startTemporaryDirectory();
    const file = join(folder.path, 'script.mjs');
    await writeFile(file, "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);");
    const child = spawn(oldNode ?? process.execPath, [launcher, file]);
    const [code, signal] = await once(child, 'exit');
    expect(oldNode ? code : signal).toBe(oldNode ? 137 : 'SIGKILL');
  });

  test.skipIf(!oldNode)('with no newer Node.js anywhere says so in one line and exits with 69', async () => {
    await using folder = await startTemporaryDirectory();
    await cp(join(root, 'bin'), join(folder.path, 'bin'), { recursive: true });
    await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
    const child = spawn(oldNode!, [join(folder.path, 'bin', 'wattle.js'), 'up'], { env: { PATH: folder.path } });
    const said: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text) => said.push(text));
    const [code] = await once(child, 'close');
    expect(code).toBe(69);
    expect(said.join('')).toMatch(/^E_NODE_VERSION: Wattle needs Node\.js 26 or newer, this is v\d+\.\d+\.\d+ .*\n$/);
  });
});
