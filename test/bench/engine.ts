// What the engine costs by itself: a waPC call, a reset, a fresh instance, and a call into a cell and back, alone and many
// at once. Figures are the best of several rounds: the machine is shared, the code is not slower than its best.

import { Cells } from '../../host/cells.ts';
import type { GuestFactory, GuestWorld, IncomingCall } from '../../host/engine/abi/abi.ts';
import { wapc } from '../../host/engine/abi/wapc.ts';
import { instrumentModule } from '../../host/engine/instrument.ts';
import { LogLines } from '../../host/engine/log-lines.ts';
import type { Isolate } from '../../host/isolates.ts';
import { createLog } from '../../lattice/log.ts';
import { startTemporaryDirectory } from '../support/temporary.ts';
import { echoActor } from '../support/wat.ts';
import { type Figure, figure } from './figure.ts';

const rounds = 5;
const memoryBytes = 64 * 1024 * 1024;

/** Microseconds of one of `count` runs, best round. */
async function measure(count: number, run: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now();
    await run();
    if (round > 0) best = Math.min(best, ((performance.now() - start) * 1000) / count);
  }
  return best;
}

const repeat = (count: number, run: () => void) => (): void => {
  for (let index = 0; index < count; index++) run();
};

async function loadEcho(): Promise<GuestFactory> {
  const world: GuestWorld = {
    lines: new LogLines(() => undefined),
    builtin: () => undefined,
    sendHostCall: () => undefined,
    onResult: () => undefined,
    onError: (_instance, text) => {
      throw new Error(text);
    },
  };
  const instrumented = instrumentModule(echoActor(), memoryBytes);
  return wapc.load(await WebAssembly.compile(instrumented.bytes), instrumented, world);
}

async function measureInstances(): Promise<Figure[]> {
  const factory = await loadEcho();
  const instance = factory.create();
  instance.takeImage();
  const operation = Buffer.from('Bench.Echo');
  const bytes = Buffer.concat([operation, Buffer.alloc(100, 1)]);
  const call: IncomingCall = { id: 1, bytes, start: 0, payloadStart: operation.length, end: bytes.length };
  const alone = await measure(
    100_000,
    repeat(100_000, () => instance.call(call)),
  );
  const both = await measure(
    50_000,
    repeat(50_000, () => {
      instance.call(call);
      instance.reset();
    }),
  );
  const fresh = await measure(
    1000,
    repeat(1000, () => void factory.create()),
  );
  return [
    figure('wapc.call.us', alone, 'us'),
    figure('state.reset.1page.us', both - alone, 'us'),
    figure('state.fresh.1page.us', fresh, 'us'),
  ];
}

const openEcho = (cells: Cells): Promise<Isolate> => {
  const limits = { maxInstances: 10, memoryBytes, maxInFlight: 2000, logging: true, numbergen: true };
  const handlers = { onHostCall: () => new Uint8Array(0), onLog: () => undefined, onExit: () => undefined };
  return cells.openIsolate({ actorId: 'echo', domain: 'bench', wasm: echoActor(), ...limits }, handlers);
};

async function measureCell(): Promise<Figure[]> {
  await using directory = await startTemporaryDirectory();
  await using cells = await Cells.start({ log: createLog('silent', 'bench'), memoryMb: 3072, runDir: directory.path });
  const isolate = await openEcho(cells);
  const payload = new Uint8Array(100);
  const alone = await measure(2000, async () => {
    for (let index = 0; index < 2000; index++) await isolate.call('Bench.Echo', payload, 5000);
  });
  const [batch, batches] = [500, 40];
  const batched = await measure(batch * batches, async () => {
    for (let index = 0; index < batches; index++)
      await Promise.all(Array.from({ length: batch }, () => isolate.call('Bench.Echo', payload, 5000)));
  });
  return [figure('invoke.cell.us', alone, 'us'), figure('invoke.cell.batched.us', batched, 'us')];
}

/** All figures of the engine, in microseconds. */
export const measureEngine = async (): Promise<Figure[]> => [...(await measureInstances()), ...(await measureCell())];

if (import.meta.main) console.log(JSON.stringify(await measureEngine(), null, 1));
