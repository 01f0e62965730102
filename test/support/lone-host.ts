// A process with one cell in which a guest loops without end; prints the cell's process id. A test kills it.
import { startCells } from './cells.ts';
import { loopActor } from './wat.ts';

const test = await startCells();
const actor = await test.open({ wasm: loopActor() });
void actor.call('', 60_000);
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(String((await test.cells.pids())[0]));
