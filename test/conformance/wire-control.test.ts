// The control interface and the events against what wasmCloud documents and emits (../shared/vectors): its requests are
// understood, its answers and events are read, and the readers our own events are tested with accept the real ones.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createRefusal, createReply, formatReply, parseBody, toControlError } from '../../host/control-message.ts';
import { WattleError } from '../../lattice/errors.ts';
import { eventData, parseEvent } from '../../lattice/events.ts';
import { controlSubjects } from '../../lattice/subjects.ts';
import {
  ActorAuctionRequest,
  ClaimsRecord,
  Host,
  HostInventory,
  Link,
  LinkKey,
  ProviderAuctionRequest,
  ProviderStartRequest,
  ScaleRequest,
  UpdateRequest,
} from '../../lattice/types.ts';
import { eventReaders } from '../support/event-readers.ts';

const shared = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../shared/vectors/${name}`, import.meta.url), 'utf8'));

interface Example {
  readonly heading: string;
  readonly subject: string;
  readonly json: unknown;
}
const { examples } = shared('control-examples.json') as { examples: Example[] };
const v1 = examples.filter(({ subject }) => subject.startsWith('wasmbus.ctl.v1.'));
const verbOf = ({ subject }: Example): string => subject.split('.').slice(4, 6).join('.');
const requests = v1.filter(({ heading, json }) => heading.endsWith('Request') && json !== null);
const answers = v1.filter(({ heading }) => heading.endsWith('Response'));

/** Who reads the body of which request; those of host.stop and label.* are parsed in place (integration/control.test.ts). */
const requestSchemas: Readonly<Record<string, z.ZodType>> = {
  'component.auction': ActorAuctionRequest,
  'component.scale': ScaleRequest,
  'component.update': UpdateRequest,
  'provider.auction': ProviderAuctionRequest,
  'provider.start': ProviderStartRequest,
  'link.put': Link,
  'link.del': LinkKey,
  'config.put': z.record(z.string(), z.string()),
};

describe('a documented request', () => {
  const read = requests.filter((example) => verbOf(example) in requestSchemas);

  test('is there for each kind of body', () => {
    expect([...new Set(read.map(verbOf))].sort()).toEqual(Object.keys(requestSchemas).sort());
  });

  test.each(read.map((example) => [verbOf(example), example.json] as const))('%s is understood', (verb, json) => {
    const body = parseBody(Buffer.from(JSON.stringify(json)));
    const known = { ...(json as Record<string, unknown>) };
    delete known.host_id; // stands in the subject
    expect(requestSchemas[verb]!.parse(body)).toMatchObject(known);
  });

  test('goes to a subject we serve', () => {
    const host = 'HOST';
    const subjects = [
      controlSubjects.actorAuction('L'),
      controlSubjects.actorScale('L', host),
      controlSubjects.actorUpdate('L', host),
      controlSubjects.providerAuction('L'),
      controlSubjects.providerStart('L', host),
      controlSubjects.providerStop('L', host),
      controlSubjects.hostGet('L', host),
      controlSubjects.hostPing('L'),
      controlSubjects.hostStop('L', host),
      controlSubjects.claimsGet('L'),
      controlSubjects.linkGet('L'),
      controlSubjects.linkPut('L'),
      controlSubjects.linkDel('L'),
      controlSubjects.labelPut('L', host),
      controlSubjects.labelDel('L', host),
      controlSubjects.configGet('L', 'NAME'),
      controlSubjects.configPut('L', 'NAME'),
      controlSubjects.configDel('L', 'NAME'),
    ];
    const filled = (subject: string): string =>
      subject.replace('{lattice}', 'L').replace('{host-id}', host).replace('{config-name}', 'NAME');
    expect(subjects.sort()).toEqual([...new Set(v1.map(({ subject }) => filled(subject)))].sort());
  });
});

describe('a documented answer', () => {
  const responseOf = (verb: string): unknown =>
    (answers.find((example) => verbOf(example) === verb)!.json as { response?: unknown }).response;

  test('of a query is read by our client', () => {
    expect(HostInventory.parse(responseOf('host.get'))).toMatchObject({ components: [{ max_instances: 1 }] });
    expect(z.array(Link).parse(responseOf('link.get'))).toHaveLength(1);
    expect(Object.keys(responseOf('config.get') as object).sort()).toEqual(['foo', 'key']);
    const ping = answers.find((example) => verbOf(example) === 'host.ping')?.json as { hosts: unknown[] };
    expect(Host.parse(ping.hosts[0])).toMatchObject({ lattice: 'default' });
  });

  test('with claims in the words of any era is read into one record', () => {
    const [claims] = z.array(z.record(z.string(), z.string())).parse(responseOf('claims.get'));
    expect(claims).toHaveProperty('sub');
    const stored = { issuer: 'A', subject: 'M', name: 'n', revision: 2, capabilities: 'a,b', tags: ['t'] };
    expect(ClaimsRecord.parse(stored)).toMatchObject({ revision: '2', capabilities: ['a', 'b'], tags: ['t'] });
  });

  test('has the envelope ours has', () => {
    for (const { json } of answers) {
      const envelope = json as Record<string, unknown>;
      expect(Object.keys(createReply({ response: {} })).every((key) => key in envelope || 'hosts' in envelope)).toBe(
        true,
      );
    }
    expect(createReply({})).toEqual({ success: true, message: '' });
    expect(createReply({ response: [] })).toEqual({ success: true, message: '', response: [] });
  });
});

describe('a body', () => {
  test('that is empty is none, and what is no JSON or names __proto__ is refused', () => {
    expect(parseBody(new Uint8Array(0))).toBeUndefined();
    expect(parseBody(Buffer.from('null'))).toBeNull();
    for (const bad of ['{', '\xff', '{"__proto__":1}', '[{"a":[{"\\u005f_proto__":{}}]}]'])
      expect(() => parseBody(Buffer.from(bad, 'latin1')), bad).toThrow(WattleError);
    expect(parseBody(Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`))).toHaveLength(1);
  });

  test('of the wrong shape is refused with the field, however long its name', () => {
    const parsed = ScaleRequest.safeParse({
      component_id: 'a',
      component_ref: 'x',
      annotations: { ['k'.repeat(5000)]: 1 },
    });
    const error = toControlError(parsed.error, 'subject');
    expect(error.code).toBe('E_CONTROL');
    expect(error.message).toMatch(/^request to subject is not understood: annotations\.kkk/);
    expect(error.message.length).toBeLessThan(250);
  });
});

describe('an answer', () => {
  test('that a message cannot carry becomes a refusal that can', () => {
    const reply = createReply({ response: 'é'.repeat(1000) });
    expect(formatReply(reply, 3000)).toBe(JSON.stringify(reply));
    const refusal = JSON.parse(formatReply(reply, 2000)) as object;
    expect(refusal).toMatchObject({ success: false, code: 'E_TOO_LARGE' });
  });

  test('that refuses carries the text other tools read, and our code', () => {
    expect(createRefusal(new WattleError('E_NOT_FOUND', 'component x not found'))).toEqual({
      success: false,
      message: 'component x not found',
      code: 'E_NOT_FOUND',
    });
  });
});

describe('a real event', () => {
  const events = (shared('events.json') as { type: string; source: string; data: Record<string, unknown> }[]).filter(
    ({ type }) => type.startsWith('com.wasmcloud.lattice.'),
  );
  const nameOf = (type: string): string => type.slice('com.wasmcloud.lattice.'.length);
  /** Captured before hosts sent the legacy names; `reason` is `stop` since 1.0. */
  const older = ['provider_started', 'provider_stopped', 'provider_start_failed', 'host_started'];

  test.each(events.map((event) => [nameOf(event.type), event] as const))('%s is read', (name, event) => {
    expect(parseEvent(event)).toMatchObject({ name, host: event.source });
  });

  test('passes the readers our events are tested with', () => {
    const tested = events.filter(({ type }) => !older.includes(nameOf(type)));
    expect(tested.length).toBeGreaterThan(6);
    const refused = tested.flatMap(({ type, data }) => {
      const result = eventReaders[nameOf(type)]?.safeParse(data);
      return result?.success ? [] : [`${type}: ${result?.error.message}`];
    });
    expect(refused).toEqual([]);
  });

  test('is known by every name a host emits', () => {
    expect(Object.keys(eventData).sort()).toEqual(Object.keys(eventReaders).sort());
  });
});
