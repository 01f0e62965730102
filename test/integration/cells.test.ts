// Actors in real cells: calls and host calls, every way to stop code that does not stop, modules that eat what there is,
// and what their neighbours notice of it (stop suite T4, resource suite T5, ABI abuse T8 of the test plan).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { deadlineGraceMs } from '../../host/engine/limits.ts';
import { startCells, type TestActor, textOf } from '../support/cells.ts';
import { eventually } from '../support/eventually.ts';
import { actor, countActor, echoActor, loopActor, relayActor } from '../support/wat.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Answers promptly: its cell is well. */
const isWell = async (neighbour: TestActor): Promise<void> => {
  const start = performance.now();
  expect(await neighbour.call('well')).toBe('well');
  expect(performance.now() - start).toBeLessThan(1000);
};

describe('an isolate', () => {
  it('answers calls, alone and many at once, each in its own state', async () => {
    await using test = await startCells();
    const echo = await test.open({ wasm: echoActor() });
    const count = await test.open({ wasm: countActor(), actorId: 'count' });
    expect(await echo.call('hello')).toBe('hello');
    const payloads = Array.from({ length: 900 }, (_, index) => `${index} ${'x'.repeat(index)}`);
    expect(await Promise.all(payloads.map((payload) => echo.call(payload)))).toEqual(payloads);
    const counts = await Promise.all(payloads.map(() => count.call()));
    expect(new Set(counts)).toEqual(new Set(['\x01\x01']));
    expect(echo.isolate.inFlight).toBe(0);
  });

  it('carries large messages both ways', async () => {
    await using test = await startCells();
    const echo = await test.open({
      wasm: actor({
        memory: '100',
        call: '(call $request (i32.const 1024) (i32.const 4096)) (call $respond (i32.const 4096) (local.get $len)) (i32.const 1)',
      }),
    });
    const large = 'y'.repeat(5_000_000);
    expect((await echo.call(large)) === large).toBe(true);
    const huge = await echo.isolate.call('Test.Run', new Uint8Array(17 << 20), 5000).catch(textOf);
    expect(huge).toMatch(/^E_TOO_LARGE/);
  });

  it('waits for host calls without holding others up', async () => {
    await using test = await startCells();
    let waiting = 0;
    const most: number[] = [];
    const relay = await test.open({
      wasm: relayActor(),
      maxInstances: 200,
      answer: async ({ binding, namespace, operation, payload }) => {
        most.push(++waiting);
        await new Promise((resolve) => setTimeout(resolve, 30));
        waiting--;
        return Buffer.from(`${binding} ${namespace} ${operation} ${Buffer.from(payload)}`);
      },
    });
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => relay.call(String(index))));
    expect(answers[7]).toBe('default test:contract Test.Relay 7');
    expect(new Set(answers).size).toBe(500);
    expect(Math.max(...most)).toBe(200);
    const failing = await test.open({ wasm: relayActor(), answer: () => Promise.reject(new Error('no store')) });
    expect(await failing.call()).toBe('E_ACTOR_ERROR E_INTERNAL: no store');
  });

  it('refuses more calls than it may hold, and drains', async () => {
    await using test = await startCells();
    const gate = Promise.withResolvers<Uint8Array>();
    const relay = await test.open({ wasm: relayActor(), maxInFlight: 3, answer: () => gate.promise });
    const calls = Array.from({ length: 4 }, () => relay.call());
    expect(await calls[3]).toMatch(/^E_OVERLOAD test: 3 calls in flight/);
    expect(await relay.isolate.drain(30)).toBe(3);
    gate.resolve(Buffer.from('done'));
    expect(await relay.isolate.drain(5000)).toBe(0);
    expect(await calls[0]).toBe('done');
  });

  it('logs what its guest prints', async () => {
    await using test = await startCells();
    const printing = await test.open({
      wasm: actor({
        host: true,
        fields: '(data (i32.const 0) "one\\ntwo")',
        call: '(call $log (i32.const 0) (i32.const 7)) (i32.const 1)',
      }),
    });
    await printing.call();
    await eventually(() => printing.logged.length === 2);
    expect(printing.logged).toEqual(['info one', 'info two']);
  });

  it('that was disposed of answers what is in flight with E_ACTOR_STOPPED and leaves no process', async () => {
    await using test = await startCells();
    const relay = await test.open({ wasm: relayActor(), answer: () => new Promise<never>(() => undefined) });
    const [pid] = await test.cells.pids();
    const call = relay.call();
    await relay.isolate[Symbol.asyncDispose]();
    expect(await call).toMatch(/^E_ACTOR_STOPPED/);
    expect(await relay.call()).toMatch(/^E_NOT_STARTED/);
    expect(relay.exits).toEqual([]);
    await eventually(() => !isAlive(pid!));
  });
});

describe('opening an isolate', () => {
  it.each([
    ['E_WASM_MALFORMED', actor({ call: '(f32.const 1)' })],
    ['E_WASM_START', actor({ fields: '(func (export "wapc_init") unreachable)', call: '(i32.const 1)' })],
    ['E_WASM_START', actor({ fields: '(func $s unreachable) (start $s)', call: '(i32.const 1)' })],
    ['E_ACTOR_MEMORY', actor({ memory: '300', call: '(i32.const 1)' })],
    ['E_ACTOR_DEADLINE', actor({ fields: '(func $s (loop $l (br $l))) (start $s)', call: '(i32.const 1)' })],
  ])('fails with %s and changes nothing else', async (code, wasm) => {
    await using test = await startCells();
    const neighbour = await test.open({ wasm: echoActor() });
    expect(await test.open({ wasm, actorId: 'bad' }).then(() => 'opened', textOf)).toMatch(new RegExp(`^${code} `));
    await isWell(neighbour);
  });
});

const suspended = (): Promise<never> => new Promise(() => undefined);

describe('code that does not stop', () => {
  const loops: readonly [string, Uint8Array][] = [
    ['an endless loop', loopActor()],
    [
      'a loop of large fills',
      actor({
        memory: '200',
        call: '(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 13000000)) (br $l)) (i32.const 1)',
      }),
    ],
    [
      'a loop of copies',
      actor({
        memory: '200',
        call: '(loop $l (memory.copy (i32.const 0) (i32.const 6000000) (i32.const 6000000)) (br $l)) (i32.const 1)',
      }),
    ],
    [
      'a loop of table fills',
      actor({
        fields: '(table 10000 funcref)',
        call: '(loop $l (table.fill (i32.const 0) (ref.null func) (i32.const 10000)) (br $l)) (i32.const 1)',
      }),
    ],
    [
      'two functions without end',
      actor({
        fields: '(func $a (call $b) (call $b)) (func $b (call $c) (call $c)) (func $c (loop $l (br $l)))',
        call: '(call $a) (i32.const 1)',
      }),
    ],
    [
      'a loop of prints',
      actor({ host: true, call: '(loop $l (call $log (i32.const 0) (i32.const 100)) (br $l)) (i32.const 1)' }),
    ],
  ];
  it.each(loops)('as %s is ended; the caller hears in time and the neighbour goes on', async (_name, wasm) => {
    await using test = await startCells();
    const neighbour = await test.open({ wasm: echoActor(), domain: 'B' });
    const bad = await test.open({ wasm, actorId: 'bad' });
    const start = performance.now();
    const call = bad.call('', 200);
    const waiting = bad.call('', 4000);
    expect(await call).toMatch(/^E_ACTOR_DEADLINE bad Test.Run took longer than 200 ms/);
    expect(performance.now() - start).toBeLessThan(200 + 250);
    await isWell(neighbour);
    expect(await waiting).toMatch(/^E_NOT_STARTED/);
    await eventually(() => bad.exits.length === 1);
    expect(performance.now() - start).toBeLessThan(200 + deadlineGraceMs + 1500);
    expect(bad.exits[0]).toMatch(/^E_(ACTOR_DEADLINE|CELL_LOST)/);
    await isWell(neighbour);
  });

  it('as recursion without end is a trap of that call alone', async () => {
    await using test = await startCells();
    const bad = await test.open({
      wasm: actor({ host: true, fields: '(func $f (call $f))', call: '(call $f) (i32.const 1)' }),
    });
    expect(await bad.call()).toMatch(/^E_ACTOR_TRAP .*call stack/);
    expect(await bad.call()).toMatch(/^E_ACTOR_TRAP/);
    expect(bad.exits).toEqual([]);
  });

  it('as it waits for a host call is given up without harm to others of its isolate', async () => {
    await using test = await startCells();
    const relay = await test.open({
      wasm: relayActor(),
      maxInstances: 2,
      answer: ({ payload }) => (payload.length > 0 ? Buffer.from(payload) : suspended()),
    });
    expect(await Promise.all([relay.call('', 100), relay.call('', 100), relay.call('a', 3000)])).toEqual([
      expect.stringMatching(/^E_ACTOR_DEADLINE/),
      expect.stringMatching(/^E_ACTOR_DEADLINE/),
      'a',
    ]);
    await new Promise((resolve) => setTimeout(resolve, deadlineGraceMs + 200));
    expect(await relay.call('still here')).toBe('still here');
    expect(relay.exits).toEqual([]);
  });

  it('lets calls be sent again that had no effect, and says of the others that they were running', async () => {
    await using test = await startCells();
    const wasm = actor({
      host: true,
      fields: '(data (i32.const 0) "defaulttest:contractTest.Relay")',
      call: `(call $request (i32.const 1024) (i32.const 4096))
        (if (i32.eqz (local.get $len)) (then (loop $l (br $l))))
        (drop (call $host (i32.const 0) (i32.const 7) (i32.const 7) (i32.const 13) (i32.const 20) (i32.const 10)
          (i32.const 4096) (local.get $len))) (i32.const 1)`,
    });
    const bad = await test.open({ wasm, answer: suspended });
    const withEffect = bad.call('effect');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const looping = bad.call('', 100);
    const behind = bad.call('behind');
    expect(await looping).toMatch(/^E_ACTOR_DEADLINE/);
    expect(await withEffect).toMatch(/^E_CELL_LOST .*was running/);
    expect(await behind).toMatch(/^E_NOT_STARTED/);
  });
});

describe('modules that eat what there is', () => {
  it('are stopped at their memory limit', async () => {
    await using test = await startCells();
    const eater = await test.open({
      wasm: actor({
        call: '(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $l)) (i32.const 1)',
      }),
    });
    expect(await eater.call()).toMatch(/^E_ACTOR_MEMORY/);
    expect(await eater.call()).toMatch(/^E_ACTOR_MEMORY/);
  });

  it('cannot grow tables without end', async () => {
    await using test = await startCells();
    const neighbour = await test.open({ wasm: echoActor(), domain: 'B' });
    const grower = await test.open({
      wasm: actor({
        fields: '(table 1 funcref)',
        call: '(loop $l (br_if $l (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)))) (i32.const 1)',
      }),
    });
    await grower.call('', 2000);
    await isWell(neighbour);
  });

  it('together take only their own cell down, and each call hears why', async () => {
    await using test = await startCells(900);
    const neighbour = await test.open({ wasm: echoActor(), domain: 'B' });
    const relay = await test.open({
      maxInstances: 500,
      memoryBytes: 64 << 20,
      wasm: actor({
        host: true,
        fields: '(data (i32.const 0) "defaulttest:contractTest.Relay")',
        call: `(drop (memory.grow (i32.const 900)))
          (memory.fill (i32.const 65536) (i32.const 1) (i32.const 50000000))
          (drop (call $host (i32.const 0) (i32.const 7) (i32.const 7) (i32.const 13) (i32.const 20) (i32.const 10)
            (i32.const 0) (i32.const 0))) (i32.const 1)`,
      }),
      answer: suspended,
    });
    const answers = await Promise.all(Array.from({ length: 60 }, () => relay.call('', 8000)));
    const codes = new Set(answers.map((answer) => answer.split(' ')[0]));
    for (const code of codes)
      expect(['E_CELL_LOST', 'E_ACTOR_MEMORY', 'E_ACTOR_DEADLINE', 'E_ACTOR_TRAP', 'E_NOT_STARTED']).toContain(code);
    await isWell(neighbour);
    const again = await test.open({ wasm: echoActor(), actorId: 'again' });
    await isWell(again);
  });
});

describe('a cell', () => {
  it('is one process per domain, and one more for an actor alone', async () => {
    await using test = await startCells();
    await test.open({ wasm: echoActor() });
    await test.open({ wasm: echoActor() });
    expect(await test.cells.pids()).toHaveLength(1);
    await test.open({ wasm: echoActor(), domain: 'B' });
    await test.open({ wasm: echoActor(), alone: true });
    expect(new Set(await test.cells.pids()).size).toBe(3);
  });

  it('takes no more isolates than its memory holds: the next one of the domain gets another process', async () => {
    await using test = await startCells(1024);
    const actors = [];
    for (let count = 0; count < 7; count++) actors.push(await test.open({ wasm: echoActor() }));
    expect(await test.cells.pids()).toHaveLength(3);
    for (const actor of actors) await isWell(actor);
    await expect(startCells(512)).rejects.toMatchObject({ code: 'E_SETTING' });
  });

  it('that is killed tells its isolates; the next opens another', async () => {
    await using test = await startCells();
    const relay = await test.open({ wasm: relayActor(), answer: suspended });
    const neighbour = await test.open({ wasm: echoActor(), domain: 'B' });
    const call = relay.call('x');
    await eventually(() => relay.isolate.inFlight === 1);
    const [pid] = await test.cells.pids();
    process.kill(pid!, 'SIGKILL');
    expect(await call).toMatch(/^E_CELL_LOST .*SIGKILL/);
    expect(relay.exits).toEqual([expect.stringMatching(/^E_CELL_LOST the cell of A \(pid \d+\) ended by SIGKILL/)]);
    await isWell(neighbour);
    await isWell(await test.open({ wasm: echoActor() }));
  });

  it('that is frozen is killed', async () => {
    await using test = await startCells();
    const echo = await test.open({ wasm: echoActor() });
    const [pid] = await test.cells.pids();
    process.kill(pid!, 'SIGSTOP');
    await eventually(() => echo.exits.length === 1, { timeoutMs: 5000 });
    expect(echo.exits[0]).toMatch(/did not answer for 2000 ms/);
    expect(isAlive(pid!)).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')(
    'has no environment, no working directory of ours, and no rights of root',
    async () => {
      await using test = await startCells();
      await test.open({ wasm: echoActor() });
      const [pid] = await test.cells.pids();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .map((entry) => entry.split('=')[0]);
      expect(
        environment.filter(
          (name) =>
            name &&
            !['PWD', 'SHLVL', '_', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'OLDPWD'].includes(name),
        ),
      ).toEqual([]);
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (process.getuid?.() === 0) expect(/^Uid:\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(status)!.slice(1)).not.toContain('0');
    },
  );

  it.skipIf(process.platform === 'win32')(
    'ends with its host, even one killed with -9, even in an endless loop',
    async () => {
      const host = spawn(process.execPath, [fileURLToPath(new URL('../support/lone-host.ts', import.meta.url))], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const pid = await new Promise<number>((resolve) =>
        host.stdout.on('data', (text: Buffer) => resolve(Number(text.toString()))),
      );
      expect(isAlive(pid)).toBe(true);
      host.kill('SIGKILL');
      await eventually(() => !isAlive(pid), { timeoutMs: 2000 });
    },
  );
});
