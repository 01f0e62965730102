#!/usr/bin/env node
// Runs any script of this project with the Node.js it needs: node bin/run.js FILE [ARGUMENT]…
import { resolve } from 'node:path';
import { handOver } from './hand-over.js';

await handOver(resolve(process.argv[2]), process.argv.slice(3));
