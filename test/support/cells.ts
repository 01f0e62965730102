// Real cells for a test: processes of their own, gone with the test, and short ways to open an actor and call it.
import { Cells } from '../../host/cells.ts';
import type { HostCall, Isolate, IsolateSpec } from '../../host/isolates.ts';
import { WattleError } from '../../lattice/errors.ts';
import { createLog } from '../../lattice/log.ts';
import { startTemporaryDirectory } from './temporary.ts';

export interface TestActor {
  readonly isolate: Isolate;
  readonly logged: string[];
  /** Codes given to onExit. */
  readonly exits: string[];
  /** The response as text, or `CODE message` of the error. */
  call(payload?: string, deadlineMs?: number): Promise<string>;
}

export type Answer = (call: HostCall) => Promise<Uint8Array> | Uint8Array;
export type OpenSpec = Partial<IsolateSpec> & { readonly wasm: Uint8Array; readonly answer?: Answer };

export interface TestCells extends AsyncDisposable {
  readonly cells: Cells;
  open(spec: OpenSpec): Promise<TestActor>;
}

/** `CODE message`; throws what is no WattleError. */
export const textOf = (error: unknown): string => {
  if (error instanceof WattleError) return `${error.code} ${error.message}`;
  throw error;
};

const defaults = { actorId: 'test', domain: 'A', maxInstances: 10, memoryBytes: 16 << 20, maxInFlight: 1000 };

async function openActor(cells: Cells, { answer, ...spec }: OpenSpec): Promise<TestActor> {
  const [logged, exits]: [string[], string[]] = [[], []];
  const isolate = await cells.openIsolate(
    { ...defaults, logging: true, numbergen: true, ...spec },
    {
      onHostCall: (call) => answer?.(call) ?? new Uint8Array(0),
      onLog: (level, text) => logged.push(`${level} ${text}`),
      onExit: (error) => exits.push(textOf(error)),
    },
  );
  const call = (payload = '', deadlineMs = 5000): Promise<string> =>
    isolate.call('Test.Run', Buffer.from(payload), deadlineMs).then((bytes) => Buffer.from(bytes).toString(), textOf);
  return { isolate, logged, exits, call };
}

export async function startCells(memoryMb = 3072): Promise<TestCells> {
  const directory = await startTemporaryDirectory();
  const cells = await Cells.start({ log: createLog('silent', 'test'), memoryMb, runDir: directory.path });
  return {
    cells,
    open: (spec) => openActor(cells, spec),
    async [Symbol.asyncDispose]() {
      await cells[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
