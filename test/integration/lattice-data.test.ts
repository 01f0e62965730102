import { describe, expect, it } from 'vitest';
import { LatticeData } from '../../host/links.ts';
import { LatticeConnection } from '../../lattice/connection.ts';
import { createLog } from '../../lattice/log.ts';
import { buckets } from '../../lattice/subjects.ts';
import { Link } from '../../lattice/types.ts';
import { eventually } from '../support/eventually.ts';
import { startNats, type TestNats } from '../support/nats.ts';

const link = (values: Partial<Link>): Link =>
  Link.parse({ source_id: 'actor', target: 'store', wit_namespace: 'wasi', wit_package: 'keyvalue', ...values });

async function startData(nats: TestNats) {
  const connection = await LatticeConnection.start(nats.connection);
  let changes = 0;
  const data = await LatticeData.start({
    connection,
    log: createLog('silent', 'test'),
    onLinksChange: () => changes++,
  });
  return {
    connection,
    data,
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      data[Symbol.dispose]();
      await connection[Symbol.asyncDispose]();
    },
  };
}

describe('The data of a lattice', () => {
  it('reaches a host that was there and one that comes later', async () => {
    await using nats = await startNats();
    await using first = await startData(nats);
    await using second = await startData(nats);
    await first.data.putLink(link({ target_config: ['conf'] }));
    await first.data.putConfig('conf', { bucket: 'b' });
    await eventually(() => second.data.links.length === 1 && second.data.config('conf'));
    await using third = await startData(nats);
    expect(third.data.links).toEqual([link({ target_config: ['conf'] })]);
    expect(third.data.mergeConfig(['conf'])).toEqual({ bucket: 'b' });
    expect(second.changes()).toBeGreaterThan(0);
  });

  it('resolves a link by any id of its contract and by no other link name', async () => {
    await using nats = await startNats();
    await using host = await startData(nats);
    await host.data.putLink(link({}));
    for (const id of ['wasmcloud:keyvalue', 'wasi:keyvalue', 'wasi:keyvalue/store@0.2.0'])
      expect(host.data.resolve('actor', id, '')?.target).toBe('store');
    expect(host.data.resolve('actor', 'wasmcloud:keyvalue', 'other')).toBeUndefined();
    expect(host.data.resolve('other', 'wasmcloud:keyvalue', 'default')).toBeUndefined();
  });

  it('keeps one target a link, whatever era its contract is written in, until the link is deleted', async () => {
    await using nats = await startNats();
    await using host = await startData(nats);
    await host.data.putLink(link({}));
    await host.data.putLink(link({ interfaces: ['store'] }));
    expect(host.data.links).toHaveLength(1);
    const other = link({ target: 'another', wit_namespace: 'wasmcloud' });
    await expect(host.data.putLink(other)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(await host.data.deleteLink(other)).toMatchObject({ target: 'store' });
    expect(await host.data.deleteLink(other)).toBeUndefined();
    await host.data.putLink(other);
    expect(host.data.links).toEqual([other]);
  });

  it('deletes the link named, of the two directions of one interface', async () => {
    await using nats = await startNats();
    await using host = await startData(nats);
    const both = { source_id: 'web', target: 'web', wit_namespace: 'wasi', wit_package: 'http' };
    const incoming = link({ ...both, interfaces: ['incoming-handler'] });
    const outgoing = link({ ...both, target: 'client', interfaces: ['outgoing-handler'] });
    const legacy = link({ ...both, target: 'client', wit_namespace: 'wasmcloud', wit_package: 'httpclient' });
    const { target: _target, interfaces: _interfaces, ...key } = outgoing;
    await host.data.putLink(outgoing);
    expect(host.data.resolve('web', 'wasi:http/outgoing-handler', 'default')?.target).toBe('client');
    expect(await host.data.deleteLink(key)).toEqual(outgoing);
    // a key in the words of the other era finds it as well
    await host.data.putLink(outgoing);
    expect(await host.data.deleteLink(legacy)).toEqual(outgoing);
    // as written comes before what only means the same
    await host.data.putLink(legacy);
    await host.data.putLink(incoming);
    expect(host.data.links).toHaveLength(2);
    expect(await host.data.deleteLink(key)).toEqual(incoming);
    expect(await host.data.deleteLink(key)).toBeUndefined();
    expect(host.data.links).toEqual([legacy]);
    expect(await host.data.deleteLink(legacy)).toEqual(legacy);
    expect(host.data.links).toEqual([]);
  });

  it('deletes by exact name first though another link of the same contract was put before', async () => {
    await using nats = await startNats();
    await using host = await startData(nats);
    const both = { source_id: 'web', wit_namespace: 'wasi', wit_package: 'http' };
    const outgoing = link({ ...both, target: 'client', interfaces: ['outgoing-handler'] });
    const server = link({ ...both, target: 'web', wit_namespace: 'wasmcloud', wit_package: 'httpserver' });
    await host.data.putLink(server);
    await host.data.putLink(outgoing);
    const { target: _target, interfaces: _interfaces, ...key } = outgoing;
    // without interfaces the key means the server's contract, whose link is older; the one so named goes
    expect(await host.data.deleteLink(key)).toEqual(outgoing);
    expect(host.data.links).toEqual([server]);
  });

  it('loses no link when hosts write the links of one source at once', async () => {
    await using nats = await startNats();
    await using first = await startData(nats);
    await using second = await startData(nats);
    const names = Array.from({ length: 6 }, (_, index) => `name${index}`);
    const writes = names.map((name, index) => (index % 2 ? first : second).data.putLink(link({ name })));
    await Promise.all(writes);
    await eventually(() => first.data.links.length === 6 && second.data.links.length === 6);
  });

  it('is what other hosts write and read: COMPONENT_ and CLAIMS_ keys in the shapes of 1.x', async () => {
    await using nats = await startNats();
    await using host = await startData(nats);
    const kv = await host.connection.bucket(buckets.latticeData(host.connection.lattice));
    await kv.put(
      'CLAIMS_MABC',
      JSON.stringify({ call_alias: 'a/b', caps: 'x,y', issuer: 'AX', subject: 'MABC', rev: 1 }),
    );
    await kv.put('COMPONENT_elsewhere', JSON.stringify({ url: 'x', links: [link({ source_id: 'elsewhere' })] }));
    await kv.put('LINKDEF_OLD', 'not even JSON');
    await eventually(() => host.data.moduleOfAlias('a/b') === 'MABC' && host.data.links.length === 1);
    await host.data.putLink(link({}));
    expect((await kv.get('COMPONENT_actor'))?.json()).toEqual({ url: '', links: [link({})] });
    expect((await kv.get('LINKDEF_OLD'))?.string()).toBe('not even JSON');
  });
});
