import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HttpRequest, type HttpResponse, handleRequest } from '../../../../lattice/contracts/http-server.ts';
import { decodeMessage, encodeMessage } from '../../../../lattice/msgpack.ts';

const { request, response } = handleRequest;
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,40}$/);
const lines = fc
  .uniqueArray(fc.tuple(name, fc.string({ unit: 'grapheme', maxLength: 300 })), {
    selector: ([key]) => key,
    maxLength: 40,
  })
  .map((pairs) => pairs.flat());
const body = fc.oneof(
  fc.uint8Array({ maxLength: 70 }),
  fc.nat(70_000).map((size) => new Uint8Array(size).fill(7)),
);

const requests: fc.Arbitrary<HttpRequest> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PROPFIND'),
  path: fc.string({ unit: 'grapheme', maxLength: 400 }),
  queryString: fc.string({ maxLength: 40 }),
  header: lines,
  body,
});
const responses: fc.Arbitrary<HttpResponse> = fc.record({ statusCode: fc.nat(0xffff), header: lines, body });

const plain = <T extends { body: Uint8Array }>(message: T) => ({ ...message, body: [...message.body] });
/** The header lines as the map they are on the wire. */
const asMap = (header: readonly string[]): Record<string, string[]> => {
  const map: Record<string, string[]> = {};
  for (let index = 0; index < header.length; index += 2) {
    map[header[index]!] ??= [];
    map[header[index]!]!.push(header[index + 1]!);
  }
  return map;
};

describe('An HTTP request as a message', () => {
  it('has these bytes', () => {
    const bytes = request.encode({
      method: 'GET',
      path: '/a',
      queryString: 'x=1',
      header: ['Host', 'h'],
      body: Uint8Array.of(1),
    });
    const expected = [
      '85 a6 6d6574686f64 a3 474554',
      'a4 70617468 a2 2f61',
      'ab 7175657279537472696e67 a3 783d31',
      'a6 686561646572 81 a4 686f7374 91 a1 68',
      'a4 626f6479 c4 01 01',
    ];
    expect(Buffer.from(bytes).toString('hex')).toBe(expected.join('').replaceAll(' ', ''));
  });
  it('is what any MessagePack reader sees, and comes back', () => {
    fc.assert(
      fc.property(requests, (message) => {
        const bytes = request.encode(message);
        const { header, ...rest } = decodeMessage(bytes) as { header: object; body: Uint8Array };
        expect(plain(rest)).toEqual(
          plain({ method: message.method, path: message.path, queryString: message.queryString, body: message.body }),
        );
        expect(header).toEqual(asMap(message.header));
        expect(plain(request.decode(bytes))).toEqual(plain(message));
      }),
    );
  });
  it('gathers the values of a name that repeats, in any case', () => {
    const header = ['Accept', 'a', 'X-Y', '1', 'accept', 'b', 'ACCEPT', 'c'];
    const bytes = request.encode({ method: 'GET', path: '/', queryString: '', header, body: new Uint8Array(0) });
    expect((decodeMessage(bytes) as { header: object }).header).toEqual({ accept: ['a', 'b', 'c'], 'x-y': ['1'] });
  });
  it('gathers the same whether there are few names or many', () => {
    const many = Array.from({ length: 100 }, (_, index) => [`x-${index % 50}`, String(index)]).flat();
    const bytes = request.encode({ method: 'GET', path: '/', queryString: '', header: many, body: new Uint8Array(0) });
    expect((decodeMessage(bytes) as { header: object }).header).toEqual(asMap(many));
  });
});

describe('An HTTP response as a message', () => {
  it('comes back from both encoders', () => {
    fc.assert(
      fc.property(responses, (message) => {
        const { statusCode, header } = message;
        expect(plain(response.decode(response.encode(message)))).toEqual(plain(message));
        const packed = encodeMessage({ statusCode, header: asMap(header), body: message.body });
        expect(plain(response.decode(packed))).toEqual(plain(message));
      }),
    );
  });
  it('is read from the forms real guests write: arrays, keys in any order, unknown keys, numbers for bytes, what is left out', () => {
    const read = (value: unknown) => plain(response.decode(encodeMessage(value)));
    const expected = { statusCode: 201, header: ['a', '1', 'a', '2', 'b', '3'], body: [104, 105] };
    const header = { a: ['1', '2'], b: ['3'] };
    expect(read([201, header, Buffer.from('hi')])).toEqual(expected);
    expect(read({ body: [104, 105], more: { deep: [1, { x: null }] }, header, statusCode: 201 })).toEqual(expected);
    expect(read({ statusCode: 201.0, header: { a: ['1', '2'], b: '3' }, body: 'hi' })).toEqual(expected);
    expect(read({})).toEqual({ statusCode: 200, header: [], body: [] });
    expect(read({ statusCode: null, header: null, body: null })).toEqual({ statusCode: 200, header: [], body: [] });
  });
  it('views the message instead of copying its body', () => {
    const message = encodeMessage({ statusCode: 200, header: {}, body: new Uint8Array(1000) });
    expect(response.decode(message).body.buffer).toBe(message.buffer);
  });
  it('is refused by name when it is cut, too long or something else', () => {
    const good = response.encode({ statusCode: 200, header: ['a', 'b'], body: Uint8Array.of(1, 2, 3) });
    for (let length = 0; length < good.length; length++)
      expect(() => response.decode(good.subarray(0, length))).toThrow(expect.objectContaining({ code: 'E_PAYLOAD' }));
    expect(() => response.decode(Buffer.concat([good, Buffer.of(0)]))).toThrow('expected the end');
    for (const value of [
      null,
      1,
      'x',
      { statusCode: -1 },
      { statusCode: 70_000 },
      { statusCode: 1.5 },
      { header: [] },
      { body: 3 },
    ])
      expect(() => response.decode(encodeMessage(value))).toThrow(expect.objectContaining({ code: 'E_PAYLOAD' }));
  });
  it('never takes more than it was given, whatever the bytes', () => {
    const bombs = [
      'df ff ff ff ff',
      'dd ff ff ff ff',
      '81 a4 626f6479 c6 ff ff ff ff',
      '81 a1 78 dd ff ff ff ff',
      '81 a1 78 c9 ff ff ff ff 01',
    ];
    for (const bomb of bombs)
      expect(() => response.decode(Buffer.from(bomb.replaceAll(' ', ''), 'hex'))).toThrow(
        expect.objectContaining({ code: 'E_PAYLOAD' }),
      );
    const nested = Buffer.concat([Buffer.from('81a178', 'hex'), Buffer.alloc(100_000, 0x91), Buffer.of(0xc0)]);
    expect(() => response.decode(nested)).toThrow('levels');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          response.decode(bytes);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'E_PAYLOAD' });
        }
      }),
      { numRuns: 2000 },
    );
  });
  it('skips every kind of value it does not know', () => {
    const scalars = [
      'c0',
      'c2',
      'c3',
      '7f',
      'e0',
      'cc ff',
      'cd ffff',
      'ce ffffffff',
      'cf ffffffffffffffff',
      'd0 80',
      'd1 8000',
      'd2 80000000',
    ];
    const wide = [
      'd3 8000000000000000',
      'ca 00000000',
      'cb 0000000000000000',
      'd4 01 00',
      'd5 01 0000',
      'd6 01 00000000',
      'c7 02 01 0000',
    ];
    const long = [
      `d7 01 ${'00'.repeat(8)}`,
      `d8 01 ${'00'.repeat(16)}`,
      'c4 01 00',
      'c5 0001 00',
      'd9 01 61',
      'da 0001 61',
      '90',
      '80',
      'dc 0000',
      'de 0000',
    ];
    for (const value of [...scalars, ...wide, ...long]) {
      const bytes = Buffer.from(`82a178${value}aa737461747573436f6465cd0194`.replaceAll(' ', ''), 'hex');
      expect(response.decode(bytes).statusCode).toBe(404);
    }
  });
});
