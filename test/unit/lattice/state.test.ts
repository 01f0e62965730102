import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type EventName, type LatticeEvent, parseEvent } from '../../../lattice/events.ts';
import { applyEvent, emptyState, type LatticeState, linkErrorKey, linkKeyText } from '../../../lattice/state.ts';

const event = (name: EventName, data: object, host = 'NA'): LatticeEvent => {
  const read = parseEvent({ type: `com.wasmcloud.lattice.${name}`, source: host, time: '', data });
  if (!read) throw new Error(`no event: ${name}`);
  return read;
};
const after = (...events: LatticeEvent[]): LatticeState =>
  events.reduce((state, one, index) => applyEvent(state, one, (index + 1) * 1000), emptyState);

const inventory = (more: object = {}) => ({
  host_id: 'NA',
  friendly_name: 'a',
  labels: {},
  version: '1.0.0',
  uptime_human: '',
  uptime_seconds: 1,
  components: [],
  providers: [],
  ...more,
});
const scaled = (max_instances: number, annotations: object) =>
  event('component_scaled', { host_id: 'NA', component_id: 'echo', image_ref: 'echo:1', max_instances, annotations });
const link = {
  source_id: 'a',
  target: 'b',
  name: 'default',
  wit_namespace: 'wasi',
  wit_package: 'http',
  interfaces: [],
};

describe('the picture of a lattice', () => {
  test('takes the whole inventory of a heartbeat, and measures the time between two', () => {
    const beat = event(
      'host_heartbeat',
      inventory({ components: [{ id: 'x', image_ref: 'x', revision: 0, max_instances: 2 }] }),
    );
    const host = after(beat, event('host_heartbeat', inventory())).hosts.get('NA');
    expect(host?.inventory.components).toEqual([]);
    expect(host).toMatchObject({ seenMs: 2000, intervalMs: 1000 });
  });

  test('keeps a group an annotation set, and drops it at zero', () => {
    const start = event('host_heartbeat', inventory());
    const state = after(start, scaled(3, { s: '1' }), scaled(2, { s: '2' }), scaled(4, { s: '1' }));
    expect(
      state.hosts
        .get('NA')
        ?.inventory.components.map((group) => group.max_instances)
        .sort(),
    ).toEqual([2, 4]);
    const less = applyEvent(state, scaled(0, { s: '1' }), 9);
    expect(less.hosts.get('NA')?.inventory.components).toHaveLength(1);
  });

  test('knows nothing of a host that runs on before its inventory came, and forgets one that stopped', () => {
    expect(after(scaled(1, {})).hosts.size).toBe(0);
    const stopped = event('host_stopped', { labels: {} });
    expect(after(event('host_heartbeat', inventory()), stopped).hosts.size).toBe(0);
  });

  test('starts a host anew when it starts anew', () => {
    const started = event('host_started', {
      labels: { z: '1' },
      friendly_name: 'a',
      uptime_seconds: 0,
      version: '1.0.0',
    });
    const state = after(event('host_heartbeat', inventory()), scaled(3, {}), started);
    expect(state.hosts.get('NA')?.inventory).toMatchObject({ labels: { z: '1' }, components: [] });
  });

  test('follows links, config, labels and providers', () => {
    const provider = { host_id: 'NA', provider_id: 'p', annotations: {}, image_ref: 'p:1' };
    const state = after(
      event('host_heartbeat', inventory()),
      event('provider_started', provider),
      event('health_check_failed', { host_id: 'NA', provider_id: 'p' }),
      event('labels_changed', { host_id: 'NA', labels: { zone: 'x' } }),
      event('linkdef_set', link),
      event('config_set', { config_name: 'c' }),
    );
    expect(state.hosts.get('NA')?.inventory).toMatchObject({
      labels: { zone: 'x' },
      providers: [{ id: 'p', state: 'failed' }],
    });
    expect(state.links.get(linkKeyText(link))?.target).toBe('b');
    expect(state.configs.get('c')).toBeNull();
    const gone = [
      event('linkdef_deleted', link),
      event('config_deleted', { config_name: 'c' }),
      event('provider_stopped', { ...provider, reason: 'stop' }),
    ].reduce((next, one) => applyEvent(next, one, 9), state);
    expect([gone.links.size, gone.configs.size, gone.hosts.get('NA')?.inventory.providers.length]).toEqual([0, 0, 0]);
  });

  test('keeps why a provider refused a link until the next heartbeat', () => {
    const start = event('host_heartbeat', inventory({ providers: [{ id: 'b', revision: 0 }] }));
    const failed = event('linkdef_set_failed', { ...link, error: 'E_ROUTE_TAKEN: taken' });
    const state = after(start, failed);
    const full = { ...link, source_config: [], target_config: [] };
    const [provider] = state.hosts.get('NA')!.inventory.providers;
    expect(provider?.link_errors).toEqual({ [linkErrorKey(full)]: 'E_ROUTE_TAKEN: taken' });
    expect(applyEvent(state, start, 9).hosts.get('NA')?.inventory.providers[0]?.link_errors).toBeUndefined();
  });

  test('takes every real event of the vectors without a throw', () => {
    const url = new URL('../../../../shared/vectors/events.json', import.meta.url);
    const events = (JSON.parse(readFileSync(url, 'utf8')) as unknown[]).flatMap((body) => parseEvent(body) ?? []);
    expect(events.length).toBeGreaterThan(8);
    expect(after(...events).hosts.size).toBeGreaterThan(0);
  });
});
