// The part of the AssemblyScript compiler's API that the builder uses. Its own types declare `console` and more as globals,
// which would take Node's away from the whole project; tsconfig.json maps the package's types here.
export interface CompilerOptions {
  readFile(name: string, base: string): string | null | Promise<string | null>;
  writeFile(name: string, contents: Uint8Array | string, base: string): void;
}

export interface CompilerResult {
  readonly error: Error | null;
  readonly stderr: { toString(): string };
}

declare const asc: {
  main(words: readonly string[], options: CompilerOptions): Promise<CompilerResult>;
};
export default asc;
