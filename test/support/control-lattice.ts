// A lattice seen from outside: raw requests on subjects spelled out by the test, and every event that was published. It
// knows nothing of our subject table on purpose: what it spells is what other tools send.
import { LatticeConnection } from '../../lattice/connection.ts';
import { eventually } from './eventually.ts';
import { startNats, type TestNats } from './nats.ts';
import { startTemporaryDirectory } from './temporary.ts';

export interface Envelope {
  readonly success: boolean;
  readonly message: string;
  readonly response?: unknown;
  readonly code?: string;
}

export interface SeenEvent {
  readonly subject: string;
  readonly type: string;
  readonly source: string;
  readonly data: Record<string, unknown>;
  readonly [key: string]: unknown;
}

export interface ControlLattice extends AsyncDisposable {
  readonly nats: TestNats;
  readonly connection: LatticeConnection;
  /** For modules. */
  readonly directory: string;
  readonly lattice: string;
  /** One reply to `wasmbus.ctl.v1.{lattice}.{suffix}`; a body that is no text or bytes is sent as JSON. */
  ask(suffix: string, body?: unknown): Promise<Envelope>;
  /** All replies that come within a window. */
  askAll(suffix: string, body?: unknown): Promise<Envelope[]>;
  /** Everything published under `wasmbus.evt.{lattice}`, in order. */
  readonly events: readonly SeenEvent[];
  /** The first event of this name, after `from` of them, that `wanted` takes. */
  event(name: string, wanted?: (event: SeenEvent) => boolean, from?: number): Promise<SeenEvent>;
}

const bodyOf = (body: unknown): string | Uint8Array =>
  body === undefined ? '' : typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);

export async function startControlLattice(): Promise<ControlLattice> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await startTemporaryDirectory());
  const nats = stack.use(await startNats());
  const connection = stack.use(await LatticeConnection.start(nats.connection));
  const { lattice } = nats.connection;
  const events: SeenEvent[] = [];
  connection.nats.subscribe(`wasmbus.evt.${lattice}.>`, {
    callback: (_error, message) => {
      events.push({ ...(message.json() as SeenEvent), subject: message.subject });
    },
  });
  await connection.nats.flush();
  const subjectOf = (suffix: string): string => `wasmbus.ctl.v1.${lattice}.${suffix}`;
  const children = stack.move();
  return {
    nats,
    connection,
    directory: directory.path,
    lattice,
    events,
    async ask(suffix, body) {
      return (await connection.nats.request(subjectOf(suffix), bodyOf(body), { timeout: 5000 })).json();
    },
    async askAll(suffix, body) {
      const replies: Envelope[] = [];
      const window = { strategy: 'timer', maxWait: 400 } as const;
      for await (const reply of await connection.nats.requestMany(subjectOf(suffix), bodyOf(body), window))
        replies.push(reply.json());
      return replies;
    },
    event: (name, wanted = () => true, from = 0) =>
      eventually(
        () => events.slice(from).find((event) => event.type === `com.wasmcloud.lattice.${name}` && wanted(event)),
        { what: `event ${name}` },
      ).catch((error: Error) => {
        const others = events.slice(from).filter(({ type }) => !type.endsWith('heartbeat'));
        const seen = others.map(({ type, data }) => `${type} ${data.error ?? JSON.stringify(data)}`);
        throw new Error(`${error.message}; the last were:\n${seen.slice(-5).join('\n')}`);
      }),
    [Symbol.asyncDispose]: () => children.disposeAsync(),
  };
}
