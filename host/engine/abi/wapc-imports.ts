// The import object of one waPC instance: the nine functions under both names they have had, WASI, and AssemblyScript's env.
import type { GuestMemory } from '../guest-memory.ts';
import { createPreview1 } from '../wasi/preview1.ts';
import type { GuestWorld } from './abi.ts';
import { createEnv } from './env.ts';

/** What an instance does when its guest calls. */
export interface WapcCalls {
  readonly memory: GuestMemory;
  guestRequest(operationAt: number, payloadAt: number): void;
  guestResponse(pointer: number, length: number): void;
  guestError(pointer: number, length: number): void;
  consoleLog(pointer: number, length: number): void;
  /** Length of the last host call's answer if it ended that way, else 0. */
  hostAnswerLength(succeeded: boolean): number;
  writeHostAnswer(succeeded: boolean, pointer: number): void;
  hostCall(numbers: readonly number[]): number | Promise<number>;
}

/** Puts the missing leading spans (binding, then namespace) of older signatures in as empty ones. */
const leading = (params: number): number[] => Array(8 - params).fill(0);

const createCalls = (calls: WapcCalls): Record<string, unknown> => ({
  __guest_request: (operationAt: number, payloadAt: number) => calls.guestRequest(operationAt, payloadAt),
  __guest_response: (pointer: number, length: number) => calls.guestResponse(pointer, length),
  __guest_error: (pointer: number, length: number) => calls.guestError(pointer, length),
  __console_log: (pointer: number, length: number) => calls.consoleLog(pointer, length),
  __host_response_len: () => calls.hostAnswerLength(true),
  __host_response: (pointer: number) => calls.writeHostAnswer(true, pointer),
  __host_error_len: () => calls.hostAnswerLength(false),
  __host_error: (pointer: number) => calls.writeHostAnswer(false, pointer),
});

/** `hostCallParams` undefined: __host_call is not imported, nothing can suspend. */
export function createImports(
  calls: WapcCalls,
  options: { world: GuestWorld; hostCallParams: number | undefined; wasiNames: readonly string[] },
): WebAssembly.Imports {
  const { world, hostCallParams, wasiNames } = options;
  const wapc = createCalls(calls);
  if (hostCallParams !== undefined) {
    const missing = leading(hostCallParams);
    wapc.__host_call = new WebAssembly.Suspending((...numbers: number[]) => calls.hostCall([...missing, ...numbers]));
  }
  const around = { lines: world.lines, memory: () => calls.memory };
  const imports: WebAssembly.Imports = { wasmbus: wapc, wapc, env: createEnv(around) };
  if (wasiNames.length === 0) return imports;
  const wasi = createPreview1(around, wasiNames);
  return { ...imports, wasi_snapshot_preview1: wasi, wasi_unstable: wasi, wasi };
}
