// START HERE. The cell process: starts and ends isolates on request and says when one has ended; nothing else. It holds no
// credential, may be killed at any time, and ends at once when the host does.
import { Worker } from 'node:worker_threads';
import type { CellReport, CellRequest } from './frames.ts';
import type { IsolateStart } from './isolate.ts';
import { dropPrivileges } from './privileges.ts';

/** This file runs as TypeScript in a checkout and as JavaScript when installed; its siblings do as it does. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const isolateUrl = new URL(`./isolate${extension}`, import.meta.url);

/** JavaScript heap of an isolate's glue; guests live in wasm memory. Small code range: wasm code is not in it. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, codeRangeSizeMb: 16 };

interface Isolate {
  readonly worker: Worker;
  readonly marks: Int32Array;
}

const isolates = new Map<number, Isolate>();

const report = (message: CellReport): void => {
  if (process.connected) process.send!(message);
};

const handlers: { readonly [T in CellRequest['type']]: (request: Extract<CellRequest, { type: T }>) => void } = {
  ping: () => report({ type: 'pong' }),
  open: ({ isolate, path, token }) => openIsolate(isolate, { path, token }),
  close: ({ isolate }) => void isolates.get(isolate)?.worker.terminate(),
};

function openIsolate(id: number, socket: { path: string; token: string }): void {
  const marks = new Int32Array(new SharedArrayBuffer(8));
  const workerData: IsolateStart = { ...socket, marks };
  const worker = new Worker(isolateUrl, { workerData, resourceLimits, env: {}, execArgv: [], stdin: false });
  isolates.set(id, { worker, marks });
  let reason: string | undefined;
  worker.on('error', (error: Error & { code?: string }) => {
    reason = `${error.code ?? error.name}: ${error.message}`;
  });
  worker.on('exit', () => {
    isolates.delete(id);
    report({
      type: 'ended',
      isolate: id,
      started: marks[0]! >>> 0,
      running: marks[1]! >>> 0,
      ...(reason ? { reason } : {}),
    });
  });
}

// SIGKILL, as a guest in an endless loop keeps a process from ending in any milder way
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('message', (request: CellRequest) => (handlers[request.type] as (request: CellRequest) => void)?.(request));

const note = dropPrivileges(extension);
report({ type: 'up', ...(note ? { note } : {}) });
