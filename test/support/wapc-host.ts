// The smallest waPC host: one module, one call after the other, host calls answered by a function. For tests of guests
// alone; the host that serves calls is host/engine.

export interface HostCall {
  /** Link name of a call to a capability, empty for a call to an actor. */
  readonly binding: string;
  readonly namespace: string;
  readonly operation: string;
  readonly payload: Uint8Array;
}

/** Answers a host call; what it throws is the error the guest gets. */
export type AnswerHostCall = (call: HostCall) => Uint8Array;

export interface Guest {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Lines of `__console_log`. */
  readonly lines: readonly string[];
  /** The answer; throws Error with the text of the guest error, or the trap. */
  call(operation: string, payload?: Uint8Array): Uint8Array;
}

const refuseCall: AnswerHostCall = ({ operation }) => {
  throw new Error(`nobody answers ${operation}`);
};

/** An instance of the module. Every guest is fresh: memory is not put back between calls. */
export function startGuest(bytes: Uint8Array, answer: AnswerHostCall = refuseCall): Guest {
  const encoder = new TextEncoder();
  const lines: string[] = [];
  let request = { operation: new Uint8Array(0), payload: new Uint8Array(0) };
  let response = new Uint8Array(0);
  let guestError = '';
  let hostResponse = new Uint8Array(0);
  let hostError = new Uint8Array(0);
  const copy = (start: number, length: number) => new Uint8Array(memory.buffer).slice(start, start + length);
  const text = (start: number, length: number) => new TextDecoder().decode(copy(start, length));
  const write = (start: number, content: Uint8Array) => new Uint8Array(memory.buffer).set(content, start);
  const wasmbus = {
    __guest_request: (operation: number, payload: number) => {
      write(operation, request.operation);
      write(payload, request.payload);
    },
    __guest_response: (start: number, length: number) => {
      response = copy(start, length);
    },
    __guest_error: (start: number, length: number) => {
      guestError = text(start, length);
    },
    __host_call: (
      ...[b, bl, n, nl, o, ol, p, pl]: [number, number, number, number, number, number, number, number]
    ) => {
      try {
        const call = { binding: text(b, bl), namespace: text(n, nl), operation: text(o, ol), payload: copy(p, pl) };
        hostResponse = new Uint8Array(answer(call));
        return 1;
      } catch (thrown) {
        hostError = encoder.encode((thrown as Error).message);
        return 0;
      }
    },
    __host_response_len: () => hostResponse.length,
    __host_response: (start: number) => write(start, hostResponse),
    __host_error_len: () => hostError.length,
    __host_error: (start: number) => write(start, hostError),
    __console_log: (start: number, length: number) => void lines.push(text(start, length)),
  };
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { wasmbus });
  const memory = exports.memory as WebAssembly.Memory;
  const guestCall = exports.__guest_call as (operationLength: number, payloadLength: number) => number;
  const call = (operation: string, payload: Uint8Array = new Uint8Array(0)): Uint8Array => {
    request = { operation: encoder.encode(operation), payload: new Uint8Array(payload) };
    if (guestCall(request.operation.length, payload.length) !== 1) throw new Error(guestError);
    return response;
  };
  return { module, memory, lines, call };
}
