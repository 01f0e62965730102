// Random numbers (contract `wasmcloud:builtin:numbergen`): a sandbox has none of its own. No link is needed, only the
// capability.
import { Reader } from './reader';
import { failure, Result, success } from './result';
import { callHost } from './wapc';
import { Writer } from './writer';

const contract = 'wasmcloud:builtin:numbergen';

export class Random {
  /** A random UUID, with hyphens. */
  static guid(): Result<string> {
    const answer = call('GenerateGuid', new Writer(0));
    if (!answer.ok) return failure<string>(answer.error);
    const guid = answer.value.text();
    return answer.value.failed ? failure<string>(answer.value.error) : success(guid);
  }

  /** A number of 32 random bits. */
  static number(): Result<u32> {
    return asNumber(call('Random32', new Writer(0)));
  }

  /** A number from `low` to `high`, both included. */
  static inRange(low: u32, high: u32): Result<u32> {
    return asNumber(call('RandomInRange', new Writer().map(2).text('min').unsigned(low).text('max').unsigned(high)));
  }
}

function call(method: string, payload: Writer): Result<Reader> {
  return callHost('default', contract, 'NumberGen.' + method, payload);
}

function asNumber(answer: Result<Reader>): Result<u32> {
  if (!answer.ok) return failure<u32>(answer.error);
  const value = answer.value.u32();
  return answer.value.failed ? failure<u32>(answer.value.error) : success(value);
}
