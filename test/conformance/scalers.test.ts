// The scaler decisions of upstream (../shared/vectors/scalers.json), case by case.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Link } from '../../lattice/types.ts';
import type { Command } from '../../wadm/commands.ts';
import { parseManifest } from '../../wadm/manifest.ts';
import { planUnit } from '../../wadm/scalers/index.ts';
import { computeSpread, createAnnotations, isEligible } from '../../wadm/scalers/placement.ts';
import type { LinkUnit, RunUnit } from '../../wadm/scalers/scaler.ts';
import { createUnits } from '../../wadm/units.ts';
import { createRunUnit, createState, type HostSpec } from '../support/wadm.ts';

type Labels = Record<string, Record<string, string>>;
interface Case {
  test: string;
  instances: number;
  spread: { name: string; weight?: number | null; requirements?: Record<string, string> }[];
  hosts: Labels;
  running: Record<string, Record<string, number>>;
  expected_commands: { host: string; scale: number; spread?: string }[];
  expected_status: { type: string; message_contains: string };
}
const vectors = JSON.parse(readFileSync(new URL('../../../shared/vectors/scalers.json', import.meta.url), 'utf8'));
const find = (family: string, test: string): Case => vectors[family].find((one: Case) => one.test === test);

const unitOf = (kind: RunUnit['kind'], one: Pick<Case, 'instances' | 'spread'>): RunUnit =>
  createRunUnit(kind, {
    instances: one.instances,
    spread: one.spread.map(({ name, weight, requirements }) => ({
      name,
      requirements: requirements ?? {},
      ...(weight == null ? {} : { weight }),
    })),
  });

/** Hosts with groups `{host: {spread: count}}` that wear the unit's annotations. */
function withActors(unit: RunUnit, hosts: Labels, running: Record<string, Record<string, number>>) {
  const spec = Object.entries(hosts).map(([id, labels]): [string, HostSpec] => {
    const actors = Object.entries(running[id] ?? {}).map(([spread, count]) => ({
      id: unit.target,
      image_ref: unit.image,
      revision: 0,
      max_instances: count,
      annotations: { ...createAnnotations(unit, spread) },
    }));
    return [id, { labels, actors }];
  });
  return createState(Object.fromEntries(spec));
}

const scales = (commands: readonly Command[]): string[] =>
  commands.map((one) => (one.type === 'scale' ? `${one.host} ${one.count}` : one.type)).sort();
const wanted = (commands: { host: string; scale: number }[]): string[] =>
  commands.map((one) => `${one.host} ${one.scale}`).sort();

describe('the arithmetic of spreads', () => {
  for (const { instances, weights, expected } of vectors.compute_spread.cases)
    it(`${instances} over ${JSON.stringify(weights)} is ${JSON.stringify(expected)}`, () => {
      const spread = weights.map((weight: number | null, index: number) => ({ name: `s${index}`, weight }));
      const unit = unitOf('actor-spread', { instances, spread });
      expect(computeSpread(unit.scaler).map(({ count }) => count)).toEqual(expected);
    });
});

describe('spreadscaler of actors', () => {
  for (const test of ['can_compute_spread_commands', 'can_scale_up_and_down/echo', 'can_scale_up_and_down/blobby'])
    it(test, () => {
      const one = find('component_spreadscaler', test);
      const unit = unitOf('actor-spread', one);
      const { commands } = planUnit(unit, withActors(unit, one.hosts, one.running));
      expect(scales(commands)).toEqual(wanted(one.expected_commands));
      for (const { host, spread } of one.expected_commands)
        if (spread)
          expect(commands).toContainEqual(
            expect.objectContaining({ host, annotations: createAnnotations(unit, spread) }),
          );
    });

  it('calculates_proper_scale_commands: two commands, one a host; nothing wanted: none left anywhere', () => {
    const one = find('component_spreadscaler', 'calculates_proper_scale_commands');
    const unit = unitOf('actor-spread', one);
    const state = withActors(unit, one.hosts, one.running);
    const { commands } = planUnit(unit, state);
    expect(commands.map((command) => 'host' in command && command.host).sort()).toEqual(['H1', 'H2']);
    const none = unitOf('actor-spread', { ...one, instances: 0 });
    const cleanup = planUnit(none, state).commands;
    expect(scales(cleanup)).toEqual(['H1 0', 'H2 0']);
    for (const command of cleanup) expect(command).toMatchObject({ annotations: createAnnotations(unit, 'default') });
  });

  it('can_react_to_events: the same state gives the same commands, whatever woke the loop', () => {
    const one = find('component_spreadscaler', 'can_scale_up_and_down/blobby');
    const unit = unitOf('actor-spread', one);
    const state = withActors(unit, one.hosts, one.running);
    expect(planUnit(unit, state)).toEqual(planUnit(unit, state));
  });

  it('can_calculate_ineligible_hosts: every label must be equal', () => {
    const { spread } = find('component_spreadscaler', 'can_calculate_ineligible_hosts');
    const matches = (labels: Record<string, string>): boolean =>
      spread.some((one) => isEligible(labels, { requirements: one.requirements ?? {} }));
    expect(matches({ region: 'west', resilient: 'false', arch: 'nemesis' })).toBe(false);
    expect(matches({ region: 'east' })).toBe(true);
    expect(matches({ region: 'west', resilient: 'true' })).toBe(true);
  });

  for (const running of ['can_detect_spread_requirement_conflicts_1', 'can_detect_spread_requirement_conflicts_2'])
    it(running, () => {
      const one = find('component_spreadscaler', 'can_detect_spread_requirement_conflicts_1');
      const unit = unitOf('actor-spread', one);
      const { status } = planUnit(unit, withActors(unit, one.hosts, find('component_spreadscaler', running).running));
      expect(status.type).toBe(one.expected_status.type);
      expect(status.message).toContain(one.expected_status.message_contains);
    });
});

describe('daemonscaler of actors', () => {
  const hosts = find('component_spreadscaler', 'can_scale_up_and_down/echo').hosts;

  it('can_compute_spread_commands: the full count of each spread', () => {
    const one = find('component_daemonscaler', 'can_compute_spread_commands');
    const unit = unitOf('actor-daemon', one);
    const { commands } = planUnit(unit, withActors(unit, one.hosts, {}));
    expect(scales(commands)).toEqual(['H 13', 'H 13', 'H 13', 'H 13']);
    expect(new Set(commands.map((command) => JSON.stringify(command))).size).toBe(4);
  });

  for (const [test, expected] of [
    ['can_scale_up_and_down/echo', ['ONE 412', 'TREE 412', 'TWO 412']],
    ['can_scale_up_and_down/blobby', ['TREE 3', 'TWO 3']],
  ] as const)
    it(test, () => {
      const one = find('component_daemonscaler', test);
      const unit = unitOf('actor-daemon', one);
      const running = Object.fromEntries(
        Object.entries(one.running as unknown as Record<string, number>).map(([host, count]) => {
          const spread = one.spread.find(({ requirements }) =>
            isEligible(hosts[host]!, { requirements: requirements ?? {} }),
          );
          return [host, { [spread!.name]: count }];
        }),
      );
      expect(scales(planUnit(unit, withActors(unit, hosts, running)).commands)).toEqual(expected);
    });

  it('can_react_to_host_events: a new matching host gets the full count', () => {
    const one = find('component_daemonscaler', 'can_react_to_host_events');
    const unit = unitOf('actor-daemon', one);
    const running = { ONE: { HighAvailability: 10 }, TWO: { HighAvailability: 10 } };
    const more = { ...one.hosts, TREE: { region: 'us-brooks-1' } };
    expect(scales(planUnit(unit, withActors(unit, more, running)).commands)).toEqual(['TREE 10']);
    expect(planUnit(unit, withActors(unit, one.hosts, running)).commands).toEqual([]);
  });
});

describe('spreadscaler of providers', () => {
  function plan(test: string): Command[] {
    const one = {
      ...find('provider_spreadscaler', 'can_handle_too_few_preexisting'),
      ...find('provider_spreadscaler', test),
    };
    const unit = unitOf('provider-spread', one);
    const running = one.running as unknown as { host: string; spread?: string }[];
    const spec = Object.entries(one.hosts).map(([id, labels]): [string, HostSpec] => {
      const here = running.filter(({ host }) => host === id);
      const providers = here.map(({ spread }) => ({
        id: unit.target,
        image_ref: unit.image,
        revision: 0,
        annotations: spread ? { ...createAnnotations(unit, spread) } : {},
      }));
      return [id, { labels, providers }];
    });
    return [...planUnit(unit, createState(Object.fromEntries(spec))).commands];
  }
  const told = (commands: readonly Command[]): string[] =>
    commands.map((one) => `${one.type.split('-')[0]} ${'host' in one ? one.host : ''}`).sort();

  for (const test of [
    'can_spread_on_multiple_hosts',
    'can_handle_too_few_preexisting',
    'can_handle_enough_preexisting',
    'can_handle_too_many_preexisting',
  ])
    it(test, () => {
      const expected = find('provider_spreadscaler', test).expected_commands as unknown as {
        start?: string;
        stop?: string;
      }[];
      expect(told(plan(test))).toEqual(
        expected.map((one) => (one.start ? `start ${one.start}` : `stop ${one.stop}`)).sort(),
      );
    });

  it('can_do_multiple_instances_per_spread', () => {
    const commands = told(plan('can_do_multiple_instances_per_spread'));
    expect(commands.slice(0, 2)).toEqual(['start THREE', 'start TWO']);
    expect(commands.slice(2)).toHaveLength(1);
    expect(commands[2]).toMatch(/^stop (ONE|FOUR)$/);
  });
});

describe('scaler of links', () => {
  const link: Link = {
    source_id: 'a',
    target: 'b',
    name: 'default',
    wit_namespace: 'wasi',
    wit_package: 'keyvalue',
    interfaces: ['store'],
    source_config: [],
    target_config: ['c'],
  };
  const facts = { application: 'app', name: 'a', component: 'a', needs: [], position: { line: 1, column: 1 } };
  const unit: LinkUnit = { kind: 'link', id: '1', ...facts, link, owned: false };

  it('test_no_linkdef: one command that puts it', () =>
    expect(planUnit(unit, createState({ H: {} })).commands).toEqual([{ type: 'put-link', link }]));
  it('test_existing_linkdef: no command', () =>
    expect(planUnit(unit, createState({ H: {} }, { links: [link] })).commands).toEqual([]));

  it('test_different_ids: equal for equal config, another for another', () => {
    const ids = ['redis', 'redis', 'other'].map((config) => {
      const { application } =
        parseManifest(`{apiVersion: core.oam.dev/v1beta1, kind: Application, metadata: {name: app},
        spec: {components: [{name: a, type: component, properties: {image: x}, traits: [{type: link, properties:
        {namespace: wasi, package: keyvalue, interfaces: [store], target: {name: b, config: [{name: ${config}}]}}}]},
        {name: b, type: capability, properties: {image: y}}]}}`);
      return createUnits(application!, new Map()).find(({ kind }) => kind === 'link')!.id;
    });
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
  });
});
