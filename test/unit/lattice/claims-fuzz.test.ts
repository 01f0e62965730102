import { expect, it } from 'vitest';
import { fuzzClaims } from '../../support/mutated-modules.ts';

it('three thousand mutated modules are refused with a code, or are what was signed', async () => {
  const { accepted, codes } = await fuzzClaims(3000, 20_260_101);
  expect(accepted).toBeGreaterThan(0);
  expect(Object.keys(codes).length).toBeGreaterThan(8);
}, 20_000);
