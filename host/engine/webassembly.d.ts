// The part of V8's WebAssembly interface the engine uses, JavaScript Promise Integration included: Node's own types leave
// it out, and those for browsers bring the whole DOM along.
declare namespace WebAssembly {
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module, imports: Imports);
    /** Has no prototype; holds functions, memories, globals and tables under the guest's names. */
    readonly exports: Readonly<Record<string, unknown>>;
  }
  class Memory {
    constructor(options: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Global {
    value: unknown;
  }
  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}
  /** Wraps an import: a promise it returns suspends the calling wasm stack. */
  class Suspending {
    constructor(implementation: (...numbers: number[]) => number | Promise<number>);
  }
  /** Wraps an export so that what it calls may suspend. */
  function promising(exported: (...numbers: number[]) => number): (...numbers: number[]) => Promise<number>;
  function compile(bytes: Uint8Array): Promise<Module>;
}
