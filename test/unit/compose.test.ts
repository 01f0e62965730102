// docker-compose.yml and the Dockerfile against the real command line: there is no engine here to run them, so every command,
// flag and variable they name must at least exist.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command as Program } from 'commander';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createCli } from '../../cli/cli.ts';
import { createOutput } from '../../cli/output.ts';
import { createProgram } from '../../cli/program.ts';
import { pinnedNatsVersion } from '../../lattice/nats-release.ts';
import { settingRows } from '../../lattice/settings.ts';
import { root } from '../support/sources.ts';

interface Service {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
}

const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const compose = parse(read('docker-compose.yml'), { merge: true });
const services: Record<string, Service> = compose.services;
const ours = Object.entries(services).filter(([, { image }]) => image === 'wattle');
const program = createProgram(createCli(createOutput(false, process.stdout, process.stderr)));

/** The command that words name, and the words left over. */
function findCommand(words: readonly string[]): { command: Program; rest: readonly string[] } {
  const next = program.commands.find((one) => one.name() === words[0]);
  const child = next?.commands.find((one) => one.name() === words[1]);
  return { command: child ?? next ?? program, rest: words.slice(child ? 2 : next ? 1 : 0) };
}

describe('docker-compose.yml', () => {
  test('has NATS with JetStream, Redis, two hosts and wadm', () => {
    expect(Object.keys(services)).toEqual(['nats', 'redis', 'host-a', 'host-b', 'wadm']);
    expect(services.nats?.image).toBe(`nats:${pinnedNatsVersion}`);
    expect(compose.configs.nats.content).toContain('jetstream {');
    expect(ours.map(([name]) => name)).toEqual(['host-a', 'host-b', 'wadm']);
  });

  test.each(ours)('%s runs a command that exists, with flags that exist', (_name, { command: words }) => {
    const { command, rest } = findCommand(words);
    expect(command.commands, `${words.join(' ')} is complete`).toEqual([]);
    const flags = command.options.map((option) => option.long);
    expect(rest.filter((word) => word.startsWith('-') && !flags.includes(word.split('=')[0]))).toEqual([]);
  });

  test('sets only variables that a setting reads', () => {
    const known = Object.values(settingRows).flatMap((row): readonly string[] => row.env);
    const set = ours.flatMap(([, { environment }]) => Object.keys(environment ?? {}));
    expect(set.filter((name) => !known.includes(name) && !name.startsWith('WATTLE_LABEL_'))).toEqual([]);
    expect(known).toContain('WATTLE_DATA_DIR');
  });

  test('holds no seed', () => {
    expect(read('docker-compose.yml')).not.toMatch(/\bS[A-Z][A-Z2-7]{56}\b/);
  });

  test('declares every volume it mounts', () => {
    const mounted = Object.values(services).flatMap(({ volumes }) => (volumes ?? []).map((one) => one.split(':')[0]!));
    expect(new Set(mounted)).toEqual(new Set(Object.keys(compose.volumes)));
  });
});

describe('the Dockerfile', () => {
  test('copies and runs only files that exist', () => {
    const text = read('Dockerfile');
    for (const name of ['package.json', 'package-lock.json', 'tsconfig.build.json']) {
      expect(text).toContain(name);
      expect(read(name)).not.toBe('');
    }
    expect(text).toMatch(/^USER node$/m);
  });
});
