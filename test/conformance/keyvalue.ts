// What every keyvalue provider does alike, as one suite: it speaks to the provider as an actor does, in encoded messages.
// test/integration/keyvalue.test.ts runs it over real servers.
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Operation } from '../../lattice/contracts/contract.ts';
import { keyvalueOperations } from '../../lattice/contracts/keyvalue.ts';
import type { WattleError } from '../../lattice/errors.ts';
import type { ProviderInstance } from '../../providers/provider.ts';

const operations = keyvalueOperations;

/** Calls as actor `actor` over link `default`. */
export async function call<Q, R>(provider: ProviderInstance, operation: Operation<Q, R>, request: Q): Promise<R> {
  const payload = operation.request.encode(request);
  const answer = await provider.handle!({ actorId: 'actor', linkName: 'default', operation: operation.name, payload });
  return operation.response.decode(answer);
}

const codeOf = (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'no error',
    (thrown: WattleError) => thrown.code,
  );

let count = 0;
/** A key no other test uses. */
const freshKey = (): string => `key ${process.pid} ${++count}`;

/** `provider` is linked to actor `actor` under the name `default`; `other` is a second one over the same store. */
export function describeKeyValue(
  name: string,
  providers: () => { provider: ProviderInstance; other: ProviderInstance },
): void {
  const send = <Q, R>(operation: Operation<Q, R>, request: Q): Promise<R> =>
    call(providers().provider, operation, request);
  const { Get, Set: Put, Del, Contains, Increment } = operations;
  const { ListAdd, ListDel, ListRange, ListClear, SetAdd, SetDel, SetQuery, SetUnion, SetIntersection, SetClear } =
    operations;
  const addAll = async (setName: string, values: readonly string[]): Promise<void> => {
    for (const value of values) await send(SetAdd, { setName, value });
  };

  describe(`${name}: texts`, () => {
    it('a key that was never set does not exist and reads as empty', async () => {
      const key = freshKey();
      expect(await send(Get, key)).toEqual({ value: '', exists: false });
      expect(await send(Contains, key)).toBe(false);
      expect(await send(Del, key)).toBe(false);
    });
    it('a value that was set is read back, replaced and deleted', async () => {
      const key = freshKey();
      await send(Put, { key, value: 'one', expires: 0 });
      expect(await send(Get, key)).toEqual({ value: 'one', exists: true });
      await send(Put, { key, value: '', expires: 0 });
      expect(await send(Get, key)).toEqual({ value: '', exists: true });
      expect(await send(Contains, key)).toBe(true);
      expect(await send(Del, key)).toBe(true);
      expect(await send(Del, key)).toBe(false);
      expect(await send(Get, key)).toEqual({ value: '', exists: false });
    });
    it('a deleted key can be used again, as another type too', async () => {
      const key = freshKey();
      await send(Put, { key, value: 'x', expires: 0 });
      await send(Del, key);
      expect(await send(ListAdd, { listName: key, value: 'a' })).toBe(1);
      expect(await send(ListClear, key)).toBe(true);
      expect(await send(Increment, { key, value: 2 })).toBe(2);
    });
    it('any text is a key and a value, and no two keys meet', async () => {
      const prefix = freshKey();
      const texts = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 30 }), { minLength: 5, maxLength: 20 });
      const odd = [
        '',
        '.',
        '..',
        'a.b',
        '*',
        '>',
        'a b',
        'ü',
        '\u{feff}x',
        '\u0000',
        '=',
        '=20',
        ' ',
        '$KV',
        '/etc/x',
        'ä'.repeat(600),
      ];
      await fc.assert(
        fc.asyncProperty(texts, async (random) => {
          const keys = [
            ...new Set([...odd.map((key) => (key === '' ? key : prefix + key)), ...random.map((key) => prefix + key)]),
          ];
          await Promise.all(keys.map((key) => send(Put, { key, value: `\u{feff}${key}`, expires: 0 })));
          for (const key of keys) expect(await send(Get, key)).toEqual({ value: `\u{feff}${key}`, exists: true });
        }),
        { numRuns: 5 },
      );
    });
    it('a value expires after its seconds, and setting it anew ends that', async () => {
      const [short, kept] = [freshKey(), freshKey()];
      await send(Put, { key: short, value: 'x', expires: 1 });
      await send(Put, { key: kept, value: 'x', expires: 1 });
      await send(Put, { key: kept, value: 'y', expires: 0 });
      expect((await send(Get, short)).exists).toBe(true);
      await sleep(1100);
      expect(await send(Get, short)).toEqual({ value: '', exists: false });
      expect(await send(Contains, short)).toBe(false);
      expect(await send(Get, kept)).toEqual({ value: 'y', exists: true });
      expect(await send(Increment, { key: short, value: 1 })).toBe(1);
    });
    it('a counter keeps the expiry of its key', async () => {
      const key = freshKey();
      await send(Put, { key, value: '5', expires: 1 });
      expect(await send(Increment, { key, value: 1 })).toBe(6);
      await sleep(1100);
      expect((await send(Get, key)).exists).toBe(false);
    });
  });

  describe(`${name}: counters`, () => {
    it('counting starts at zero, goes both ways and is readable as text', async () => {
      const key = freshKey();
      expect(await send(Increment, { key, value: 5 })).toBe(5);
      expect(await send(Increment, { key, value: -7 })).toBe(-2);
      expect(await send(Get, key)).toEqual({ value: '-2', exists: true });
      await send(Put, { key, value: '2147483647', expires: 0 });
      expect(await send(Increment, { key, value: 1 })).toBe(2_147_483_648);
    });
    it('a text that is no number is refused and stays', async () => {
      for (const value of ['', 'x', '1.5', ' 1', '01', '+1', '99999999999999999999']) {
        const key = freshKey();
        await send(Put, { key, value, expires: 0 });
        expect(await codeOf(send(Increment, { key, value: 1 }))).toBe('E_STORE_TYPE');
        expect((await send(Get, key)).value).toBe(value);
      }
    });
    it('increments from two hosts at once are all counted, and each gets a number of its own', async () => {
      const key = freshKey();
      const { provider, other } = providers();
      const adds = Array.from({ length: 200 }, (_, index) =>
        call(index % 2 ? provider : other, Increment, { key, value: 1 }),
      );
      const results = await Promise.all(adds);
      expect([...results].sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
      expect((await send(Get, key)).value).toBe('200');
    });
    it('increments from two hosts in turn see each other', async () => {
      const key = freshKey();
      const { provider, other } = providers();
      for (let turn = 1; turn <= 20; turn++)
        expect(await call(turn % 2 ? provider : other, Increment, { key, value: 1 })).toBe(turn);
    });
  });

  describe(`${name}: lists`, () => {
    it('items are appended in order and ranges include both ends', async () => {
      const listName = freshKey();
      for (const [index, value] of ['a', 'b', 'c', 'b'].entries())
        expect(await send(ListAdd, { listName, value })).toBe(index + 1);
      const range = (start: number, stop: number) => send(ListRange, { listName, start, stop });
      expect(await range(0, -1)).toEqual(['a', 'b', 'c', 'b']);
      expect(await range(1, 2)).toEqual(['b', 'c']);
      expect(await range(-2, -1)).toEqual(['c', 'b']);
      expect(await range(-100, 0)).toEqual(['a']);
      expect(await range(2, 1)).toEqual([]);
      expect(await range(4, 10)).toEqual([]);
      expect(await range(0, -100)).toEqual([]);
    });
    it('the first equal item is removed, and a list without items does not exist', async () => {
      const listName = freshKey();
      for (const value of ['a', 'b', 'a']) await send(ListAdd, { listName, value });
      expect(await send(ListDel, { listName, value: 'a' })).toBe(true);
      expect(await send(ListRange, { listName, start: 0, stop: -1 })).toEqual(['b', 'a']);
      expect(await send(ListDel, { listName, value: 'x' })).toBe(false);
      await send(ListDel, { listName, value: 'a' });
      expect(await send(ListDel, { listName, value: 'b' })).toBe(true);
      expect(await send(Contains, listName)).toBe(false);
      expect(await send(ListClear, listName)).toBe(false);
    });
    it('items added by two hosts at once are all there', async () => {
      const listName = freshKey();
      const { provider, other } = providers();
      const values = Array.from({ length: 60 }, (_, index) => String(index));
      await Promise.all(values.map((value, index) => call(index % 2 ? provider : other, ListAdd, { listName, value })));
      const items = await send(ListRange, { listName, start: 0, stop: -1 });
      expect([...items].sort()).toEqual([...values].sort());
    });
  });

  describe(`${name}: sets`, () => {
    it('an item is in a set once', async () => {
      const setName = freshKey();
      expect(await send(SetAdd, { setName, value: 'a' })).toBe(1);
      expect(await send(SetAdd, { setName, value: 'a' })).toBe(0);
      expect(await send(SetAdd, { setName, value: 'b' })).toBe(1);
      expect([...(await send(SetQuery, setName))].sort()).toEqual(['a', 'b']);
      expect(await send(SetDel, { setName, value: 'x' })).toBe(0);
      expect(await send(SetDel, { setName, value: 'a' })).toBe(1);
      expect(await send(SetClear, setName)).toBe(true);
      expect(await send(SetQuery, setName)).toEqual([]);
    });
    it('an item another host removed can be added again', async () => {
      const setName = freshKey();
      const { provider, other } = providers();
      await call(provider, SetAdd, { setName, value: 'a' });
      await call(other, SetDel, { setName, value: 'a' });
      expect(await call(provider, SetAdd, { setName, value: 'a' })).toBe(1);
      expect(await send(SetQuery, setName)).toEqual(['a']);
    });
    it('union and intersection take any number of sets, missing ones as empty', async () => {
      const [one, two, missing] = [freshKey(), freshKey(), freshKey()];
      await addAll(one, ['a', 'b', 'c']);
      await addAll(two, ['b', 'c', 'd']);
      const sorted = async (items: Promise<readonly string[]>) => [...(await items)].sort();
      expect(await sorted(send(SetUnion, [one, two, missing]))).toEqual(['a', 'b', 'c', 'd']);
      expect(await sorted(send(SetIntersection, [one, two]))).toEqual(['b', 'c']);
      expect(await sorted(send(SetIntersection, [one]))).toEqual(['a', 'b', 'c']);
      expect(await sorted(send(SetIntersection, [one, missing]))).toEqual([]);
      expect(await sorted(send(SetUnion, []))).toEqual([]);
      expect(await sorted(send(SetIntersection, []))).toEqual([]);
    });
  });

  describe(`${name}: refusals`, () => {
    it('an operation on a value of another type is refused and changes nothing', async () => {
      const [text, list, set] = [freshKey(), freshKey(), freshKey()];
      await send(Put, { key: text, value: '1', expires: 0 });
      await send(ListAdd, { listName: list, value: '1' });
      await send(SetAdd, { setName: set, value: '1' });
      const refused = [
        send(Get, list),
        send(Get, set),
        send(Increment, { key: list, value: 1 }),
        send(ListAdd, { listName: text, value: 'x' }),
        send(ListRange, { listName: set, start: 0, stop: -1 }),
        send(ListDel, { listName: set, value: '1' }),
        send(SetAdd, { setName: list, value: 'x' }),
        send(SetDel, { setName: text, value: '1' }),
        send(SetQuery, text),
        send(SetUnion, [set, list]),
      ];
      expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'E_STORE_TYPE'));
      expect(await send(Get, text)).toEqual({ value: '1', exists: true });
      expect(await send(ListRange, { listName: list, start: 0, stop: -1 })).toEqual(['1']);
      expect(await send(SetQuery, set)).toEqual(['1']);
    });
    it('a set replaces a value of any type', async () => {
      const key = freshKey();
      await send(ListAdd, { listName: key, value: 'a' });
      await send(Put, { key, value: 'x', expires: 0 });
      expect(await send(Get, key)).toEqual({ value: 'x', exists: true });
    });
    it('one bad change among many at once is refused alone', async () => {
      const key = freshKey();
      const changes = [
        send(Increment, { key, value: 1 }),
        send(ListAdd, { listName: key, value: 'x' }),
        send(Increment, { key, value: 1 }),
      ];
      expect(await Promise.allSettled(changes).then((all) => all.map((one) => one.status))).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
      ]);
      expect((await send(Get, key)).value).toBe('2');
    });
    it('calls without a link, of unknown operations or with malformed payloads are refused by name', async () => {
      const { provider } = providers();
      const attempt = async (change: object): Promise<string> => {
        const base = { actorId: 'actor', linkName: 'default', operation: Get.name, payload: Get.request.encode('k') };
        return codeOf((async () => provider.handle!({ ...base, ...change }))());
      };
      expect(await attempt({ actorId: 'stranger' })).toBe('E_NO_LINK');
      expect(await attempt({ linkName: 'other' })).toBe('E_NO_LINK');
      expect(await attempt({ operation: 'KeyValue.Nope' })).toBe('E_OPERATION');
      expect(await attempt({ operation: 'constructor' })).toBe('E_OPERATION');
      expect(await attempt({ payload: new Uint8Array(0) })).toBe('E_PAYLOAD');
      expect(await attempt({ payload: Uint8Array.of(0xc1, 0xff) })).toBe('E_PAYLOAD');
      expect(await attempt({ operation: Increment.name })).toBe('E_PAYLOAD');
    });
  });
}
