import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { annotationKeys } from '../../../wadm/application.ts';
import type { Command } from '../../../wadm/commands.ts';
import { parseManifest } from '../../../wadm/manifest.ts';
import { addOwned, type KnownApplication, planAll } from '../../../wadm/plan.ts';
import { planUnit } from '../../../wadm/scalers/index.ts';
import { isEligible } from '../../../wadm/scalers/placement.ts';
import { createUnits } from '../../../wadm/units.ts';
import { createRunUnit, createState, type HostSpec, settle } from '../../support/wadm.ts';

const zones = fc.constantFrom('a', 'b', 'c');
const labels = fc.record({ zone: zones, gpu: fc.constantFrom('yes', 'no') });
const spread = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('one', 'two', 'three', 'four'),
    weight: fc.integer({ min: 0, max: 100 }),
    requirements: fc.oneof(fc.constant({}), fc.record({ zone: zones }), fc.record({ gpu: fc.constant('yes') })),
  }),
  { selector: (one) => one.name, maxLength: 4 },
);
const running = fc.array(
  fc.record({
    spread: fc.constantFrom('one', 'two', 'default', 'old'),
    count: fc.integer({ min: 1, max: 9 }),
    image: fc.constantFrom('echo:1', 'echo:0'),
  }),
  { maxLength: 3 },
);
const hosts = fc.uniqueArray(fc.record({ id: fc.constantFrom('H1', 'H2', 'H3', 'H4'), labels, running }), {
  selector: (one) => one.id,
  maxLength: 4,
});

const unitKinds = ['actor-spread', 'actor-daemon', 'provider-spread', 'provider-daemon'] as const;

describe.each(unitKinds)('any lattice and any %s', (kind) => {
  const cases = fc.record({ instances: fc.integer({ min: 0, max: 20 }), spread, hosts });

  test('converge, on eligible hosts only, to no more than was asked, and then nothing is left to do', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const unit = createRunUnit(kind, one);
        const marks = (name: string) => ({
          [annotationKeys.managedBy]: 'wadm',
          [annotationKeys.application]: 'app',
          [annotationKeys.scaler]: unit.id,
          [annotationKeys.spread]: name,
        });
        const state = createState(
          Object.fromEntries(
            one.hosts.map(({ id, labels, running }): [string, HostSpec] => {
              const unique = [...new Map(running.map((group) => [group.spread, group])).values()];
              const described = unique.map((group) => ({
                id: unit.target,
                image_ref: group.image,
                revision: 0,
                max_instances: group.count,
                annotations: marks(group.spread),
              }));
              return [
                id,
                kind.startsWith('actor') ? { labels, actors: described } : { labels, providers: described.slice(0, 1) },
              ];
            }),
          ),
        );
        const spreads = one.spread.length > 0 ? one.spread : [{ name: 'default', requirements: {} }];
        const onCommand = (command: Command): void => {
          if (!('annotations' in command) || ('count' in command && command.count === 0)) return;
          const wanted = spreads.find(({ name }) => name === command.annotations[annotationKeys.spread])!;
          expect(isEligible(state.hosts.get(command.host)!.inventory.labels, wanted)).toBe(true);
        };
        const settled = settle(state, (next) => planUnit(unit, next).commands, onCommand);
        const inventories = [...settled.hosts.values()].map((host) => host.inventory);
        const actors = inventories.flatMap((inventory) => inventory.components);
        const providers = inventories.flatMap((inventory) => inventory.providers);
        expect(planUnit(unit, settled).commands).toEqual([]);
        for (const actor of actors) expect(actor.image_ref).toBe('echo:1');
        if (kind === 'actor-spread')
          expect(actors.reduce((sum, actor) => sum + actor.max_instances, 0)).toBeLessThanOrEqual(one.instances);
        if (kind === 'actor-daemon') for (const actor of actors) expect(actor.max_instances).toBe(one.instances);
        if (kind === 'provider-spread') expect(providers.length).toBeLessThanOrEqual(one.instances);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a spread', () => {
  test('takes instances away from a host only when another has them', () => {
    const unit = createRunUnit('actor-spread', {
      instances: 3,
      spread: [{ name: 'east', requirements: { zone: 'east' } }],
    });
    const group = (count: number) => ({
      id: unit.target,
      image_ref: unit.image,
      revision: 0,
      max_instances: count,
      annotations: { [annotationKeys.scaler]: unit.id, [annotationKeys.spread]: 'east' },
    });
    const before = createState({
      H1: { labels: { zone: 'west' }, actors: [group(3)] },
      H2: { labels: { zone: 'east' } },
    });
    expect(planUnit(unit, before).commands).toMatchObject([{ type: 'scale', host: 'H2', count: 3 }]);
    const between = createState({
      H1: { labels: { zone: 'west' }, actors: [group(3)] },
      H2: { labels: { zone: 'east' }, actors: [group(3)] },
    });
    expect(planUnit(unit, between).commands).toMatchObject([{ type: 'scale', host: 'H1', count: 0 }]);
  });

  test('without a matching host says which labels are missing, at the line of the scaler', () => {
    const unit = createRunUnit('actor-spread', {
      instances: 1,
      spread: [{ name: 'moon', requirements: { region: 'moon' } }],
    });
    const { status } = planUnit(unit, createState({ H1: {} }));
    expect(status).toMatchObject({ type: 'failed', code: 'E_NO_HOST', position: { line: 2 } });
    expect(status.message).toContain('region=moon');
  });
});

const manifest = (edit: { image?: string; config?: string; url?: string } = {}): string => `
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: { name: app, annotations: {} }
spec:
  components:
    - name: web
      type: component
      properties:
        image: ${edit.image ?? 'web:1'}
        config: [{ name: ${edit.config ?? 'c'}, properties: { a: b } }]
      traits:
        - type: spreadscaler
          properties: { instances: 2 }
        - type: link
          properties: { namespace: wasi, package: keyvalue, interfaces: [store], target: { name: kv, config: [{ name: url, properties: { url: "${edit.url ?? 'x'}" } }] } }
    - name: kv
      type: capability
      properties: { image: kv:1 }
`;

const parsed = (text: string) => {
  const { application, findings } = parseManifest(text);
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  return application!;
};
const none = { links: [], configs: [] };
const known = (text: string | undefined, owned: KnownApplication['owned'] = none): KnownApplication => {
  const deployed = text === undefined ? undefined : parsed(text);
  return {
    name: 'app',
    deployed,
    owned: deployed ? addOwned(owned, createUnits(deployed, new Map())) : owned,
    leaveRunning: false,
  };
};
const commandsOf =
  (application: KnownApplication) =>
  (state: Parameters<typeof planAll>[1]): Command[] => {
    const [planned] = planAll([application], state);
    return [...planned!.units.flatMap((unit) => unit.commands), ...planned!.removals];
  };

describe('an application', () => {
  const empty = createState({ H1: {} });

  test('puts config before anything that needs it', () => {
    expect(
      commandsOf(known(manifest()))(empty)
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['put-config', 'put-config', 'start-provider']);
  });

  test('that is undeployed leaves nothing behind', () => {
    const app = known(manifest());
    const full = settle(empty, commandsOf(app));
    expect(full.links.size + full.configs.size).toBe(3);
    const left = settle(full, commandsOf({ ...app, deployed: undefined }));
    expect([left.links.size, left.configs.size]).toEqual([0, 0]);
    expect(left.hosts.get('H1')?.inventory).toMatchObject({ components: [], providers: [] });
  });

  test('that is undeployed without stopping stays as it is', () => {
    const app = known(manifest());
    const full = settle(empty, commandsOf(app));
    expect(commandsOf({ ...app, deployed: undefined, leaveRunning: true })(full)).toEqual([]);
  });

  test('with another image is swapped in place, without a stop', () => {
    const full = settle(empty, commandsOf(known(manifest())));
    expect(commandsOf(known(manifest({ image: 'web:2' })))(full)).toMatchObject([
      { type: 'scale', ref: 'web:2', count: 2 },
    ]);
  });

  test('with another config name starts anew before the old instances go', () => {
    const first = known(manifest());
    const next = known(manifest({ config: 'd' }), first.owned);
    const seen: string[] = [];
    const end = settle(settle(empty, commandsOf(first)), commandsOf(next), (command, state) => {
      seen.push(command.type);
      if (command.type !== 'scale' || command.count > 0) return;
      const up = state.hosts.get('H1')!.inventory.components.filter((actor) => actor.max_instances === 2);
      expect(up).toHaveLength(2);
    });
    expect(seen).toEqual(['put-config', 'scale', 'scale', 'delete-config']);
    expect(end.configs.has('app-c')).toBe(false);
  });

  test('does not touch links, config and instances it did not make', () => {
    const link = {
      source_id: 'app-web',
      target: 'x',
      name: 'mine',
      wit_namespace: 'a',
      wit_package: 'b',
      interfaces: [],
      source_config: [],
      target_config: [],
    };
    const actor = { id: 'app-web', image_ref: 'y', revision: 0, max_instances: 1 };
    const state = createState({ H1: { actors: [actor] } }, { links: [link], configs: { mine: {} } });
    const app = known(manifest());
    const end = settle(settle(state, commandsOf(app)), commandsOf({ ...app, deployed: undefined }));
    expect([...end.links.values()]).toEqual([link]);
    expect([...end.configs.keys()]).toEqual(['mine']);
    expect(end.hosts.get('H1')?.inventory.components).toEqual([actor]);
  });

  test('whose link name is taken by a foreign link fails with the reason', () => {
    const link = {
      source_id: 'app-web',
      target: 'x',
      name: 'default',
      wit_namespace: 'wasi',
      wit_package: 'keyvalue',
      interfaces: [],
      source_config: [],
      target_config: [],
    };
    const app = { ...known(manifest()), owned: none };
    const end = settle(createState({ H1: {} }, { links: [link] }), commandsOf(app));
    const [planned] = planAll([app], end);
    const status = planned!.units.find(({ unit }) => unit.kind === 'link')!.status;
    expect(status).toMatchObject({ type: 'failed', code: 'E_CONFLICT' });
    expect(status.message).toContain('x');
  });

  test('changed and changed back at random always converges, then nothing is left to do', () => {
    const version = fc.record({
      image: fc.constantFrom('web:1', 'web:2'),
      config: fc.constantFrom('c', 'd'),
      url: fc.constantFrom('x', 'y'),
    });
    fc.assert(
      fc.property(fc.array(fc.option(version, { nil: undefined }), { minLength: 1, maxLength: 5 }), (versions) => {
        let state = empty;
        let app = known(undefined);
        for (const one of versions) {
          app = known(one && manifest(one), app.owned);
          state = settle(state, commandsOf(app));
          expect(commandsOf(app)(state)).toEqual([]);
        }
        const last = versions.at(-1);
        expect(state.configs.size).toBe(last ? 2 : 0);
      }),
      { numRuns: 100 },
    );
  });
});
