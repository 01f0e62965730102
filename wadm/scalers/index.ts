// The list of scalers, by the kind of unit they plan for.
import type { LatticeState } from '../../lattice/state.ts';
import { configScaler } from './config.ts';
import { daemonscaler } from './daemonscaler.ts';
import { linkScaler } from './link.ts';
import { providerDaemon, providerSpread } from './provider.ts';
import type { BrokenUnit, Decision, Scaler, Unit } from './scaler.ts';
import { spreadscaler } from './spreadscaler.ts';

const broken: Scaler<BrokenUnit> = {
  wireKind: 'SharedComponent',
  plan: (unit) => ({ commands: [], status: { type: 'failed', message: unit.reason, code: unit.code } }),
};

const scalers: { readonly [K in Unit['kind']]: Scaler<Extract<Unit, { kind: K }>> | Scaler<never> } = {
  'actor-spread': spreadscaler,
  'actor-daemon': daemonscaler,
  'provider-spread': providerSpread,
  'provider-daemon': providerDaemon,
  link: linkScaler,
  config: configScaler,
  broken,
};

const scalerOf = (unit: Unit): Scaler => scalers[unit.kind] as unknown as Scaler;

export const wireKind = (unit: Unit): string => scalerOf(unit).wireKind;
/** What one unit needs done, and how it stands. */
export const planUnit = (unit: Unit, state: LatticeState): Decision => scalerOf(unit).plan(unit, state);
