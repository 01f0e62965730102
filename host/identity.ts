// How a host presents itself: the labels every host has, a name a person can say, its age in words.
import { arch, platform } from 'node:os';

/** Rust's names, which manifests of users expect in requirements (protocol.md 6.6). */
const archNames: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };
const osNames: Record<string, string> = { darwin: 'macos', win32: 'windows' };
/** Labels every host has; nobody can change them (protocol.md 6.6). */
export const coreLabels = (): Record<string, string> => ({
  'hostcore.arch': archNames[arch()] ?? arch(),
  'hostcore.os': osNames[platform()] ?? platform(),
  'hostcore.osfamily': platform() === 'win32' ? 'windows' : 'unix',
});

const adjectives = [
  'amber',
  'brisk',
  'calm',
  'dapper',
  'eager',
  'fond',
  'gentle',
  'hazel',
  'ivory',
  'jolly',
  'keen',
  'lucid',
  'merry',
  'noble',
  'olive',
  'plucky',
];
const nouns = [
  'acacia',
  'banksia',
  'cassia',
  'daisy',
  'elder',
  'fern',
  'grove',
  'heath',
  'iris',
  'jarrah',
  'kelp',
  'linden',
  'moss',
  'nettle',
  'orchid',
  'wattle',
];
/** A name a person can say, the same for the same key. */
export function friendlyNameOf(id: string): string {
  const pick = (list: readonly string[], at: number): string => list[id.charCodeAt(at) % list.length]!;
  return `${pick(adjectives, 5)}-${pick(nouns, 6)}-${id.slice(7, 11).toLowerCase()}`;
}

/** `2d 3h 4m 5s`, parts of zero left out. */
export function humanDuration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [Math.floor(seconds) % 60, 's'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`);
  return shown.join(' ') || '0s';
}
