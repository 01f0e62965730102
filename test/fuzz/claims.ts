// Fuzzes the claims verifier for as long as one likes: node bin/run.js test/fuzz/claims.ts [COUNT] [SEED]. Prints what came
// of it; a seed repeats a run exactly.
import { fuzzClaims } from '../support/mutated-modules.ts';

const count = Number(process.argv[2] ?? 200_000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 32);
const started = performance.now();
const result = await fuzzClaims(count, seed);
const seconds = (performance.now() - started) / 1000;
const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
console.log(JSON.stringify({ seed, ...result, seconds, rssMb }, null, 2));
