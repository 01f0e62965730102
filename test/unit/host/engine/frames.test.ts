import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameReader, FrameWriter, frameType, headBytes } from '../../../../host/engine/frames.ts';

interface Read {
  readonly type: number;
  readonly id: number;
  readonly body: Buffer;
}

const copy = ({ type, id, bytes, start, end }: Frame): Read => ({
  type,
  id,
  body: Buffer.from(bytes.subarray(start, end)),
});

/** All batches of a writer, in one piece. */
function write(fill: (writer: FrameWriter) => void): Buffer {
  const batches: Buffer[] = [];
  const writer = new FrameWriter((batch) => {
    batches.push(Buffer.from(batch));
    return true;
  });
  fill(writer);
  writer.flush();
  return Buffer.concat(batches);
}

function read(chunks: readonly Buffer[], limitBytes = 1 << 20): Read[] {
  const frames: Read[] = [];
  const reader = new FrameReader(limitBytes, (frame) => frames.push(copy(frame)));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const frame = fc.record({ type: fc.nat(255), id: fc.nat(0xffff_ffff), body: fc.uint8Array({ maxLength: 200 }) });
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, sizes) => {
        const stream = write((writer) => {
          for (const { type, id, body } of frames) writer.frame(type, id, body);
        });
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          chunks.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(read(chunks)).toEqual(frames.map(({ type, id, body }) => ({ type, id, body: Buffer.from(body) })));
      }),
    );
  });

  it('larger than the first buffer are written and read whole', () => {
    const body = Buffer.alloc(700_000, 'x');
    const stream = write((writer) => {
      writer.frame(frameType.call, 1, body);
      writer.frame(frameType.call, 2, Buffer.from('y'));
    });
    const frames = read([stream.subarray(0, 300_000), stream.subarray(300_000)]);
    expect(frames.map(({ id, body: bytes }) => [id, bytes.length])).toEqual([
      [1, 700_000],
      [2, 1],
    ]);
    expect(frames[0]!.body.equals(body)).toBe(true);
  });

  it('with a length over the limit or under the least are refused before they are gathered', () => {
    const head = Buffer.alloc(headBytes);
    head.writeUInt32LE(0xffff_ffff, 0);
    expect(() => read([head])).toThrow(RangeError);
    head.writeUInt32LE(4, 0);
    expect(() => read([head])).toThrow(RangeError);
    head.writeUInt32LE(0xffff_ffff, 0);
    expect(() => read([head.subarray(0, 2), head.subarray(2)])).toThrow(RangeError);
  });

  it('of one turn leave in batches of eight, the rest with the end of the turn', async () => {
    const batches: number[] = [];
    const writer = new FrameWriter((batch) => batches.push(batch.length) > 0);
    for (let id = 0; id < 7; id++) writer.frame(frameType.call, id, Buffer.alloc(3));
    expect(batches).toEqual([]);
    for (let id = 7; id < 10; id++) writer.frame(frameType.call, id, Buffer.alloc(3));
    expect(batches).toEqual([8 * (headBytes + 3)]);
    await new Promise(setImmediate);
    expect(batches).toEqual([8 * (headBytes + 3), 2 * (headBytes + 3)]);
  });

  it('are not overwritten while the socket still holds their batch', () => {
    const kept: Buffer[] = [];
    const writer = new FrameWriter((batch) => {
      kept.push(batch);
      return false;
    });
    writer.text(frameType.log, 1, 'first');
    writer.flush();
    writer.text(frameType.log, 2, 'other');
    writer.flush();
    expect(read(kept).map(({ body }) => body.toString())).toEqual(['first', 'other']);
  });
});
