// Where a token stands in a WebAssembly file, and which bytes its hash covers: one custom section, top level, last, and
// everything before it. Facts: protocol.md 1.3, 1.4; attacks: reliability.md 2.7.
import { createHash } from 'node:crypto';
import { WattleError } from './errors.ts';
import { encodeU32, malformed, parseWasm, type WasmFile, type WasmSection } from './wasm.ts';

/** Largest module read, before anything looks into it. */
export const maxModuleBytes = 16 * 1024 * 1024;

/** Written since wascap 0.9, and before. */
export const tokenSectionName = 'wasmcloud_jwt';
const tokenSectionNames: readonly (string | undefined)[] = [tokenSectionName, 'jwt'];

const isToken = (section: WasmSection): boolean => tokenSectionNames.includes(section.name);

export interface EmbeddedToken {
  readonly text: string;
  /** Upper-case hex SHA-256 of all bytes before the token section: all of the file but the token. */
  readonly hash: string;
}

/** Upper-case hex SHA-256, as wascap writes it. */
export const upperHash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').toUpperCase();

/** Throws E_WASM_LIMIT. */
export function checkSize(bytes: Uint8Array): void {
  if (bytes.length > maxModuleBytes)
    throw new WattleError('E_WASM_LIMIT', `the module has ${bytes.length} bytes, at most ${maxModuleBytes}`);
}

/**
 * The token of a module, or undefined when it has none anywhere. Throws E_WASM_LIMIT, E_WASM_MALFORMED, E_SIG_DUPLICATE,
 * E_SIG_NESTED, E_SIG_POSITION.
 */
export function readEmbeddedToken(bytes: Uint8Array): EmbeddedToken | undefined {
  checkSize(bytes);
  const file = parseWasm(bytes);
  refuseNested(bytes, file, 0);
  const tokens = file.sections.filter(isToken);
  const section = tokens[0];
  if (!section) return undefined;
  if (tokens.length > 1)
    throw new WattleError('E_SIG_DUPLICATE', `the module carries ${tokens.length} claims sections, not one`);
  if (section !== file.sections.at(-1))
    throw new WattleError('E_SIG_POSITION', 'the module has sections after its claims, which no signature covers');
  checkCanonical(section);
  return { text: readText(bytes, section), hash: upperHash(bytes.subarray(0, section.start)) };
}

/** The section itself is not covered by the hash, so its name must have its only spelling. */
function checkCanonical(section: WasmSection): void {
  const name = section.name!;
  if (section.dataStart! - section.bodyStart !== encodeU32(name.length).length + name.length)
    throw malformed('the length of the name of the claims section is not minimally encoded', section.bodyStart);
}

function readText(bytes: Uint8Array, section: WasmSection): string {
  const data = bytes.subarray(section.dataStart!, section.end);
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
  return text;
}

/** Component sections that hold whole files: a core module (1), a component (4). */
const nestedSectionIds: readonly number[] = [1, 4];
/** Real components nest 2 deep. */
const maxNesting = 16;

/** upstream reads claims sections at any depth and leaves their bytes out of the hash: here they are refused. */
function refuseNested(bytes: Uint8Array, file: WasmFile, depth: number): void {
  if (file.kind === 'module') return;
  if (depth > maxNesting) throw new WattleError('E_WASM_LIMIT', `components are nested more than ${maxNesting} deep`);
  for (const section of file.sections) {
    if (!nestedSectionIds.includes(section.id)) continue;
    const inner = bytes.subarray(section.bodyStart, section.end);
    const nested = parseWasm(inner, false);
    if (nested.sections.some(isToken))
      throw new WattleError('E_SIG_NESTED', `a nested ${nested.kind} at byte ${section.start} carries claims`);
    refuseNested(inner, nested, depth + 1);
  }
}

/**
 * The file without any top-level token, section lengths written minimally: what a token's hash is made of. Throws
 * E_WASM_LIMIT, E_WASM_MALFORMED, E_SIG_NESTED.
 */
export function removeToken(bytes: Uint8Array): Uint8Array {
  checkSize(bytes);
  const file = parseWasm(bytes, false);
  refuseNested(bytes, file, 0);
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (const section of file.sections) {
    if (isToken(section)) continue;
    const length = section.end - section.bodyStart;
    parts.push(Uint8Array.of(section.id, ...encodeU32(length)), bytes.subarray(section.bodyStart, section.end));
  }
  return Buffer.concat(parts);
}

/** Appends the token section to a file that has none. */
export function appendToken(bytes: Uint8Array, token: string): Uint8Array {
  const name = Buffer.from(tokenSectionName);
  const body = Buffer.concat([Uint8Array.from(encodeU32(name.length)), name, Buffer.from(token)]);
  return new Uint8Array(Buffer.concat([bytes, Uint8Array.of(0, ...encodeU32(body.length)), body]));
}
