// The capability logging: an actor writes a line to the log of its host. Answered inside the isolate; there is no provider
// and no link, the claims alone grant it (protocol.md 7.3).
import type { Contract, Operation } from './contract.ts';
import { createCodec, struct, text, unit } from './shape.ts';

export const logging: Contract = {
  name: 'logging',
  capability: 'wasmcloud:builtin:logging',
  ids: ['wasmcloud:builtin:logging', 'wasi:logging'],
  caller: 'actor',
  interfaces: { 'wasi:logging': ['logging'] },
};

export interface LogLine {
  /** `debug`, `info`, `warn` or `error`; guests may write others. */
  readonly level: string;
  readonly text: string;
}

export const writeLog: Operation<LogLine, void> = {
  name: 'Logging.WriteLog',
  request: createCodec(struct({ level: text, text })),
  response: createCodec(unit),
};
