// npm run bench: everything side by side in one run, ratios first. `--json FILE` writes [{name, value, unit}] with stable
// names; `--only PART` runs one part. Absolute figures are this machine's, today; compare ratios.
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measureEngine } from './engine.ts';
import type { Figure } from './figure.ts';
import { measureHttp } from './http.ts';
import { measureLattice } from './lattice.ts';
import { measureSwap } from './swap.ts';

const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
  engine: measureEngine,
  lattice: measureLattice,
  http: measureHttp,
  swap: measureSwap,
};

const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });
if (values.only !== undefined && !Object.hasOwn(parts, values.only)) {
  console.error(`E_USAGE: no part "${values.only}"; there are ${Object.keys(parts).join(', ')}`);
  process.exit(64);
}

const figures: Figure[] = [];
for (const [name, measure] of Object.entries(parts)) {
  if (values.only !== undefined && values.only !== name) continue;
  console.error(`measuring ${name} …`);
  for (const figure of await measure()) {
    figures.push(figure);
    console.log(`${figure.name.padEnd(32)} ${String(Number(figure.value.toPrecision(4))).padStart(12)} ${figure.unit}`);
  }
}
console.log(`\n${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, ${process.platform} ${process.arch}`);
if (values.json) await writeFile(values.json, `${JSON.stringify(figures, null, 1)}\n`);
