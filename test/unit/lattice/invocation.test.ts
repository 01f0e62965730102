import { createHash } from 'node:crypto';
import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { entityUrl, type InvocationDraft, signInvocation, verifyInvocation } from '../../../lattice/antiforgery.ts';
import {
  decodeInvocation,
  decodeResponse,
  encodeInvocation,
  encodeResponse,
  type Invocation,
} from '../../../lattice/invocation.ts';
import { createKeyPair } from '../../../lattice/nkeys.ts';
import { readToken, signToken } from '../../../lattice/token.ts';

const cluster = createKeyPair('cluster');
const host = createKeyPair('host').publicKey;
const actor = { public_key: 'counter', contract_id: '', link_name: '' };
const moduleActor = { public_key: createKeyPair('module').publicKey, contract_id: '', link_name: '' };
const store = { public_key: 'store', contract_id: 'wasmcloud:keyvalue', link_name: 'default' };
const draft: InvocationDraft = {
  origin: actor,
  target: store,
  operation: 'KeyValue.Get',
  payload: Uint8Array.of(1, 2, 3),
};
const signer = { clusterKey: cluster, hostId: host };
const issuers = new Set([cluster.publicKey]);
const refused = (code: string) => expect.objectContaining({ code });

describe('envelopes', () => {
  it('an invocation survives the wire as a map with bin', async () => {
    const invocation = await signInvocation(draft, signer);
    const wire = encodeInvocation(invocation);
    expect(wire[0]! & 0xf0).toBe(0x80);
    const read = decodeInvocation(wire);
    expect({ ...read, msg: [...read.msg] }).toEqual({ ...invocation, msg: [1, 2, 3] });
    await verifyInvocation(read, issuers);
  });

  it('a positional array with bytes as numbers is read like a map', async () => {
    const invocation = await signInvocation({ ...draft, origin: moduleActor }, signer);
    const array = (entity: typeof store) => [entity.public_key, entity.link_name, entity.contract_id];
    const { operation, id, encoded_claims, host_id } = invocation;
    const read = decodeInvocation(
      pack([array(moduleActor), array(store), operation, [1, 2, 3], id, encoded_claims, host_id]),
    );
    expect(read).toMatchObject({ target: store, content_length: 3 });
    await verifyInvocation(read, issuers);
  });

  it('responses survive with and without an error', () => {
    const ok = { msg: Uint8Array.of(9), invocation_id: 'a', content_length: 1 };
    expect(decodeResponse(encodeResponse(ok))).toMatchObject({ invocation_id: 'a', content_length: 1 });
    const failed = { ...ok, msg: new Uint8Array(0), content_length: 0, error: 'E_NO_LINK: none' };
    expect(decodeResponse(encodeResponse(failed)).error).toBe('E_NO_LINK: none');
    expect(decodeResponse(pack([[1, 2], 'a', null]))).toMatchObject({ content_length: 2 });
    expect(decodeResponse(pack({ invocation_id: 'a', error: null, instance_id: 'x' })).error).toBeUndefined();
  });

  const whole = {
    origin: actor,
    target: store,
    operation: 'A.B',
    msg: Buffer.from('x'),
    id: 'abc',
    encoded_claims: '',
    host_id: host,
  };
  it.each([
    ['nothing', new Uint8Array(0)],
    ['no msgpack', Uint8Array.of(0xc1)],
    ['a cut map', pack(whole).subarray(0, 20)],
    ['a number', pack(7)],
    ['no origin', pack({ ...whole, origin: undefined })],
    ['an origin without key', pack({ ...whole, origin: {} })],
    ['an operation that is a number', pack({ ...whole, operation: 1 })],
    ['a body of text', pack({ ...whole, msg: 'x' })],
    ['a body with 256', pack({ ...whole, msg: [256] })],
    ['a length below that of the body', pack({ ...whole, content_length: 0 })],
    ['a negative length', pack({ ...whole, content_length: -1 })],
    ['a fractional length', pack({ ...whole, content_length: 1.5 })],
    ['an id with a path', pack({ ...whole, id: '../x' })],
    ['an empty id', pack({ ...whole, id: '' })],
  ])('%s is refused', (_name, bytes) => {
    expect(() => decodeInvocation(bytes)).toThrow(refused('E_INVOCATION'));
  });

  it.each([
    ['no id', pack({ msg: Buffer.from('') })],
    ['an error that is a number', pack({ invocation_id: 'a', error: 1 })],
    ['text', pack('x')],
  ])('a response with %s is refused', (_name, bytes) => {
    expect(() => decodeResponse(bytes)).toThrow(refused('E_INVOCATION'));
  });
});

describe('antiforgery', () => {
  it('URLs and hash are those of upstream', async () => {
    expect(entityUrl(moduleActor)).toBe(`wasmbus://${moduleActor.public_key}`);
    expect(entityUrl({ public_key: 'VX', contract_id: 'wasmcloud:Key Value', link_name: 'My Link' })).toBe(
      'wasmbus://wasmcloud/key_value/my_link/VX',
    );
    const { encoded_claims, id } = await signInvocation({ ...draft, origin: moduleActor }, signer);
    const { payload } = readToken(encoded_claims);
    const origin = `wasmbus://${moduleActor.public_key}`;
    const target = 'wasmbus://wasmcloud/keyvalue/default/store/KeyValue.Get';
    const hash = createHash('sha256').update(`${origin}${target}KeyValue.Get`).update(draft.payload).digest('hex');
    expect(payload).toMatchObject({
      iss: cluster.publicKey,
      sub: id,
      wascap: { target_url: target, origin_url: origin, hash: hash.toUpperCase() },
    });
    expect(Object.keys(payload.wascap!)).toEqual(['target_url', 'origin_url', 'hash']);
  });

  const other = { ...store, public_key: 'other' };
  const changes: [string, (whole: Invocation) => Partial<Invocation> | Promise<Partial<Invocation>>][] = [
    ['another target', () => ({ target: other })],
    ['another link name', () => ({ target: { ...store, link_name: 'second' } })],
    ['another contract', () => ({ target: { ...store, contract_id: 'wasmcloud:sql' } })],
    ['another origin', () => ({ origin: other })],
    ['another operation', () => ({ operation: 'KeyValue.Del' })],
    ['another body', () => ({ msg: Uint8Array.of(1, 2, 4) })],
    ['no body', () => ({ msg: new Uint8Array(0) })],
    ['another id', () => ({ id: 'another' })],
    ['no token', () => ({ encoded_claims: '' })],
    ['a host id that is none', () => ({ host_id: 'N' })],
    ['a module key as host id', () => ({ host_id: moduleActor.public_key })],
    ['the token of another cluster', async () => (await signAs(createKeyPair('cluster'))).token],
    ['a changed signature', ({ encoded_claims }) => ({ encoded_claims: flipLast(encoded_claims) })],
    ['the token of a module', async () => ({ encoded_claims: await moduleToken() })],
    ['a contract for an actor', () => ({ origin: { ...moduleActor, contract_id: 'wasmcloud:keyvalue' } })],
  ];
  const signAs = async (clusterKey: typeof cluster) => {
    const { encoded_claims, id } = await signInvocation(draft, { clusterKey, hostId: host });
    return { token: { encoded_claims, id } };
  };
  const flipLast = (token: string): string => {
    const at = token.length - 10;
    return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
  };
  const moduleToken = (): Promise<string> =>
    signToken(cluster, { subject: 'x', wascap: { name: 'x', hash: 'A'.repeat(64) } });

  it.each(changes)('%s is refused', async (_name, change) => {
    const invocation = await signInvocation(draft, signer);
    await verifyInvocation(invocation, issuers);
    await expect(verifyInvocation({ ...invocation, ...(await change(invocation)) }, issuers)).rejects.toThrow(
      refused('E_FORGED'),
    );
  });

  it('a token is of no use after five minutes', async () => {
    const invocation = await signInvocation(draft, signer);
    await verifyInvocation(invocation, issuers, new Date(Date.now() + 299_000));
    await expect(verifyInvocation(invocation, issuers, new Date(Date.now() + 302_000))).rejects.toThrow(
      refused('E_FORGED'),
    );
  });

  it('the cluster key in place of the host id is accepted, as OTP hosts write it', async () => {
    await verifyInvocation({ ...(await signInvocation(draft, signer)), host_id: cluster.publicKey }, issuers);
  });
});
