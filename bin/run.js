#!/usr/bin/env node
// Runs any script of this project with the Node.js it needs: node bin/run.js FILE [ARGUMENT]…
import { resolve } from 'node:path';
import { handOver } from './hand-over.js';

const [file, ...args] = process.argv.slice(2);
if (!file) {
  console.error('E_USAGE: name a file: node bin/run.js FILE [ARGUMENT]…');
  process.exit(64);
}
await handOver(resolve(file), args);
