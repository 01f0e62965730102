// The changing operations of keyvalue as pure functions: a value in, a value and a result out. keyvalue-nats applies them to
// what it read and writes the outcome if nobody was quicker. They behave as their namesakes in Redis do.
import { WattleError } from '../lattice/errors.ts';
import type { StoredValue } from './keyvalue-value.ts';

/** `value` undefined: the key does not exist. Returning the value it was given means that nothing changed. */
export interface Changed<R> {
  readonly value: StoredValue | undefined;
  readonly result: R;
}
export type Change<R> = (value: StoredValue | undefined) => Changed<R>;

const kinds: Readonly<Record<StoredValue['kind'], string>> = { text: 'a text', list: 'a list', set: 'a set' };

/** The items of a value that must be of this kind; none when it does not exist. Throws E_STORE_TYPE. */
export function itemsOf(value: StoredValue | undefined, kind: StoredValue['kind'], key: string): readonly string[] {
  if (!value) return [];
  if (value.kind === kind) return value.items;
  throw new WattleError('E_STORE_TYPE', `"${key}" holds ${kinds[value.kind]}, not ${kinds[kind]}`);
}

/** The value with other items; a list or set without any does not exist. The expiry stays. */
const withItems = (
  value: StoredValue | undefined,
  kind: StoredValue['kind'],
  items: readonly string[],
): StoredValue | undefined => (items.length === 0 ? undefined : { ...value, kind, items });

/** What Redis takes for a number: an integer without sign, blanks or leading zeros where none belong. */
const isNumber = (text: string): boolean => /^(0|-?[1-9]\d{0,18})$/.test(text);

/** `SET`: replaces a value of any type and its expiry. Needs no look at the former value. */
export const setText =
  (text: string, expiresMs: number | undefined): Change<void> =>
  () => ({
    value: { kind: 'text', items: [text], ...(expiresMs === undefined ? {} : { expiresMs }) },
    result: undefined,
  });

export const removeValue: Change<boolean> = (value) => ({ value: undefined, result: value !== undefined });

export const increment =
  (key: string, by: number): Change<number> =>
  (value) => {
    const text = itemsOf(value, 'text', key)[0] ?? '0';
    const result = isNumber(text) ? Number(text) + by : Number.NaN;
    if (!Number.isSafeInteger(result))
      throw new WattleError('E_STORE_TYPE', `"${key}" does not hold a number that can be added to`);
    return { value: { ...value, kind: 'text', items: [String(result)] }, result };
  };

export const addToList =
  (key: string, item: string): Change<number> =>
  (value) => {
    const items = [...itemsOf(value, 'list', key), item];
    return { value: withItems(value, 'list', items), result: items.length };
  };

/** Removes the first item that equals this one. */
export const removeFromList =
  (key: string, item: string): Change<boolean> =>
  (value) => {
    const items = itemsOf(value, 'list', key);
    const at = items.indexOf(item);
    return at < 0
      ? { value, result: false }
      : { value: withItems(value, 'list', items.toSpliced(at, 1)), result: true };
  };

export const addToSet =
  (key: string, item: string): Change<number> =>
  (value) => {
    const items = itemsOf(value, 'set', key);
    return items.includes(item)
      ? { value, result: 0 }
      : { value: withItems(value, 'set', [...items, item]), result: 1 };
  };

export const removeFromSet =
  (key: string, item: string): Change<number> =>
  (value) => {
    const items = itemsOf(value, 'set', key);
    const rest = items.filter((other) => other !== item);
    return rest.length === items.length ? { value, result: 0 } : { value: withItems(value, 'set', rest), result: 1 };
  };

/** `LRANGE`: both ends inclusive, negative ones counted from the end. */
export function rangeOf(items: readonly string[], start: number, stop: number): readonly string[] {
  const place = (index: number): number => (index < 0 ? items.length + index : index);
  return items.slice(Math.max(0, place(start)), Math.max(0, place(stop) + 1));
}
