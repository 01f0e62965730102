// CONTRACT of the scalers. A unit is one thing an application wants (so many instances, a link, a config); its scaler
// compares it with the whole observed lattice and says what to do and how it stands. Pure: same input, same answer.

import type { ErrorCode } from '../../lattice/errors.ts';
import type { LatticeState } from '../../lattice/state.ts';
import type { Link } from '../../lattice/types.ts';
import type { StatusType } from '../../lattice/wadm-client.ts';
import type { ScalerSettings } from '../application.ts';
import type { Command } from '../commands.ts';
import type { Position } from '../document.ts';

interface UnitFacts {
  /** SHA-256, hex; also the scaler annotation of what it starts. */
  readonly id: string;
  readonly application: string;
  /** What it is about, for status: a component, a link, a config. */
  readonly name: string;
  /** The component of the manifest it belongs to. */
  readonly component: string;
  /** Configs that must be there first. */
  readonly needs: readonly string[];
  readonly position: Position;
}

/** So many instances of an actor or a provider. */
export interface RunUnit extends UnitFacts {
  readonly kind: 'actor-spread' | 'actor-daemon' | 'provider-spread' | 'provider-daemon';
  /** Id in the lattice. */
  readonly target: string;
  readonly image: string;
  readonly config: readonly string[];
  readonly scaler: ScalerSettings;
}

export interface LinkUnit extends UnitFacts {
  readonly kind: 'link';
  readonly link: Link;
  /** True when an application of ours put the link of this key: it may then be replaced. */
  readonly owned: boolean;
}

export interface ConfigUnit extends UnitFacts {
  readonly kind: 'config';
  /** Undefined: the config is not made by the application and must exist. */
  readonly values: Readonly<Record<string, string>> | undefined;
}

/** Something that cannot be wanted as it stands, such as a reference to a component nobody shares. */
export interface BrokenUnit extends UnitFacts {
  readonly kind: 'broken';
  readonly reason: string;
  readonly code: ErrorCode;
}

export type Unit = RunUnit | LinkUnit | ConfigUnit | BrokenUnit;

export interface UnitStatus {
  readonly type: StatusType;
  /** Why; empty only when deployed. */
  readonly message: string;
  readonly code?: ErrorCode;
  /** Where in the manifest, when that is not the place of the unit. */
  readonly position?: Position;
}

export interface Decision {
  readonly commands: readonly Command[];
  readonly status: UnitStatus;
}

export interface Scaler<U extends Unit = Unit> {
  /** As upstream calls it on the wire: `SpreadScaler`, `LinkScaler` … */
  readonly wireKind: string;
  plan(unit: U, state: LatticeState): Decision;
}

export const deployed: UnitStatus = { type: 'deployed', message: '' };
