// The capability random (upstream: numbergen): identifiers and random numbers. Answered inside the isolate; there is no
// provider and no link, the claims alone grant it (protocol.md 7.3).
import type { Contract } from './contract.ts';
import { createCodec, struct, text, u32, unit } from './shape.ts';

export const random: Contract = {
  name: 'random',
  capability: 'wasmcloud:builtin:numbergen',
  ids: ['wasmcloud:builtin:numbergen', 'wasi:random'],
  caller: 'actor',
  interfaces: { 'wasi:random': ['insecure', 'insecure-seed', 'random'] },
};

/** `RandomInRange` includes both ends. */
export const randomOperations = {
  GenerateGuid: { name: 'NumberGen.GenerateGuid', request: createCodec(unit), response: createCodec(text) },
  Random32: { name: 'NumberGen.Random32', request: createCodec(unit), response: createCodec(u32) },
  RandomInRange: {
    name: 'NumberGen.RandomInRange',
    request: createCodec(struct({ min: u32, max: u32 })),
    response: createCodec(u32),
  },
} as const;
