// The ABIs a module can have; the first that knows its exports wins.
import type { Abi } from './abi.ts';
import { wapc } from './wapc.ts';

export const abis: readonly Abi[] = [wapc];
