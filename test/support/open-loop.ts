// An open-loop HTTP load: arrival times are fixed in advance and latency counts from the intended time, so a stall of the
// server is seen and not politely waited for. Every request has an id in its path; what came back is kept per id.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadOptions {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Path of request number `index`; defaults to `/INDEX`. */
  path?(index: number): string;
  readonly connections?: number;
}

export interface LoadAnswer {
  readonly index: number;
  /** HTTP status, or 0 when the connection failed. */
  readonly status: number;
  readonly body: string;
  /** The actor's `x-version`, empty when it gave none. */
  readonly version: string;
  /** When it really left (performance.now()). */
  readonly sentAt: number;
  /** From the intended arrival time to the last byte. */
  readonly latencyMs: number;
}

function send(agent: Agent, url: string, index: number, dueAt: number): Promise<LoadAnswer> {
  return new Promise((resolve) => {
    const sentAt = performance.now();
    const done = (status: number, body: string, version = ''): void =>
      resolve({ index, status, body, version, sentAt, latencyMs: performance.now() - dueAt });
    const outgoing = request(url, { agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => done(response.statusCode ?? 0, body, String(response.headers['x-version'] ?? '')));
      response.on('error', (error) => done(0, error.message));
    });
    outgoing.on('error', (error) => done(0, error.message));
    outgoing.end();
  });
}

/** Sends the whole load and resolves with one answer for every request sent, in order of arrival. */
export async function runOpenLoop(options: LoadOptions): Promise<LoadAnswer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections ?? 64 });
  const total = Math.floor(options.perSecond * options.seconds);
  const path = options.path ?? ((index) => `/${index}`);
  const answers: Promise<LoadAnswer>[] = [];
  const startedAt = performance.now();
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * options.perSecond) + 1);
    while (answers.length < due) {
      const index = answers.length;
      answers.push(send(agent, options.url + path(index), index, startedAt + (index / options.perSecond) * 1000));
    }
    await sleep(1);
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

/** Latency below which the share `quantile` of the answers lie. */
export function latencyAt(answers: readonly LoadAnswer[], quantile: number): number {
  const sorted = answers.map((answer) => answer.latencyMs).sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0;
}
