import { Objm } from '@nats-io/obj';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChunkStore, chunkThresholdBytes } from '../../lattice/chunks.ts';
import { LatticeConnection } from '../../lattice/connection.ts';
import { WattleError } from '../../lattice/errors.ts';
import { decodeInvocation, encodeInvocation } from '../../lattice/invocation.ts';
import { createInvocationCodec } from '../../lattice/invocation-codec.ts';
import { createKeyPair } from '../../lattice/nkeys.ts';
import { startNats, type TestNats } from '../support/nats.ts';

const clusterKey = createKeyPair('cluster');
const hostId = createKeyPair('host').publicKey;
const refused = (code: string) => expect.objectContaining({ code });
let nats: TestNats;
let connection: LatticeConnection;

beforeAll(async () => {
  nats = await startNats();
  connection = await LatticeConnection.start(nats.connection);
});
afterAll(async () => {
  await connection?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const codecOf = (maxBodyBytes = 16 * 2 ** 20) =>
  createInvocationCodec({ connection, hostId, clusterKey, issuers: new Set([clusterKey.publicKey]), maxBodyBytes });
const draft = (payload: Uint8Array) => ({
  origin: { public_key: 'a', contract_id: '', link_name: '' },
  target: { public_key: 'b', contract_id: '', link_name: '' },
  operation: 'A.B',
  payload,
});
const large = new Uint8Array(3 * 2 ** 20).map((_, index) => index % 251);
const left = async (): Promise<number> => {
  const store = await new Objm(connection.js).open(connection.lattice);
  return (await store.list()).filter(({ deleted }) => !deleted).length;
};

describe('large bodies', () => {
  it('a call and its answer of 3 MiB cross in chunks, and nothing is left behind', async () => {
    const codec = codecOf();
    const call = await codec.encodeCall(draft(large));
    expect(call.chunked).toBe(true);
    expect(call.data.length).toBeLessThan(2000);
    const read = await codec.decodeCall(call.data);
    expect(Buffer.from(read.msg).equals(large)).toBe(true);
    const answer = await codec.encodeAnswer(call.id, large);
    expect(answer.length).toBeLessThan(2000);
    expect(Buffer.from(await codec.decodeAnswer(call.id, answer)).equals(large)).toBe(true);
    expect(await left()).toBe(0);
  });

  it('a body at the threshold travels inside the message', async () => {
    const call = await codecOf().encodeCall(draft(new Uint8Array(chunkThresholdBytes)));
    expect(call.chunked).toBe(false);
    expect(call.data.length).toBeLessThan(1024 * 1024);
  });

  it('a body that was replaced in the store is refused as forged', async () => {
    const codec = codecOf();
    const call = await codec.encodeCall(draft(large));
    await new ChunkStore(connection).write(call.id, new Uint8Array(large.length));
    await expect(codec.decodeCall(call.data)).rejects.toThrow(refused('E_FORGED'));
  });

  it('a body of another length, and one that is missing, are refused', async () => {
    const codec = codecOf();
    const call = await codec.encodeCall(draft(large));
    await new ChunkStore(connection).write(call.id, large.subarray(1));
    await expect(codec.decodeCall(call.data)).rejects.toThrow(refused('E_INVOCATION'));
    const second = await codec.encodeCall(draft(large));
    await codec.decodeCall(second.data);
    await expect(codec.decodeCall(second.data)).rejects.toThrow(refused('E_INVOCATION'));
  });

  it('a forged call is refused before its body is fetched', async () => {
    const codec = codecOf();
    const call = await codec.encodeCall(draft(large));
    const forged = encodeInvocation({ ...decodeInvocation(call.data), operation: 'A.C' });
    await expect(codec.decodeCall(forged)).rejects.toThrow(refused('E_FORGED'));
    await codec.decodeCall(call.data);
  });

  it('a body beyond the limit is refused on either side', async () => {
    const call = await codecOf().encodeCall(draft(large));
    await expect(codecOf(2 ** 20).decodeCall(call.data)).rejects.toThrow(refused('E_TOO_LARGE'));
    await expect(codecOf(2 ** 20).encodeCall(draft(large))).rejects.toThrow(refused('E_TOO_LARGE'));
  });

  it('an answer carries its error, its code and the id it belongs to', async () => {
    const codec = codecOf();
    const failed = await codec.encodeAnswer('one', new WattleError('E_NO_LINK', 'no link'));
    await expect(codec.decodeAnswer('one', failed)).rejects.toMatchObject({ code: 'E_NO_LINK', message: 'no link' });
    const answer = await codec.encodeAnswer('one', Uint8Array.of(1));
    await expect(codec.decodeAnswer('two', answer)).rejects.toThrow(refused('E_INVOCATION'));
  });
});
