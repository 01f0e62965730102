import { describe, expect, test } from 'vitest';
import { isAtLeast } from '../../../lattice/nats-binary.ts';
import { createNatsConfig, isSafeVersion } from '../../../lattice/nats-server.ts';

const config = { name: 'n', port: -1, storeDir: '/data/nats', portsDir: '/data/nats/ports' };

describe('a configuration', () => {
  test('syncs each write where the version knows how', () => {
    expect(createNatsConfig({ ...config, version: '2.10.0' })).toContain('sync_interval: always');
    expect(createNatsConfig({ ...config, version: '2.9.25' })).not.toContain('sync_interval');
  });

  test('listens on loopback only and quotes what came from outside', () => {
    const text = createNatsConfig({ ...config, version: '2.14.4', storeDir: 'C:\\a "b"\\nats' });
    expect(text).toContain('host: "127.0.0.1"');
    expect(text).toContain('store_dir: "C:\\\\a \\"b\\"\\\\nats"');
    expect(text).not.toMatch(/websocket|mqtt|leafnode|http/);
  });
});

describe('a version', () => {
  test('is compared by number, not by letter', () => {
    expect(isAtLeast('2.14.4', '2.9.10')).toBe(true);
    expect(isAtLeast('2.9.10', '2.14.4')).toBe(false);
    expect(isAtLeast('v2.14.3-RC.1', '2.14.3')).toBe(true);
  });

  test.each([
    ['2.14.3', true],
    ['2.15.0', true],
    ['3.0.0', true],
    ['2.12.12', true],
    ['2.14.2', false],
    ['2.13.9', false],
    ['2.12.11', false],
    ['2.9.10', false],
  ])('%s is safe to run: %s', (version, safe) => expect(isSafeVersion(version)).toBe(safe));
});
