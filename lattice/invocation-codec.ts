// All a host does to a call that crosses the lattice, in one place: sign, chunk and encode on the way out; decode,
// verify and fetch on the way in. The four functions mirror the four messages of a call.
import { type InvocationDraft, signInvocation, verifyOrigin } from './antiforgery.ts';
import { ChunkStore, chunkThresholdBytes, responseName } from './chunks.ts';
import type { LatticeConnection } from './connection.ts';
import { formatError, parseError, WattleError } from './errors.ts';
import { decodeInvocation, decodeResponse, encodeInvocation, encodeResponse, type Invocation } from './invocation.ts';
import type { KeyPair } from './nkeys.ts';

export interface InvocationCodecOptions {
  readonly connection: LatticeConnection;
  /** Key of this host (N…). */
  readonly hostId: string;
  readonly clusterKey: KeyPair;
  /** Cluster keys whose invocations are accepted; our own must be among them. */
  readonly issuers: ReadonlySet<string>;
  /** Longest body accepted, in bytes. */
  readonly maxBodyBytes: number;
}

export interface InvocationCodec {
  /** A call as it is sent. `chunked` calls take `chunkTimeoutMs` longer. Throws E_TOO_LARGE, E_LATTICE. */
  encodeCall(
    draft: InvocationDraft,
  ): Promise<{ readonly id: string; readonly chunked: boolean; readonly data: Uint8Array }>;
  /** A call as it was received: verified, its whole body in `msg`. Throws E_INVOCATION, E_FORGED, E_TOO_LARGE, E_LATTICE. */
  decodeCall(data: Uint8Array): Promise<Invocation>;
  /** The answer to a call: its body, or why it failed. */
  encodeAnswer(invocationId: string, answer: Uint8Array | WattleError): Promise<Uint8Array>;
  /** The body of an answer; rejects with the error it carries (E_ACTOR_ERROR when it names no code of ours). */
  decodeAnswer(invocationId: string, data: Uint8Array): Promise<Uint8Array>;
}

const none = new Uint8Array(0);

export function createInvocationCodec(options: InvocationCodecOptions): InvocationCodec {
  const chunks = new ChunkStore(options.connection);
  const checkLength = (length: number): void => {
    if (length > options.maxBodyBytes)
      throw new WattleError('E_TOO_LARGE', `a body has ${length} bytes, at most ${options.maxBodyBytes}`);
  };
  return {
    async encodeCall(draft) {
      checkLength(draft.payload.length);
      const invocation = await signInvocation(draft, options);
      const chunked = draft.payload.length > chunkThresholdBytes;
      if (chunked) await chunks.write(invocation.id, draft.payload);
      return {
        id: invocation.id,
        chunked,
        data: encodeInvocation(chunked ? { ...invocation, msg: none } : invocation),
      };
    },

    async decodeCall(data) {
      const invocation = decodeInvocation(data);
      checkLength(invocation.content_length);
      const checkBody = await verifyOrigin(invocation, options.issuers);
      const msg = await readBody(chunks, invocation.id, invocation);
      checkBody(msg);
      return { ...invocation, msg };
    },

    async encodeAnswer(invocationId, answer) {
      const head = { msg: none, invocation_id: invocationId, content_length: 0 };
      if (answer instanceof WattleError) return encodeResponse({ ...head, error: formatError(answer) });
      const chunked = answer.length > chunkThresholdBytes;
      if (chunked) await chunks.write(responseName(invocationId), answer);
      return encodeResponse({ ...head, msg: chunked ? none : answer, content_length: answer.length });
    },

    async decodeAnswer(invocationId, data) {
      const response = decodeResponse(data);
      if (response.error !== undefined) throw parseError(response.error);
      if (response.invocation_id !== invocationId)
        throw new WattleError('E_INVOCATION', `the answer to ${invocationId} is that to ${response.invocation_id}`);
      checkLength(response.content_length);
      return readBody(chunks, responseName(invocationId), response);
    },
  };
}

/** A body that is shorter than its length stands in the chunk store. */
async function readBody(
  chunks: ChunkStore,
  name: string,
  message: { readonly msg: Uint8Array; readonly content_length: number },
): Promise<Uint8Array> {
  return message.content_length > message.msg.length ? chunks.take(name, message.content_length) : message.msg;
}
