// The RPC envelope between hosts: an Invocation and its InvocationResponse as MessagePack maps. Writing is exact (maps,
// bin); reading is liberal (maps or positional arrays, bin or arrays of numbers), because every era of hosts and
// providers wrote its own. Field names are the wire's. Facts: protocol.md 2.2.
import { WattleError } from './errors.ts';
import { decodeMessage, encodeMessage } from './msgpack.ts';
import { idPattern } from './types.ts';

/** One end of a call. For an actor `contract_id` and `link_name` are ''. */
export interface Entity {
  readonly public_key: string;
  readonly contract_id: string;
  readonly link_name: string;
}

export interface Invocation {
  readonly origin: Entity;
  readonly target: Entity;
  /** `Service.Method`. */
  readonly operation: string;
  /** Empty when the body travels in chunks: `content_length` tells. */
  readonly msg: Uint8Array;
  readonly id: string;
  /** Token of the cluster key over all of the above (antiforgery.ts). */
  readonly encoded_claims: string;
  /** Key of the sending host (N…); OTP hosts put their cluster key (C…) here. */
  readonly host_id: string;
  /** Real length of the body in bytes. */
  readonly content_length: number;
  readonly traceContext?: Readonly<Record<string, string>>;
}

export interface InvocationResponse {
  readonly msg: Uint8Array;
  readonly invocation_id: string;
  /** Present when the call failed; `msg` says nothing then. */
  readonly error?: string;
  readonly content_length: number;
}

export const encodeInvocation = (invocation: Invocation): Uint8Array => encodeMessage(invocation);
export const encodeResponse = (response: InvocationResponse): Uint8Array => encodeMessage(response);

/** Reads an Invocation. Throws E_INVOCATION naming the field that is wrong. */
export function decodeInvocation(bytes: Uint8Array): Invocation {
  const fields = readFields(bytes, 'invocation', invocationFields);
  const msg = readBytes(fields.msg, 'msg');
  const id = readString(fields.id, 'id');
  // the id names an object of the chunk store: nothing but a plain token may get there
  if (!idPattern.test(id)) throw bad('id is no plain id');
  return {
    origin: readEntity(fields.origin, 'origin'),
    target: readEntity(fields.target, 'target'),
    operation: readString(fields.operation, 'operation'),
    msg,
    id,
    encoded_claims: readString(fields.encoded_claims, 'encoded_claims'),
    host_id: readString(fields.host_id, 'host_id'),
    content_length: readLength(fields.content_length, msg),
    ...(isStringMap(fields.traceContext) ? { traceContext: fields.traceContext } : {}),
  };
}

/** Reads an InvocationResponse. Throws E_INVOCATION. */
export function decodeResponse(bytes: Uint8Array): InvocationResponse {
  const fields = readFields(bytes, 'response', responseFields);
  const msg = fields.msg === undefined || fields.msg === null ? new Uint8Array(0) : readBytes(fields.msg, 'msg');
  return {
    msg,
    invocation_id: readString(fields.invocation_id, 'invocation_id'),
    ...(fields.error === undefined || fields.error === null ? {} : { error: readString(fields.error, 'error') }),
    content_length: readLength(fields.content_length, msg),
  };
}

/** Positions of the fields where a sender wrote an array: the order of the structs of the last 0.x hosts. */
const invocationFields = [
  'origin',
  'target',
  'operation',
  'msg',
  'id',
  'encoded_claims',
  'host_id',
  'content_length',
  'traceContext',
] as const;
const responseFields = ['msg', 'invocation_id', 'error', 'content_length'] as const;
const entityFields = ['public_key', 'link_name', 'contract_id'] as const;

const bad = (what: string): WattleError => new WattleError('E_INVOCATION', `malformed invocation: ${what}`);

function readFields<F extends string>(bytes: Uint8Array, what: string, order: readonly F[]): Fields<F> {
  try {
    return toFields(decodeMessage(bytes), what, order);
  } catch (cause) {
    if (cause instanceof WattleError && cause.code === 'E_INVOCATION') throw cause;
    throw new WattleError('E_INVOCATION', `malformed invocation: ${(cause as Error).message}`, { cause });
  }
}

type Fields<F extends string> = Readonly<Partial<Record<F, unknown>>>;

function toFields<F extends string>(value: unknown, what: string, order: readonly F[]): Fields<F> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) throw bad(`${what} is not a map`);
  if (!Array.isArray(value)) return value as Fields<F>;
  return Object.fromEntries(order.map((name, index) => [name, value[index]])) as Fields<F>;
}

function readEntity(value: unknown, name: string): Entity {
  const fields = toFields(value, name, entityFields);
  return {
    public_key: readString(fields.public_key, `${name}.public_key`),
    contract_id: readString(fields.contract_id ?? '', `${name}.contract_id`),
    link_name: readString(fields.link_name ?? '', `${name}.link_name`),
  };
}

function readString(value: unknown, name: string): string {
  if (typeof value !== 'string') throw bad(`${name} is not a text`);
  return value;
}

const isByte = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;

function readBytes(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value) && value.every(isByte)) return Uint8Array.from(value as number[]);
  throw bad(`${name} is not bytes`);
}

/** OTP and the first Rust providers leave it out: then the body is all there. */
function readLength(value: unknown, msg: Uint8Array): number {
  if (value === undefined || value === null) return msg.length;
  if (!Number.isSafeInteger(value) || (value as number) < msg.length)
    throw bad('content_length is not the length of the body');
  return value as number;
}

function isStringMap(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((entry) => typeof entry === 'string');
}
