// The one internal shape of an application, whatever era its manifest was written in, and the names derived from it.
// Everything carries its place in the manifest, so that any later reason can name the line.
import { createHash } from 'node:crypto';
import type { Position } from './document.ts';

export interface Application {
  readonly name: string;
  /** Of the `version` annotation; undefined when the manifest has none. */
  readonly version: string | undefined;
  readonly description: string | undefined;
  /** Other applications may link to its components (`experimental.wasmcloud.dev/shared`). */
  readonly shared: boolean;
  readonly components: readonly Component[];
  readonly links: readonly AppLink[];
  readonly policies: readonly Policy[];
  /** Secrets asked for anywhere in the manifest. */
  readonly secrets: readonly SecretUse[];
}

export interface Component {
  readonly kind: 'actor' | 'provider';
  readonly name: string;
  /** Id in the lattice. Of a shared reference: unused, the id of the component it points to counts. */
  readonly id: string;
  /** Where the component stands, where its id and its image stand. */
  readonly position: Position;
  readonly idPosition: Position;
  readonly imagePosition: Position;
  readonly image: string;
  /** Points to a component of another application instead of an image. */
  readonly reference: SharedReference | undefined;
  readonly config: readonly ConfigUse[];
  readonly scaler: ScalerSettings;
  /** 0.x: what links of the actor era need of a provider. */
  readonly contract: string | undefined;
  readonly linkName: string | undefined;
}

export interface SharedReference {
  readonly application: string;
  readonly component: string;
  readonly position: Position;
}

/** A config by its name in the lattice. With `values` the application makes it; without, it must exist. */
export interface ConfigUse {
  readonly name: string;
  readonly values: Readonly<Record<string, string>> | undefined;
  readonly position: Position;
}

export interface SecretUse {
  readonly name: string;
  readonly policy: string | undefined;
  readonly position: Position;
}

export interface Policy {
  readonly name: string;
  readonly type: string;
  readonly position: Position;
}

export interface Spread {
  readonly name: string;
  /** Labels a host must have, all of them. */
  readonly requirements: Readonly<Record<string, string>>;
  readonly weight: number;
}

export interface ScalerSettings {
  readonly kind: 'spread' | 'daemon';
  readonly instances: number;
  /** Empty: one spread named `default` without requirements. */
  readonly spread: readonly Spread[];
  /** The trait, or the component when it has none. */
  readonly position: Position;
  /** False when the manifest has no scaler trait and the default of one instance holds. */
  readonly written: boolean;
}

/** A link between two components of the application, by their names. */
export interface AppLink {
  readonly source: string;
  readonly target: string;
  readonly name: string;
  readonly namespace: string;
  readonly package: string;
  readonly interfaces: readonly string[];
  readonly sourceConfig: readonly ConfigUse[];
  readonly targetConfig: readonly ConfigUse[];
  readonly position: Position;
  readonly targetPosition: Position;
}

/** Lower case, and `_` for all that is not an ASCII letter or digit (protocol.md 5.4). */
export const sanitize = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '_');

/** Ids and generated config names: `san(application)-san(name)` (protocol.md 5.4). */
export const derivedName = (application: string, name: string): string => `${sanitize(application)}-${sanitize(name)}`;

/** Names of applications as upstream allows them, ASCII only. */
export const appNamePattern = /^[A-Za-z0-9_-]{1,64}$/;

export const annotationKeys = {
  managedBy: 'wasmcloud.dev/managed-by',
  application: 'wasmcloud.dev/appspec',
  scaler: 'wasmcloud.dev/scaler',
  spread: 'wasmcloud.dev/spread_name',
} as const;

/** Id of a scaler: SHA-256 over what makes it another one. Two wadm processes derive the same. */
export const scalerId = (parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');
