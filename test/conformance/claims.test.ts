// Claims against facts of the outside: tokens read out of 44 real signed modules, and the vectors of wascap itself.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseModuleMetadata, toClaims, verifyModule } from '../../lattice/claims.ts';
import { parseKeyOf, parseSeed } from '../../lattice/nkeys.ts';
import { readToken, verifyToken } from '../../lattice/token.ts';
import { concat, plainModule, tokenSection } from '../support/signed-module.ts';

const readVectors = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../../shared/vectors/${name}.json`, import.meta.url), 'utf8')) as T;

interface RealToken {
  readonly section: string;
  readonly encoding: string;
  readonly jwt: string;
  readonly header: object;
  readonly payload: {
    iss: string;
    sub: string;
    wascap?: { name?: string; hash: string; caps?: string[]; rev?: number };
    wascap_revision?: number;
  };
  readonly signature_valid: boolean;
  readonly hash_of_stripped_bytes: string;
  readonly hash_matches: boolean | null;
}
const tokens = readVectors<RealToken[]>('tokens').map((token, index) => ({
  ...token,
  index,
  title: token.payload.wascap?.name ?? token.payload.sub,
}));

describe('tokens of real modules', () => {
  it.each(tokens)('$index $title: header and payload are read as they are, and the signature holds', async (row) => {
    const token = readToken(row.jwt);
    expect(JSON.parse(token.header)).toEqual(row.header);
    expect(token.payload).toMatchObject({ iss: row.payload.iss, sub: row.payload.sub });
    expect(token.payload.wascap).toEqual(row.payload.wascap);
    const valid = await verifyToken(token).then(
      () => true,
      () => false,
    );
    expect(valid).toBe(row.signature_valid);
    parseKeyOf('account', token.payload.iss);
    parseKeyOf('module', token.payload.sub);
  });

  it.each(tokens.filter(({ payload }) => payload.wascap))('$index $title: its claims are those of its token', (row) => {
    const { payload } = readToken(row.jwt);
    const metadata = parseModuleMetadata(payload);
    const { name, caps, rev } = row.payload.wascap!;
    expect(toClaims(payload, metadata)).toMatchObject({
      name: name ?? '',
      capabilities: (caps ?? []).filter((cap) => cap !== ''),
      revision: rev ?? 0,
    });
    if (row.hash_matches !== null) expect(metadata.hash === row.hash_of_stripped_bytes).toBe(row.hash_matches);
  });

  it.each(tokens.filter(({ payload }) => !payload.wascap))(
    '$index $title: a token of 2019 is no module token',
    (row) => {
      expect(() => parseModuleMetadata(readToken(row.jwt).payload)).toThrow(
        expect.objectContaining({ code: 'E_SIG_KIND' }),
      );
    },
  );

  it.each(tokens)('$index $title: glued on another module it is refused, by its revision', async (row) => {
    const bytes = concat(plainModule, tokenSection(row.jwt, row.section));
    const trusted = { trustedIssuers: () => true };
    const expected = !row.payload.wascap
      ? 'E_SIG_KIND'
      : (row.payload.wascap_revision ?? 0) >= 3
        ? 'E_SIG_HASH'
        : 'E_SIG_LEGACY';
    await expect(verifyModule(bytes, trusted)).rejects.toMatchObject({ code: expected });
  });
});

interface ClaimVectors {
  readonly valid_token: { jwt: string; payload: object; signature_valid: boolean };
  readonly reject_tokens: { jwt: string; error: string }[];
  readonly fixture_key_vectors: { seed: string; key: string; issuer?: string; subject?: string }[];
  readonly provider_archives: {
    file: string;
    jwt: string;
    payload: { iss: string; sub: string; wascap: object };
    signature_valid: boolean;
  }[];
}
const claims = readVectors<ClaimVectors>('claims');

describe('vectors of wascap', () => {
  it('the literal token is valid', async () => {
    const token = readToken(claims.valid_token.jwt);
    expect(token.payload).toEqual(claims.valid_token.payload);
    await verifyToken(token);
  });

  it.each(claims.reject_tokens)('$jwt is refused: $error', ({ jwt, error }) => {
    const reason = error.replace(/^JWT error: /, '');
    const segments = reason.startsWith('invalid token format');
    expect(() => readToken(jwt)).toThrow(segments ? reason : expect.objectContaining({ code: 'E_TOKEN_ENCODING' }));
  });

  it.each(claims.fixture_key_vectors)('the seed of $key is that of its public key', (row) => {
    const pair = parseSeed(row.seed);
    expect(pair.publicKey).toBe(row.issuer ?? row.subject);
    if (row.issuer === undefined) return;
    const resigned = tokens.filter(({ payload }) => payload.iss === row.issuer);
    for (const { jwt } of resigned) {
      const at = jwt.lastIndexOf('.');
      expect(Buffer.from(pair.sign(Buffer.from(jwt.slice(0, at)))).toString('base64url')).toBe(jwt.slice(at + 1));
    }
  });

  it.each(claims.provider_archives)('the token of $file verifies and is that of a provider', async (row) => {
    const token = readToken(row.jwt);
    await verifyToken(token);
    expect(token.payload).toMatchObject(row.payload);
    parseKeyOf('service', token.payload.sub);
    expect(() => parseModuleMetadata(token.payload)).toThrow(expect.objectContaining({ code: 'E_SIG_KIND' }));
  });
});
