// Options that several commands take, read in one way.
import type { Command as Program } from 'commander';
import { WattleError } from '../lattice/errors.ts';
import type { Options } from './command.ts';

/** Commander's parser of an option that may be given again. */
export const collect = (word: string, former: readonly string[] | undefined): string[] => [...(former ?? []), word];

/** A whole number that is not negative. Throws E_USAGE naming the option. */
export function readCount(text: string, what: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new WattleError('E_USAGE', `${what} is a whole number, not "${text}"`);
  return value;
}

const defaultWaitMs = 60_000;

/** Adds `--wait MS` and `--no-wait`. */
export const addWait = (program: Program): Program =>
  program
    .option('--wait <ms>', `how long to wait for the outcome (default: ${defaultWaitMs})`)
    .option('--no-wait', 'do not wait for the outcome');

/** Milliseconds to wait for an outcome; undefined when not to wait. */
export function readWaitMs(options: Options): number | undefined {
  if (options.wait === false) return undefined;
  return typeof options.wait === 'string' ? readCount(options.wait, '--wait') : defaultWaitMs;
}
