// Shapes of messages: small readers and writers that compose into the codec of a struct. Reading is liberal, as real
// guests need it (protocol.md 7.3): structs as maps or arrays, bytes as bin, str or a list of numbers. Writing is strict:
// maps with camelCase keys in declaration order, optionals left out, no bytes at all for unit.
import { WattleError } from '../errors.ts';
import { decodeMessage, encodeMessage } from '../msgpack.ts';
import type { Codec } from './contract.ts';

/** `read` throws E_PAYLOAD naming the place (`message.chunk.offset`); `write` gives what msgpack.ts packs. */
export interface Shape<T> {
  read(value: unknown, where: string): T;
  write(value: T): unknown;
}
export type TypeOf<S> = S extends Shape<infer T> ? T : never;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8Encoder = new TextEncoder();

export const wrongShape = (where: string, expected: string): WattleError =>
  new WattleError('E_PAYLOAD', `${where} is not ${expected}`);

export const text: Shape<string> = {
  read(value, where) {
    if (typeof value === 'string') return value;
    if (value instanceof Uint8Array) return utf8.decode(value);
    throw wrongShape(where, 'a text');
  },
  write: (value) => value,
};

export const boolean: Shape<boolean> = {
  read(value, where) {
    if (typeof value === 'boolean') return value;
    throw wrongShape(where, 'a boolean');
  },
  write: (value) => value,
};

const isByte = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;

export const bytes: Shape<Uint8Array> = {
  read(value, where) {
    if (value instanceof Uint8Array) return value;
    if (typeof value === 'string') return utf8Encoder.encode(value);
    if (Array.isArray(value) && value.every(isByte)) return Uint8Array.from(value);
    throw wrongShape(where, 'bytes');
  },
  write: (value) => value,
};

/** A whole number from `min` to `max`, both safe integers. */
export const integer = (min: number, max: number): Shape<number> => ({
  read(value, where) {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
    throw wrongShape(where, `a whole number from ${min} to ${max}`);
  },
  write: (value) => value,
});
export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffff_ffff);
export const i32 = integer(-0x8000_0000, 0x7fff_ffff);
/** Any whole number a double holds exactly. */
export const wholeNumber = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** No value: zero bytes. Whatever a guest sends in its place is ignored. */
export const unit: Shape<void> = { read: () => undefined, write: () => undefined };

export const list = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  read(value, where) {
    if (!Array.isArray(value)) throw wrongShape(where, 'a list');
    return value.map((entry, index) => item.read(entry, `${where}[${index}]`));
  },
  write: (value) => value.map(item.write),
});

interface Optional<T> extends Shape<T | undefined> {
  readonly optional: true;
}
/** A field that may be missing or nil; never written when undefined. */
export const optional = <T>(shape: Shape<T>): Optional<T> => ({
  optional: true,
  read: (value, where) => (value === undefined || value === null ? undefined : shape.read(value, where)),
  write: (value) => (value === undefined ? undefined : shape.write(value)),
});

/** A field that senders may leave out; always written. */
export const withDefault = <T>(shape: Shape<T>, fallback: T): Shape<T> => ({
  read: (value, where) => (value === undefined || value === null ? fallback : shape.read(value, where)),
  write: shape.write,
});

type Fields = Readonly<Record<string, Shape<never> | Shape<unknown>>>;
type OptionalKeys<F> = { [K in keyof F]: F[K] extends { readonly optional: true } ? K : never }[keyof F];
type StructOf<F> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: TypeOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: Exclude<TypeOf<F[K]>, undefined>;
};

/** A map with these keys in this order, or an array of these values in this order. Unknown keys are ignored. */
export function struct<const F extends Fields>(fields: F): Shape<StructOf<F>> {
  const entries = Object.entries(fields) as [string, Shape<unknown>][];
  return {
    read(value, where) {
      if (typeof value !== 'object' || value === null || value instanceof Uint8Array) throw wrongShape(where, 'a map');
      const source = value as Record<string | number, unknown>;
      const result: Record<string, unknown> = {};
      for (const [index, [key, shape]] of entries.entries()) {
        const field = shape.read(source[Array.isArray(value) ? index : key], `${where}.${key}`);
        if (field !== undefined) result[key] = field;
      }
      return result as StructOf<F>;
    },
    write(value) {
      const source = value as Record<string, unknown>;
      const result: Record<string, unknown> = {};
      for (const [key, shape] of entries) {
        const field = shape.write(source[key]);
        if (field !== undefined) result[key] = field;
      }
      return result;
    },
  };
}

/** The codec of messages of this shape. */
export const createCodec = <T>(shape: Shape<T>): Codec<T> => ({
  encode: (value) => encodeMessage(shape.write(value)),
  decode: (message) => shape.read(decodeMessage(message), 'message'),
});
