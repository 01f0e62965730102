// Entry of the command line. The compile cache is on before anything of weight loads, also when no launcher did that.
import { enableCompileCache } from 'node:module';

enableCompileCache();

// the reader of a pipe may leave early: `wattle app list | head -1`
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

const { runProgram } = await import('./program.ts');
await runProgram(process.argv.slice(2));
