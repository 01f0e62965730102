// A module on its way in: fetched by reference, its claims verified, its binary walked. Only what passed all three is
// ever handed to a cell; nothing is compiled here.
import { type Claims, verifyModule } from '../lattice/claims.ts';
import { WattleError } from '../lattice/errors.ts';
import type { Log } from '../lattice/log.ts';
import { admitModule } from './admission.ts';
import { readArtifact } from './artifact.ts';

/** Verified, admitted bytes and what their token says; `claims` is undefined for unsigned modules the operator allows. */
export interface Module {
  readonly ref: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly claims: Claims | undefined;
}

export interface ModulePolicy {
  readonly cacheDir: string;
  trustedIssuers(): Promise<ReadonlySet<string>>;
  readonly allowUnsigned: boolean;
  readonly allowLegacyClaims: boolean;
  readonly log: Log;
}

/** Fetches, verifies and admits. Throws the codes of artifact.ts, E_SIG_* and E_WASM_*. */
export async function readModule(ref: string, policy: ModulePolicy): Promise<Module> {
  const { bytes, digest } = await readArtifact(ref, {
    cacheDir: policy.cacheDir,
    onStale: (reason) => policy.log.warn({ ref }, reason),
  });
  try {
    const verified = await verifyModule(bytes, {
      trustedIssuers: await policy.trustedIssuers(),
      allowUnsigned: policy.allowUnsigned,
      allowLegacyClaims: policy.allowLegacyClaims,
    });
    admitModule(bytes);
    return { ref, digest, bytes, claims: verified.claims };
  } catch (error) {
    if (!(error instanceof WattleError)) throw error;
    throw new WattleError(error.code, `${ref}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
