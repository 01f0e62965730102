// Fuzz of the section walk and the claims verifier (reliability.md T1): signed seeds are mutated at every level a file has
// (bits, sections, lengths, token, payload, nesting). Whatever comes out, the verifier answers with a WattleError or
// accepts exactly the bytes that were signed.
import { digestOf, verifyModule } from '../../lattice/claims.ts';
import { appendToken, readEmbeddedToken, removeToken } from '../../lattice/embedding.ts';
import { WattleError } from '../../lattice/errors.ts';
import { signModule } from '../../lattice/signing.ts';
import { encodeU32, parseWasm } from '../../lattice/wasm.ts';
import {
  base64url,
  componentPreamble,
  concat,
  createToken,
  custom,
  issuer,
  payloadOf,
  plainComponent,
  plainModule,
  section,
  sectionsOfModule,
  subject,
  tokenSection,
} from './signed-module.ts';

/** Small, fast, and the same everywhere: mulberry32. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
type Random = ReturnType<typeof createRandom>;

/** Unsigned modules of various make; each is signed and mutated. */
function createSeeds(): Uint8Array[] {
  const sections = sectionsOfModule.map(([, bytes]) => bytes);
  const growing = sections.map((_, count) => concat(plainModule.subarray(0, 8), ...sections.slice(0, count)));
  const large = concat(plainModule, custom('filler', new Uint8Array(20_000).fill(7)));
  const deep = concat(componentPreamble, section(4, plainComponent), section(1, plainModule));
  return [...growing, plainModule, plainComponent, large, deep, concat(plainModule, custom('', []), custom('x', [0]))];
}

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array =>
  concat(bytes.subarray(0, at), insert, bytes.subarray(Math.min(bytes.length, at + remove)));

const randomBytes = (random: Random, most: number): Uint8Array =>
  Uint8Array.from({ length: random(most) }, () => random(256));

/** Bytes cut at the sections, or one piece when they cannot be walked. */
function cut(bytes: Uint8Array): Uint8Array[] {
  try {
    const { sections } = parseWasm(bytes, false);
    return [bytes.subarray(0, 8), ...sections.map(({ start, end }) => bytes.subarray(start, end))];
  } catch {
    return [bytes];
  }
}

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const changeSections =
  (change: (parts: Uint8Array[], at: number, random: Random) => void): Mutation =>
  (bytes, random) => {
    const parts = cut(bytes);
    change(parts, random(parts.length), random);
    return concat(...parts);
  };

const tokenOf = (bytes: Uint8Array): string | undefined => {
  try {
    return readEmbeddedToken(bytes)?.text;
  } catch {
    return undefined;
  }
};

const changeToken =
  (change: (token: string, random: Random) => string): Mutation =>
  (bytes, random) => {
    const token = tokenOf(bytes);
    return token === undefined ? bytes : appendToken(removeToken(bytes), change(token, random));
  };

const oddValues: readonly unknown[] = [null, '', 0, -1, 1e308, [], {}, true, '\0', 'A'.repeat(300), [[]], '__proto__'];

function changePayload(token: string, random: Random): string {
  const [head, body, signature] = token.split('.');
  try {
    const payload = JSON.parse(Buffer.from(body ?? '', 'base64url').toString());
    const target = random(2) === 0 ? payload : (payload.wascap ?? payload);
    const names = Object.keys(target);
    target[names[random(names.length)] ?? 'x'] = oddValues[random(oddValues.length)];
    // half of them signed anew: an honest issuer with odd claims
    return random(2) === 0 ? createToken(payload) : `${head}.${base64url(JSON.stringify(payload))}.${signature}`;
  } catch {
    return token;
  }
}

const mutations: readonly Mutation[] = [
  (bytes, random) => {
    const copy = new Uint8Array(bytes);
    if (copy.length > 0) copy[random(copy.length)]! ^= 1 << random(8);
    return copy;
  },
  (bytes, random) => bytes.subarray(0, random(bytes.length + 1)),
  (bytes, random) => bytes.subarray(0, bytes.length - random(Math.min(400, bytes.length))),
  (bytes, random) => splice(bytes, random(bytes.length + 1), random(9), randomBytes(random, 9)),
  (bytes, random) =>
    splice(bytes, random(bytes.length + 1), 0, bytes.subarray(random(bytes.length), random(bytes.length))),
  (bytes, random) =>
    splice(bytes, 8 + random(8), 1, Uint8Array.from([...encodeU32(random(2 ** 31)), 0].slice(0, random(6)))),
  changeSections((parts, at) => parts.splice(at, 1)),
  changeSections((parts, at, random) => parts.splice(random(parts.length), 0, parts[at]!)),
  changeSections((parts, at, random) =>
    parts.push(...parts.splice(at, 1), section(random(14), randomBytes(random, 5))),
  ),
  changeSections((parts, at, random) =>
    parts.splice(at + 1, 0, custom(random(2) ? 'jwt' : 'x', randomBytes(random, 40))),
  ),
  changeSections((parts, at, random) => {
    const padded = parts[at]!;
    if (padded.length > 2) parts[at] = splice(padded, 1, 1, Uint8Array.of(padded[1]! | 0x80, random(2)));
  }),
  changeToken(
    (token, random) =>
      token.slice(0, random(token.length)) + String.fromCharCode(random(300)) + token.slice(random(token.length)),
  ),
  changeToken(changePayload),
  changeToken((token) => token.split('.').reverse().join('.')),
  (bytes) => concat(componentPreamble, section(1, bytes)),
  (bytes) => concat(bytes, tokenSection(tokenOf(bytes) ?? 'x', 'jwt')),
  (bytes) => appendToken(bytes, createToken(payloadOf(bytes))),
];

export interface FuzzResult {
  readonly count: number;
  readonly accepted: number;
  /** How often each code was the answer. */
  readonly codes: Readonly<Record<string, number>>;
  /** Most processor time one input took: the clock on the wall also counts what other programs do. */
  readonly slowestMs: number;
}

/** Runs `count` inputs; throws at the first that breaks a promise, naming what reproduces it. */
export async function fuzzClaims(count: number, seed: number): Promise<FuzzResult> {
  const random = createRandom(seed);
  const unsigned = createSeeds();
  const claims = { name: 'seed', capabilities: ['wasmcloud:keyvalue'], revision: 1 };
  const signed = await Promise.all(unsigned.map((bytes) => signModule(bytes, { issuer, subject, claims })));
  const codes: Record<string, number> = {};
  let accepted = 0;
  let slowestMs = 0;
  for (let index = 0; index < count; index++) {
    let bytes = signed[random(signed.length)]!;
    for (let step = 0; step <= random(3); step++) bytes = mutations[random(mutations.length)]!(bytes, random);
    const started = process.threadCpuUsage();
    const code = await judge(bytes, `input ${index} of seed ${seed}`);
    slowestMs = Math.max(slowestMs, process.threadCpuUsage(started).user / 1000);
    if (code === undefined) accepted++;
    else codes[code] = (codes[code] ?? 0) + 1;
  }
  return { count, accepted, codes, slowestMs };
}

/** The code of the refusal, or undefined when accepted: then the claims must cover every byte but the token. */
async function judge(bytes: Uint8Array, what: string): Promise<string | undefined> {
  try {
    const { digest, claims } = await verifyModule(bytes, { trustedIssuers: new Set([issuer.publicKey]) });
    const token = readEmbeddedToken(bytes)!;
    const covered = appendToken(removeToken(bytes), token.text);
    // a legacy section name is the only other spelling of the same signed file
    const legacy = concat(removeToken(bytes), tokenSection(token.text, 'jwt'));
    const whole = [covered, legacy].some((each) => Buffer.from(each).equals(bytes));
    const stated = JSON.parse(Buffer.from(token.text.split('.')[1]!, 'base64url').toString()).wascap.hash;
    if (!whole || stated !== token.hash || !claims || digest !== digestOf(bytes))
      throw new Error(`${what} was accepted, but its claims do not cover it`);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof WattleError) return thrown.code;
    throw new Error(`${what} broke the verifier: ${base64url(bytes).slice(0, 2000)}`, { cause: thrown });
  }
}
