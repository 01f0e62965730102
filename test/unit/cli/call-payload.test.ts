import { describe, expect, test } from 'vitest';
import { decodeCallAnswer, encodeCallBody } from '../../../cli/call-payload.ts';
import { decodeMessage, encodeMessage } from '../../../lattice/msgpack.ts';

describe('the body of a call', () => {
  test('carries marked bytes as bytes', () => {
    const body = encodeCallBody('Echo.Say', '{"a":{"$bytes":"AP8="},"b":[{"$text":"hé"}],"n":3}');
    expect(decodeMessage(body)).toEqual({ a: Buffer.from([0, 255]), b: [Buffer.from('hé')], n: 3 });
  });

  test('is empty when there is none', () => {
    expect(encodeCallBody('Echo.Say', undefined)).toHaveLength(0);
  });

  test('of an HTTP request needs only what is not usual', () => {
    expect(decodeMessage(encodeCallBody('HttpServer.HandleRequest', '{"path":"/x"}'))).toEqual({
      method: 'GET',
      path: '/x',
      queryString: '',
      header: {},
      body: Buffer.from(''),
    });
  });

  test('that is no JSON is refused with a hint on quoting', () => {
    expect(() => encodeCallBody('Echo.Say', '{a:1}')).toThrow(expect.objectContaining({ code: 'E_PAYLOAD' }));
  });
});

describe('the answer of a call', () => {
  test('shows bytes as text where they are text', () => {
    const answer = decodeCallAnswer(encodeMessage({ body: Buffer.from('hi'), raw: Buffer.from([255, 0]) }));
    expect(answer).toEqual({ body: { $text: 'hi' }, raw: { $bytes: '/wA=' } });
  });

  test('that is no MessagePack shows as bytes, an empty one as null', () => {
    expect(decodeCallAnswer(Buffer.from([0xc1, 0xff]))).toEqual({ $bytes: 'wf8=' });
    expect(decodeCallAnswer(new Uint8Array(0))).toBeNull();
  });
});
