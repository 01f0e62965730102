// Structured logs on stderr: JSON lines, or one readable line each when a person watches. Seeds are redacted wherever
// they stand in a text.
import pino from 'pino';

export type Log = pino.Logger;

/** Any seed (S + type, 58 characters) or private key: never printed, whatever carried it here. */
const seedPattern = /\bS[ACMNOUVX][A-Z2-7]{56}\b|\bP[A-Z2-7]{90,}\b/g;
export const redact = (text: string): string => text.replace(seedPattern, '[redacted seed]');

const levels: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

function readable(line: string): string {
  const { level, time, msg, pid: _pid, hostname: _hostname, part, ...rest } = JSON.parse(line);
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const clock = new Date(time).toISOString().slice(11, 23);
  return `${clock} ${(levels[level] ?? '').padEnd(5)} ${part ? `${part}: ` : ''}${msg ?? ''}${facts.length ? ` (${facts.join(' ')})` : ''}\n`;
}

/** Starts a logger. `part` names the room that speaks (host, wadm, cell …). */
export function createLog(level: string, part: string, terminal: boolean = process.stderr.isTTY === true): Log {
  const write = (line: string): void => {
    const clean = redact(line);
    process.stderr.write(terminal ? readable(clean) : clean);
  };
  return pino({ level, base: null }, { write }).child({ part });
}
