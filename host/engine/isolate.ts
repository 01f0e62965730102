// A worker thread of a cell that runs one actor: a socket of its own to the host, a compiled module, a pool of instances.
// Frames are answered as they are read; a guest without host calls is run, answered and reset without a promise.
import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { formatError, toWattleError, WattleError } from '../../lattice/errors.ts';
import type { GuestInstance, GuestWorld, OutgoingCall } from './abi/abi.ts';
import { abis } from './abi/index.ts';
import { answerNumbers, type Builtin, createLogging } from './builtins.ts';
import { type Frame, FrameReader, FrameWriter, frameType, type IsolateConfig, logLevels } from './frames.ts';
import { instrumentModule } from './instrument.ts';
import { frameBytes } from './limits.ts';
import { LogLines } from './log-lines.ts';
import { Pool } from './pool.ts';

/** What the cell hands to its worker. */
export interface IsolateStart {
  readonly path: string;
  readonly token: string;
  /** See PoolOptions.marks; shared with the cell's main thread. */
  readonly marks: Int32Array;
}

const { path, token, marks } = workerData as IsolateStart;
const readBytes = 256 * 1024;

const writer = new FrameWriter((batch) => {
  socket.write(batch);
  return socket.writableLength === 0;
});

let pool: Pool | undefined;

type OnFrame = (frame: Frame) => void;

function onCall({ id, bytes, start, end }: Frame): void {
  const payloadStart = start + 2 + bytes.readUInt16LE(start);
  pool?.call({ id, bytes, start: start + 2, payloadStart, end });
}

const handlers: Readonly<Record<number, OnFrame>> = {
  [frameType.start]: (frame) => onStart(frame),
  [frameType.call]: onCall,
  [frameType.reply]: (frame) => pool?.reply(frame.id, true, frame),
  [frameType.replyError]: (frame) => pool?.reply(frame.id, false, frame),
  [frameType.cancel]: (frame) => pool?.cancel(frame.id),
  [frameType.resize]: (frame) => pool?.resize(frame.id),
};

const reader = new FrameReader(frameBytes, (frame) => handlers[frame.type]?.(frame));

const readBuffer = Buffer.alloc(readBytes);
const socket: Socket = new Socket({
  onread: {
    buffer: readBuffer,
    callback: (count) => {
      pool?.beginTurn();
      reader.push(readBuffer, count);
      writer.flush();
      return true;
    },
  },
}).connect({ path });
socket.on('connect', () => {
  writer.text(frameType.hello, 0, token);
  writer.flush();
});
// the host is gone or has let go of this actor: the cell hears of it too and ends this thread or itself
socket.on('error', () => socket.destroy());

function onStart({ bytes, start, end }: Frame): void {
  const configEnd = start + 4 + bytes.readUInt32LE(start);
  const config = JSON.parse(bytes.toString('utf8', start + 4, configEnd)) as IsolateConfig;
  const wasm = Buffer.from(bytes.subarray(configEnd, end));
  startActor(config, wasm).catch((error: unknown) => {
    writer.text(frameType.failed, 0, formatError(toWattleError(error, 'E_WASM_START')));
  });
}

async function compile(bytes: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    const message = (cause as Error).message.replace(/^WebAssembly\.compile\(\): /, '');
    throw new WattleError('E_WASM_MALFORMED', message, { cause });
  }
}

async function startActor(config: IsolateConfig, wasm: Uint8Array): Promise<void> {
  const instrumented = instrumentModule(wasm, config.memoryBytes);
  const abi = abis.find((one) => one.detect(instrumented.exports));
  if (!abi) throw new WattleError('E_WASM_EXPORT', 'the module exports no __guest_call, so it is not a waPC actor');
  const module = await compile(instrumented.bytes);
  writer.frame(frameType.compiled, 0, Buffer.alloc(0));
  writer.flush();
  const factory = abi.load(module, instrumented, createWorld(config));
  const first = factory.create();
  await first.start();
  first.takeImage();
  const { maxInstances } = config;
  const { resettable } = instrumented;
  const onFailed = (callId: number, text: string): void => writer.text(frameType.error, callId, text);
  const onTurnEnd = (): void => writer.flush();
  pool = new Pool({ factory, maxInstances, resettable, marks, onFailed, onTurnEnd }, first);
  writer.frame(frameType.ready, 0, Buffer.alloc(0));
}

const writeResult = (id: number, bytes: Buffer, length: number): void => {
  writer.open(frameType.result, id, length);
  writer.bytes(bytes, 0, length);
  writer.close();
};

function writeHostCall({ callId, binding, namespace, operation, payload }: OutgoingCall): void {
  const spans = [binding, namespace, operation, payload];
  writer.open(
    frameType.hostCall,
    callId,
    spans.reduce((sum, span) => sum + span.end - span.start, 6),
  );
  for (const span of spans.slice(0, 3)) writer.u16(span.end - span.start);
  for (const span of spans) writer.bytes(span.bytes, span.start, span.end);
  writer.close();
}

function createBuiltins(config: IsolateConfig, lines: LogLines): Readonly<Record<string, Builtin | string>> {
  const refusal = (contract: string): string => `the claims of ${config.actorId} do not name ${contract}`;
  const [logging, numbergen] = ['wasmcloud:builtin:logging', 'wasmcloud:builtin:numbergen'] as const;
  return {
    [logging]: config.logging ? createLogging(lines) : refusal(logging),
    [numbergen]: config.numbergen ? answerNumbers : refusal(numbergen),
  };
}

function createWorld(config: IsolateConfig): GuestWorld {
  const lines = new LogLines((level, text) => writer.text(frameType.log, logLevels.indexOf(level), text));
  const builtins = createBuiltins(config, lines);
  return {
    lines,
    builtin: (namespace) => (Object.hasOwn(builtins, namespace) ? builtins[namespace] : undefined),
    sendHostCall(call, instance: GuestInstance) {
      writeHostCall(call);
      pool?.suspend(call.callId, instance);
    },
    onResult(instance, bytes, length) {
      writeResult(instance.callId, bytes, length);
      pool?.release(instance, false);
    },
    onError(instance, text, broken) {
      writer.text(frameType.error, instance.callId, text);
      pool?.release(instance, broken);
    },
  };
}
