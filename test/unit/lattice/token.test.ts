import { describe, expect, it } from 'vitest';
import { createKeyPair } from '../../../lattice/nkeys.ts';
import { checkTimes, maxTokenLength, readToken, signToken, verifyToken } from '../../../lattice/token.ts';

const issuer = createKeyPair('cluster');
const sign = () => signToken(issuer, { subject: 'a-call', wascap: { target_url: 'x', origin_url: 'y', hash: 'z' } });
const refused = (code: string) => expect.objectContaining({ code });

describe('tokens', () => {
  it('what is signed is read and verified', async () => {
    const token = readToken(await sign());
    expect(token.payload).toMatchObject({ iss: issuer.publicKey, sub: 'a-call', wascap_revision: 3 });
    await verifyToken(token);
  });

  it('two tokens of the same statement differ by their id', async () => {
    const ids = await Promise.all([sign(), sign()]);
    expect(readToken(ids[0]!).payload.jti).not.toBe(readToken(ids[1]!).payload.jti);
  });

  it('reading says nothing about the signature, verifying does', async () => {
    const token = await sign();
    const forged = `${token.slice(0, -20)}${'A'.repeat(19)}${token.at(-1)}`;
    await expect(verifyToken(readToken(forged))).rejects.toThrow(refused('E_SIG_INVALID'));
  });

  it('the longest token is a limit', () => {
    expect(() => readToken('A'.repeat(maxTokenLength + 1))).toThrow(refused('E_TOKEN_SIZE'));
    expect(() => readToken('A'.repeat(maxTokenLength))).toThrow(refused('E_TOKEN'));
  });

  it('times are those of wascap: expired is exp < now, not yet is now < nbf but for a minute', () => {
    const payload = { jti: 'x', iat: 0, iss: 'A', sub: 'M' };
    const at = (seconds: number) => new Date(seconds * 1000);
    checkTimes({ ...payload, exp: 1000, nbf: 1060 }, at(1000));
    expect(() => checkTimes({ ...payload, exp: 999 }, at(1000))).toThrow(refused('E_SIG_EXPIRED'));
    expect(() => checkTimes({ ...payload, nbf: 1061 }, at(1000))).toThrow(refused('E_SIG_NOT_YET'));
    checkTimes(payload, at(1000));
  });
});
