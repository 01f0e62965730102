import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contracts, findContract, findLinkContract } from '../../../../lattice/contracts/index.ts';
import { keyvalueOperations } from '../../../../lattice/contracts/keyvalue.ts';
import { writeLog } from '../../../../lattice/contracts/logging.ts';
import { randomOperations } from '../../../../lattice/contracts/random.ts';
import { createCodec, integer, list, optional, struct, text } from '../../../../lattice/contracts/shape.ts';
import { decodeMessage, encodeMessage } from '../../../../lattice/msgpack.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refusal = (where: string) =>
  expect.objectContaining({ code: 'E_PAYLOAD', message: expect.stringContaining(where) });

describe('The list of contracts', () => {
  it('finds a contract by every id of either era', () => {
    const names = {
      'wasmcloud:httpserver': 'http-server',
      'wasi:http': 'http-server',
      'wasi:http/incoming-handler': 'http-server',
      'wasi:http/incoming-handler@0.2.0': 'http-server',
      'wasi:http/outgoing-handler@0.2.0': 'http-client',
      'wasmcloud:httpclient': 'http-client',
      'wasmcloud:keyvalue': 'keyvalue',
      'wasi:keyvalue': 'keyvalue',
      'wasi:keyvalue/store@0.2.0-draft': 'keyvalue',
      'wasi:keyvalue@0.2.0-draft': 'keyvalue',
      'wrpc:keyvalue': 'keyvalue',
      'wasmcloud:builtin:logging': 'logging',
      'wasi:logging/logging': 'logging',
      'wasmcloud:builtin:numbergen': 'random',
      'wasmcloud:messaging': 'messaging',
      'wasmcloud:blobstore': 'blobstore',
      'wasmcloud:sqldb': 'sql',
    };
    for (const [id, name] of Object.entries(names)) expect(findContract(id)?.name, id).toBe(name);
    for (const id of ['', 'keyvalue', 'wasi:keyvalues', 'wasi', 'constructor', '__proto__', 'my:thing/x'])
      expect(findContract(id), id).toBeUndefined();
  });
  it('tells the directions of wasi:http apart by the interfaces of a link', () => {
    const link = (wit_package: string, interfaces: string[]) =>
      findLinkContract({ wit_namespace: 'wasi', wit_package, interfaces })?.name;
    expect(link('http', ['incoming-handler'])).toBe('http-server');
    expect(link('http', ['outgoing-handler'])).toBe('http-client');
    expect(link('http', [])).toBe('http-server');
    expect(link('keyvalue', ['atomics'])).toBe('keyvalue');
    expect(link('nothing', [])).toBeUndefined();
  });
  it('names each contract, capability and operation once', () => {
    for (const key of ['name', 'capability'] as const)
      expect(new Set(contracts.map((contract) => contract[key])).size).toBe(contracts.length);
    for (const contract of contracts) expect(contract.ids).toContain(contract.capability);
    expect(contracts.filter((contract) => contract.caller === 'provider').map((contract) => contract.name)).toEqual([
      'http-server',
    ]);
  });
});

describe('Messages of keyvalue', () => {
  const { Get, Set: Put, Increment, ListRange, SetUnion } = keyvalueOperations;
  it('have these bytes', () => {
    expect(hex(Get.request.encode('k'))).toBe('a16b');
    expect(hex(Get.response.encode({ value: 'v', exists: true }))).toBe('82a576616c7565a176a6657869737473c3');
    expect(hex(Put.request.encode({ key: 'k', value: 'v', expires: 0 }))).toBe(
      '83a36b6579a16ba576616c7565a176a76578706972657300',
    );
    expect(hex(Put.response.encode())).toBe('');
    expect(hex(Increment.request.encode({ key: 'k', value: -1 }))).toBe('82a36b6579a16ba576616c7565ff');
    expect(hex(Increment.response.encode(42))).toBe('2a');
    expect(hex(ListRange.request.encode({ listName: 'l', start: 0, stop: -1 }))).toBe(
      '83a86c6973744e616d65a16ca5737461727400a473746f70ff',
    );
    expect(hex(SetUnion.request.encode(['a', 'b']))).toBe('92a161a162');
  });
  it('are named Service.Method', () => {
    for (const [short, operation] of Object.entries(keyvalueOperations))
      expect(operation.name).toBe(`KeyValue.${short}`);
  });
  it('come back as they were', () => {
    const fields = fc.record({
      key: fc.string({ unit: 'grapheme' }),
      value: fc.string(),
      expires: fc.nat(0xffff_ffff),
    });
    fc.assert(
      fc.property(fields, (message) => void expect(Put.request.decode(Put.request.encode(message))).toEqual(message)),
    );
    fc.assert(
      fc.property(
        fc.integer(),
        (value) => void expect(Increment.response.decode(Increment.response.encode(value))).toBe(value),
      ),
    );
  });
  it('are read from arrays, from text as bytes, and with what old guests leave out', () => {
    expect(Put.request.decode(encodeMessage(['k', 'v']))).toEqual({ key: 'k', value: 'v', expires: 0 });
    expect(Put.request.decode(encodeMessage({ key: Buffer.from('k'), value: 'v', expires: null }))).toEqual({
      key: 'k',
      value: 'v',
      expires: 0,
    });
    expect(Get.response.decode(encodeMessage({ exists: false }))).toEqual({ value: '', exists: false });
  });
  it('are refused naming the place that is wrong', () => {
    expect(() => Increment.request.decode(encodeMessage({ key: 'k', value: 2 ** 31 }))).toThrow(
      refusal('message.value'),
    );
    expect(() => Increment.request.decode(encodeMessage({ value: 1 }))).toThrow(refusal('message.key'));
    expect(() => SetUnion.request.decode(encodeMessage(['a', 1]))).toThrow(refusal('message[1]'));
    expect(() => Get.request.decode(new Uint8Array(0))).toThrow(refusal('message is not a text'));
    expect(() => Get.request.decode(Uint8Array.of(0xd9, 9))).toThrow(refusal('not a MessagePack value'));
  });
});

describe('Messages answered inside the isolate', () => {
  it('have these bytes', () => {
    expect(hex(writeLog.request.encode({ level: 'info', text: 'x' }))).toBe('82a56c6576656ca4696e666fa474657874a178');
    expect(writeLog.response.encode()).toHaveLength(0);
    expect(randomOperations.Random32.request.encode()).toHaveLength(0);
    expect(hex(randomOperations.Random32.response.encode(0xffff_ffff))).toBe('ceffffffff');
    expect(randomOperations.RandomInRange.request.decode(encodeMessage([1, 6]))).toEqual({ min: 1, max: 6 });
  });
});

describe('A shape', () => {
  const codec = createCodec(struct({ id: text, size: optional(integer(0, 9)), tags: list(text) }));
  it('leaves optionals out instead of writing nil', () => {
    expect(decodeMessage(codec.encode({ id: 'a', tags: [] }))).toEqual({ id: 'a', tags: [] });
    expect(decodeMessage(codec.encode({ id: 'a', size: 3, tags: ['x'] }))).toEqual({ id: 'a', size: 3, tags: ['x'] });
    expect(codec.decode(encodeMessage({ id: 'a', size: null, tags: [] }))).toEqual({ id: 'a', tags: [] });
  });
});
