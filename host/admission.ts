// Walks a wasm binary before anyone compiles it: limits, features, names, imports and exports. Compiling is what a small
// hostile file makes expensive (reliability.md 4), so all that is refused is refused here, from the bytes alone.
import { WattleError } from '../lattice/errors.ts';
import { admissionLimits } from './engine/limits.ts';
import {
  type FunctionType,
  i32,
  overLimit,
  parseModule,
  v128,
  type WasmImport,
  type WasmModule,
} from './engine/wasm-module.ts';

/** What admission learned of a module. */
export interface ModuleReport {
  readonly abi: 'wapc';
  /** `module.name` of each import. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  readonly mutableGlobals: number;
  /** True when putting back memory and globals undoes all a call does; else every call gets a new instance. */
  readonly resettable: boolean;
  readonly initialPages: number;
  /** True when it can call capabilities or other actors. */
  readonly callsHost: boolean;
}

/** Names end up in messages, logs and stack traces: nothing but these, anywhere. */
const nameAlphabet = /^[A-Za-z0-9_\-.:/@#$[\]<>+ ]+$/;

function checkName(what: string, name: string): void {
  if (name.length > admissionLimits.nameBytes)
    throw overLimit(`bytes in the name of ${what}`, name.length, admissionLimits.nameBytes);
  if (!nameAlphabet.test(name))
    throw new WattleError(
      'E_WASM_MALFORMED',
      `${what} has a name that is not allowed: ${JSON.stringify(name.slice(0, 80))}`,
    );
}

const signature = (params: number, results: number): FunctionType => ({
  params: Array(params).fill(i32),
  results: Array(results).fill(i32),
});

/** The functions of protocol.md 7.1; several signatures where generations differ. */
const guestImports: Readonly<Record<string, readonly FunctionType[]>> = {
  __guest_request: [signature(2, 0)],
  __guest_response: [signature(2, 0)],
  __guest_error: [signature(2, 0)],
  __host_call: [signature(8, 1), signature(6, 1), signature(4, 1)],
  __host_response_len: [signature(0, 1)],
  __host_response: [signature(1, 0)],
  __host_error_len: [signature(0, 1)],
  __host_error: [signature(1, 0)],
  __console_log: [signature(2, 0)],
};

const wasiNames = new Set(
  `args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close
  fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
  fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync
  fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink
  path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise random_get sched_yield
  sock_accept sock_recv sock_send sock_shutdown`.split(/\s+/),
);
const envNames = new Set(['abort', 'seed', 'trace']);
const wasiModules = new Set(['wasi_snapshot_preview1', 'wasi_unstable', 'wasi']);

const sameType = (a: FunctionType, b: FunctionType): boolean =>
  a.params.join() === b.params.join() && a.results.join() === b.results.join();

function checkImport(one: WasmImport): void {
  const label = `${one.module}.${one.name}`;
  const refuse = (why: string): WattleError => new WattleError('E_WASM_IMPORT', `the module imports ${label}: ${why}`);
  if (one.kind !== 'function') throw refuse(`a ${one.kind} cannot be imported`);
  if (wasiModules.has(one.module)) {
    if (!wasiNames.has(one.name)) throw refuse('WASI preview 1 has no such function');
  } else if (one.module === 'env') {
    if (!envNames.has(one.name)) throw refuse('of env only abort, seed and trace are offered');
  } else if (one.module === 'wasmbus' || one.module === 'wapc') {
    const types = Object.hasOwn(guestImports, one.name) ? guestImports[one.name]! : [];
    if (types.length === 0) throw refuse('waPC has no such function');
    if (!types.some((type) => sameType(type, one.type!))) throw refuse('it does not have the waPC signature');
  } else throw refuse('only wasmbus, wapc, WASI preview 1 and env are offered');
}

function checkExports(module: WasmModule): void {
  const missing = (what: string): WattleError =>
    new WattleError('E_WASM_EXPORT', `the module exports no ${what}, so it is not a waPC (wasmbus) actor`);
  const call = module.exports.find((one) => one.name === '__guest_call');
  if (call?.kind !== 'function') throw missing('function __guest_call');
  const type = module.functions[call.index];
  if (!type || !sameType(type, signature(2, 1)))
    throw new WattleError('E_WASM_EXPORT', 'the export __guest_call does not take (i32, i32) and return i32');
  if (module.exports.find((one) => one.name === 'memory')?.kind !== 'memory' || !module.memory) throw missing('memory');
}

/**
 * Refuses what must not be compiled: E_WASM_MALFORMED, E_WASM_LIMIT, E_WASM_FEATURE, E_WASM_IMPORT, E_WASM_EXPORT,
 * E_WASM_KIND. Time grows with the file only.
 */
export function admitModule(bytes: Uint8Array): ModuleReport {
  const module = parseModule(bytes);
  for (const section of module.sections) if (section.id === 0) checkName('a custom section', section.name ?? '');
  for (const one of module.imports) {
    checkName('an import', one.module);
    checkName('an import', one.name);
  }
  for (const one of module.exports) checkName('an export', one.name);
  for (const one of module.imports) checkImport(one);
  checkExports(module);
  const mutable = module.globals.filter((one) => one.mutable);
  return {
    abi: 'wapc',
    imports: module.imports.map((one) => `${one.module}.${one.name}`),
    exports: module.exports.map((one) => one.name),
    mutableGlobals: mutable.length,
    resettable: !module.code.changesTables && !mutable.some((one) => one.type === v128),
    initialPages: module.memory!.initialPages,
    callsHost: module.imports.some((one) => one.name === '__host_call'),
  };
}
