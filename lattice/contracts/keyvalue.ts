// The capability keyvalue: texts, counters, lists and sets under text keys (protocol.md 7.4). Numbers and lists behave as
// in Redis, which is where the contract comes from; docs/providers.md says so for users.
import type { Contract, Operation } from './contract.ts';
import {
  boolean,
  createCodec,
  i32,
  list,
  type Shape,
  struct,
  text,
  u32,
  unit,
  wholeNumber,
  withDefault,
} from './shape.ts';

export const keyvalue: Contract = {
  name: 'keyvalue',
  capability: 'wasmcloud:keyvalue',
  ids: ['wasmcloud:keyvalue', 'wasi:keyvalue', 'wrpc:keyvalue'],
  caller: 'actor',
  interfaces: {
    'wasi:keyvalue': ['atomics', 'batch', 'store', 'watch'],
    'wrpc:keyvalue': ['atomics', 'batch', 'store'],
  },
};

const operation = <Q, R>(name: string, request: Shape<Q>, response: Shape<R>): Operation<Q, R> => ({
  name: `KeyValue.${name}`,
  request: createCodec(request),
  response: createCodec(response),
});

const listItem = struct({ listName: text, value: text });
const setItem = struct({ setName: text, value: text });

/**
 * Every operation by its short name. `Set.expires` is in seconds, 0 for never. `Increment` answers more than an i32 when
 * the counter has grown beyond one. `ListRange` takes both ends inclusively, negative ones from the end.
 */
export const keyvalueOperations = {
  Get: operation('Get', text, struct({ value: withDefault(text, ''), exists: boolean })),
  Set: operation('Set', struct({ key: text, value: text, expires: withDefault(u32, 0) }), unit),
  Del: operation('Del', text, boolean),
  Contains: operation('Contains', text, boolean),
  Increment: operation('Increment', struct({ key: text, value: i32 }), wholeNumber),
  ListAdd: operation('ListAdd', listItem, u32),
  ListDel: operation('ListDel', listItem, boolean),
  ListRange: operation('ListRange', struct({ listName: text, start: i32, stop: i32 }), list(text)),
  ListClear: operation('ListClear', text, boolean),
  SetAdd: operation('SetAdd', setItem, u32),
  SetDel: operation('SetDel', setItem, u32),
  SetQuery: operation('SetQuery', text, list(text)),
  SetUnion: operation('SetUnion', list(text), list(text)),
  SetIntersection: operation('SetIntersection', list(text), list(text)),
  SetClear: operation('SetClear', text, boolean),
} as const;
