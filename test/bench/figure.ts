// One measured value with a stable name.
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export const figure = (name: string, value: number, unit: string): Figure => ({ name, value, unit });

/** The middle of several rounds: one disturbed round changes nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)]!;
}
