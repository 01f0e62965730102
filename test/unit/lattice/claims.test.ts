import { describe, expect, it } from 'vitest';
import { digestOf, verifyModule } from '../../../lattice/claims.ts';
import { readEmbeddedToken, removeToken, upperHash } from '../../../lattice/embedding.ts';
import { createKeyPair } from '../../../lattice/nkeys.ts';
import { type ClaimsDraft, inspectModule, normalizeCallAlias, signModule } from '../../../lattice/signing.ts';
import { readToken } from '../../../lattice/token.ts';
import {
  componentPreamble,
  concat,
  createToken,
  custom,
  issuer,
  modulePreamble,
  payloadOf,
  plainComponent,
  plainModule,
  section,
  sectionsOfModule,
  signWith,
  subject,
  tokenSection,
} from '../../support/signed-module.ts';

const policy = { trustedIssuers: new Set([issuer.publicKey]) };
const draft: ClaimsDraft = {
  name: 'Echo',
  capabilities: ['wasmcloud:httpserver'],
  callAlias: ' Wasmcloud/Echo-Actor.v1 ',
  tags: ['sample'],
  revision: 4,
  version: '0.3.4',
};
const sign = (bytes: Uint8Array, claims: ClaimsDraft = draft) => signModule(bytes, { issuer, subject, claims });
const refused = (code: string) => expect.objectContaining({ code });

describe('signing', () => {
  it('what was signed is verified, with the claims that were given', async () => {
    const expiresAt = new Date('2999-01-01T00:00:00Z');
    const notBefore = new Date('2020-01-01T00:00:00Z');
    const signed = await sign(plainModule, { ...draft, expiresAt, notBefore });
    expect(await verifyModule(signed, policy)).toEqual({
      digest: digestOf(signed),
      claims: {
        issuer: issuer.publicKey,
        subject: subject.publicKey,
        name: 'Echo',
        capabilities: ['wasmcloud:httpserver'],
        callAlias: 'wasmcloud/echo_actor_v1',
        revision: 4,
        version: '0.3.4',
        tags: ['sample'],
        expiresAt,
        notBefore,
        issuedAt: expect.any(Date),
        jti: expect.stringMatching(/^[0-9A-Za-z]{22}$/),
      },
    });
  });

  it('the token has the bytes upstream would write: header, field order, section name', async () => {
    const signed = await sign(plainModule, { ...draft, expiresAt: new Date('2999-01-01T00:00:00Z') });
    const token = readToken(readEmbeddedToken(signed)!.text);
    expect(token.header).toBe('{"typ":"jwt","alg":"Ed25519"}');
    expect(Object.keys(token.payload)).toEqual(['exp', 'jti', 'iat', 'iss', 'sub', 'wascap', 'wascap_revision']);
    expect(Object.keys(token.payload.wascap!)).toEqual([
      'name',
      'hash',
      'tags',
      'caps',
      'rev',
      'ver',
      'call_alias',
      'prov',
    ]);
    expect(token.payload.wascap).toMatchObject({ hash: upperHash(plainModule), prov: false });
    expect(Buffer.from(signed).equals(concat(plainModule, tokenSection(token.text)))).toBe(true);
  });

  it('what is not given is left out of the token', async () => {
    const signed = await sign(plainModule, { name: 'x' });
    const { payload } = readToken(readEmbeddedToken(signed)!.text);
    expect(Object.keys(payload)).toEqual(['jti', 'iat', 'iss', 'sub', 'wascap', 'wascap_revision']);
    expect(Object.keys(payload.wascap!)).toEqual(['name', 'hash', 'tags', 'caps', 'prov']);
    expect((await verifyModule(signed, policy)).claims).toMatchObject({ revision: 0, version: '', capabilities: [] });
  });

  it('signing again replaces the claims and keeps the bytes', async () => {
    const again = await sign(await sign(plainModule), { ...draft, revision: 5 });
    expect(Buffer.from(removeToken(again)).equals(plainModule)).toBe(true);
    expect((await verifyModule(again, policy)).claims!.revision).toBe(5);
  });

  it('claims of both names and at any place are replaced by one at the end', async () => {
    const token = createToken(payloadOf(plainModule));
    const messy = concat(
      modulePreamble,
      tokenSection(token, 'jwt'),
      plainModule.subarray(modulePreamble.length),
      tokenSection(token),
      custom('tail', [1]),
    );
    const signed = await sign(messy);
    expect(Buffer.from(removeToken(signed)).equals(concat(plainModule, custom('tail', [1])))).toBe(true);
    await verifyModule(signed, policy);
  });

  it('a component is signed like a module', async () => {
    expect((await verifyModule(await sign(plainComponent), policy)).claims!.name).toBe('Echo');
  });

  it('section lengths that a linker padded are written minimally, so that the result verifies', async () => {
    const [type, ...rest] = sectionsOfModule.map(([, bytes]) => bytes);
    const padded = concat(modulePreamble, Uint8Array.of(1, 0x84, 0x80, 0x80, 0x80, 0), type!.subarray(2), ...rest);
    await expect(verifyModule(padded, { ...policy, allowUnsigned: true })).rejects.toThrow(refused('E_WASM_MALFORMED'));
    const signed = await sign(padded);
    await verifyModule(signed, policy);
    expect(Buffer.from(removeToken(signed)).equals(plainModule)).toBe(true);
  });

  it.each([
    ['a module key as issuer', { issuer: subject, subject }, 'E_KEY'],
    ['an account as subject', { issuer, subject: issuer }, 'E_KEY'],
    ['a subject that is no key', { issuer, subject: 'echo' }, 'E_KEY'],
  ])('%s is refused', async (_name, keys, code) => {
    await expect(signModule(plainModule, { ...keys, claims: draft })).rejects.toThrow(refused(code));
  });

  it.each([
    ['a name with a line end', { name: 'a\nb' }],
    ['a revision that is a fraction', { name: 'a', revision: 1.5 }],
    ['a capability with a control character', { name: 'a', capabilities: ['\u001b'] }],
    ['an expiry that is no date', { name: 'a', expiresAt: new Date('never') }],
  ])('%s is refused before it is signed', async (_name, claims) => {
    await expect(sign(plainModule, claims)).rejects.toThrow(refused('E_TOKEN_CLAIMS'));
  });

  it('a component with claims inside is refused', async () => {
    const inner = concat(componentPreamble, section(1, await sign(plainModule)));
    await expect(sign(inner)).rejects.toThrow(refused('E_SIG_NESTED'));
  });

  it.each([
    ['  Ping Pong ', 'ping_pong'],
    ['wasmcloud/ponger', 'wasmcloud/ponger'],
    ['a.b-c d', 'a_b_c_d'],
    ['Straße', 'strae'],
  ])('call alias %j is written as %j', (given, written) => {
    expect(normalizeCallAlias(given)).toBe(written);
  });
});

describe('modules that may run', () => {
  const legacy = (revision: number | undefined, hash?: string) =>
    signWith(({ wascap_revision: _gone, ...payload }) => ({
      ...payload,
      wascap: { ...payload.wascap, ...(hash ? { hash } : {}) },
      ...(revision === undefined ? {} : { wascap_revision: revision }),
    }));
  const zeros = '0'.repeat(64);
  const now = new Date('2026-01-01T00:00:00Z');
  const seconds = now.getTime() / 1000;
  const time = (claims: object) => signWith((payload) => ({ ...payload, ...claims }));

  it.each([
    ['the legacy section name', concat(plainModule, tokenSection(createToken(payloadOf(plainModule)), 'jwt')), {}],
    ['no revision, the hash being that of the bytes', legacy(undefined), {}],
    ['revision 2, the hash being that of the bytes', legacy(2), {}],
    ['revision 2 and another hash, when the operator allows it', legacy(2, zeros), { allowLegacyClaims: true }],
    [
      'no revision and another hash, when the operator allows it',
      legacy(undefined, zeros),
      { allowLegacyClaims: true },
    ],
    ['an expiry to come', time({ exp: seconds + 1 }), { now, requireExpiry: true }],
    ['an expiry this very second', time({ exp: seconds }), { now }],
    ['a beginning that a clock 60 s ahead wrote', time({ nbf: seconds + 60 }), { now }],
    ['the revision that was seen', signWith(), { minimumRevision: () => 4 }],
    ['no revision seen yet', signWith(), { minimumRevision: () => undefined }],
    ['the subject expected', signWith(), { subject: subject.publicKey }],
    ['an issuer a rule trusts', signWith(), { trustedIssuers: (key: string) => key === issuer.publicKey }],
  ])('%s', async (_name, bytes, change) => {
    expect((await verifyModule(bytes, { ...policy, ...change })).claims?.subject).toBe(subject.publicKey);
  });

  it('an unsigned module runs without claims when the operator allows it', async () => {
    expect(await verifyModule(plainModule, { ...policy, allowUnsigned: true })).toEqual({
      digest: digestOf(plainModule),
    });
  });

  it('an empty capability of 2020 means none', async () => {
    const bytes = signWith((payload) => ({ ...payload, wascap: { ...payload.wascap, caps: [''] } }));
    expect((await verifyModule(bytes, policy)).claims!.capabilities).toEqual([]);
  });

  it('a refusal of an issuer names the command that trusts it', async () => {
    await expect(verifyModule(signWith(), { trustedIssuers: new Set() })).rejects.toMatchObject({
      code: 'E_SIG_ISSUER',
      hint: expect.stringContaining(`--trust ${issuer.publicKey}`),
    });
  });
});

describe('inspection', () => {
  it('a good module shows its claims, believed by nobody yet', async () => {
    const stranger = createKeyPair('account');
    const signed = await signModule(plainModule, { issuer: stranger, subject, claims: draft });
    expect(await inspectModule(signed)).toMatchObject({
      claims: { issuer: stranger.publicKey, name: 'Echo' },
      wascapRevision: 3,
      signatureValid: true,
      hashMatches: true,
    });
  });

  it('faults are told, not thrown', async () => {
    expect((await inspectModule(plainModule)).fault).toMatchObject({ code: 'E_SIG_MISSING' });
    const changed = await inspectModule(signWith((p) => ({ ...p, wascap: { ...p.wascap, hash: 'A'.repeat(64) } })));
    expect(changed).toMatchObject({ signatureValid: true, hashMatches: false });
    const forged = await inspectModule(signWith(undefined, { key: createKeyPair('account') }));
    expect(forged).toMatchObject({ signatureValid: false, hashMatches: true, fault: { code: 'E_SIG_INVALID' } });
    const noModule = await inspectModule(signWith((p) => ({ ...p, wascap: { name: 'acme' } })));
    expect(noModule).toMatchObject({ signatureValid: true, fault: { code: 'E_SIG_KIND' } });
    expect((await inspectModule(concat(plainModule, tokenSection('x')))).fault).toMatchObject({ code: 'E_TOKEN' });
  });
});
