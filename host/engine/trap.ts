// What ended a guest's call against its will, as one line: the trap, and the wasm functions it happened in where V8's
// stack names them. Names come from the module, so they are cut and cleaned.
import { formatError, WattleError } from '../../lattice/errors.ts';

const shownFrames = 5;
const nameLength = 80;

const clean = (text: string, length: number): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, length);

/** Functions on the wasm stack, innermost first. */
export function readWasmFrames(stack: string): string[] {
  const names: string[] = [];
  for (const line of stack.split('\n')) {
    if (names.length === shownFrames) break;
    if (!line.includes('wasm://wasm')) continue;
    const named = /^\s*at (.+) \(wasm:\/\/wasm/.exec(line)?.[1];
    const index = /wasm-function\[(\d+)\]/.exec(line)?.[1];
    names.push(named ? clean(named.replace(/^[\w-]+\.(?=.)/, ''), nameLength) : `function ${index ?? '?'}`);
  }
  return names;
}

/** As formatError writes it: E_ACTOR_MEMORY when growing memory had failed, else E_ACTOR_TRAP. */
export function describeTrap(thrown: unknown, operation: string, outOfMemory: boolean): string {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const frames = readWasmFrames(error.stack ?? '');
  const where = frames.length > 0 ? ` (in ${frames.join(' < ')})` : '';
  const what = `${clean(operation, nameLength)}: ${clean(error.message, 400)}${where}`;
  return outOfMemory
    ? formatError(new WattleError('E_ACTOR_MEMORY', `${what}; its memory could not grow further`))
    : formatError(new WattleError('E_ACTOR_TRAP', what));
}
