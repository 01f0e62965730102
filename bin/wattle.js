#!/usr/bin/env node
// The launcher: finds a Node.js that can run the rest, then hands over to cli/main.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { handOver } from './hand-over.js';

// A checkout runs the TypeScript as it is; a packed tarball carries JavaScript, as Node strips no types in node_modules.
const source = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
await handOver(existsSync(source) ? source : built, process.argv.slice(2));
