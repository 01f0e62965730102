// What a guest prints, cut into lines and bounded: so many bytes a second, so many a line. What does not fit is counted
// and said with the next line that does, so that a flood can neither fill a disk nor pass unseen.
import type { LogLevel } from './frames.ts';

const bytesPerSecond = 64 * 1024;
const burstBytes = 256 * 1024;
const lineBytes = 8 * 1024;
const saidEveryMs = 1000;

export class LogLines {
  readonly #write: (level: LogLevel, text: string) => void;
  #allowance = burstBytes;
  #since = performance.now();
  #droppedBytes = 0;
  #saidAt = -saidEveryMs;

  constructor(write: (level: LogLevel, text: string) => void) {
    this.#write = write;
  }

  /** One message of the guest, `bytes` from `start` to `end`; each line of it becomes a line of the log. */
  add(level: LogLevel, bytes: Buffer, start: number, end: number): void {
    if (!this.#take(end - start)) return;
    this.#sayDropped();
    const text = bytes.toString('utf8', start, Math.min(end, start + burstBytes));
    for (const line of text.split(/\r?\n/)) if (line !== '') this.#write(level, cut(line));
  }

  #sayDropped(): void {
    const now = performance.now();
    if (this.#droppedBytes === 0 || now - this.#saidAt < saidEveryMs) return;
    this.#saidAt = now;
    this.#write(
      'warn',
      `${this.#droppedBytes} bytes of log were dropped: the actor prints more than ${bytesPerSecond} a second`,
    );
    this.#droppedBytes = 0;
  }

  #take(bytes: number): boolean {
    const now = performance.now();
    this.#allowance = Math.min(burstBytes, this.#allowance + ((now - this.#since) / 1000) * bytesPerSecond);
    this.#since = now;
    // an empty line costs too: a flood of those is a flood
    const cost = bytes + 16;
    if (cost > this.#allowance) {
      this.#droppedBytes += bytes;
      return false;
    }
    this.#allowance -= cost;
    return true;
  }
}

const cut = (line: string): string =>
  line.length <= lineBytes ? line : `${line.slice(0, lineBytes)}… (${line.length} characters)`;
