// An HTTP provider by itself over real sockets: its actors are functions, asked through the same encoded messages.
import { Agent, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { type HttpRequest, type HttpResponse, handleRequest } from '../../lattice/contracts/http-server.ts';
import { WattleError } from '../../lattice/errors.ts';
import { httpServerProvider } from '../../providers/http-server.ts';
import type { ProviderInstance } from '../../providers/provider.ts';
import { offlineConnection, startProvider } from './provider.ts';

type Answer = Partial<Omit<HttpResponse, 'body'>> & { body?: Uint8Array | string };
/** Bytes are sent as they are. */
export type TestActor = (request: HttpRequest) => Answer | Uint8Array | Promise<Answer | Uint8Array>;

const encode = (answer: Answer | Uint8Array): Uint8Array => {
  if (answer instanceof Uint8Array) return answer;
  const { statusCode = 200, header = [], body = '' } = answer;
  return handleRequest.response.encode({
    statusCode,
    header,
    body: typeof body === 'string' ? Buffer.from(body) : body,
  });
};

/** Starts a provider whose actors are these, by id. */
export const startHttpProvider = (
  actors: Readonly<Record<string, TestActor>>,
  config: Readonly<Record<string, string>> = {},
): Promise<ProviderInstance> =>
  startProvider(httpServerProvider, {
    connection: offlineConnection('test'),
    config,
    invoke: async (actorId, _linkName, operation, payload) => {
      const actor = actors[actorId];
      if (!actor || operation !== handleRequest.name) throw new WattleError('E_NO_TARGET', `no actor ${actorId}`);
      return encode(await actor(handleRequest.request.decode(payload)));
    },
  });

/** The port a link of the provider listens on. */
export const portOf = (provider: ProviderInstance, actorId: string): number =>
  Number(new URL(provider.describe!()[`${actorId}/default`]!.split(' ')[0]!).port);

export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export interface Sent {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
}

/** One request on a connection of its own, or of the agent given. */
export const send = ({ port, path = '/', method = 'GET', headers = {}, body, agent }: Sent): Promise<Received> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: agent ?? new Agent() };
    const request = sendRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });

/** Sends bytes as they are and gives all that comes back until the server closes. */
export const sendRaw = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
