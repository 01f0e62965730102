// The answer of the last host call of a call: response or error, kept until the guest fetches it.
import type { Span } from '../builtins.ts';

const firstBytes = 256;
const keptBytes = 1024 * 1024;

export class HostAnswer {
  bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  #length = 0;
  #succeeded = true;

  set(succeeded: boolean, { bytes, start, end }: Span): void {
    const length = end - start;
    if (length > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(length);
    bytes.copy(this.bytes, 0, start, end);
    this.#length = length;
    this.#succeeded = succeeded;
  }

  clear(): void {
    if (this.bytes.length > keptBytes) this.bytes = Buffer.allocUnsafeSlow(firstBytes);
    this.#length = 0;
    this.#succeeded = true;
  }

  /** Its length if the host call ended that way, else 0. */
  lengthIf(succeeded: boolean): number {
    return this.#succeeded === succeeded ? this.#length : 0;
  }

  /** Empty when the last host call succeeded. */
  get errorText(): string {
    return this.#succeeded ? '' : this.bytes.toString('utf8', 0, this.#length);
  }
}
