// CloudEvents of the lattice (protocol.md 4.2): what hosts publish and what wadm, the CLI and dashboards read. The data
// is shaped for the strictest known readers (4.3): every field a reader requires is always there.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { LatticeConnection } from './connection.ts';
import { eventSubjects } from './subjects.ts';
import { HostInventory, Link, LinkKey } from './types.ts';

const stringMap = z.record(z.string(), z.string());
const annotations = stringMap.nullish().transform((value) => value ?? {});

/** Claims inside an event. `tags` is a list for actors and null for providers, as strict readers want it. */
const EventClaims = z.looseObject({ issuer: z.string(), name: z.string().nullish() });

const actorRun = z.looseObject({
  host_id: z.string(),
  component_id: z.string(),
  image_ref: z.string(),
  max_instances: z.number(),
  annotations,
  public_key: z.string().optional(),
  claims: EventClaims.optional(),
});
const providerRun = z.looseObject({ host_id: z.string(), provider_id: z.string(), annotations });
const health = z.looseObject({ host_id: z.string(), provider_id: z.string() });

/** Schema of the data of each event, by its short name. Unknown events are skipped by readers. */
export const eventData = {
  host_started: z.looseObject({
    labels: stringMap,
    friendly_name: z.string(),
    // hosts of old leave these out, and no reader needs them (protocol.md 4.3)
    uptime_seconds: z.number().default(0),
    version: z.string().default(''),
  }),
  host_stopped: z.looseObject({ labels: stringMap, reason: z.string().optional() }),
  host_heartbeat: HostInventory,
  component_scaled: actorRun,
  component_scale_failed: actorRun.extend({ error: z.string() }),
  provider_started: providerRun.extend({ image_ref: z.string(), claims: EventClaims.optional() }),
  provider_start_failed: z.looseObject({
    provider_id: z.string(),
    provider_ref: z.string(),
    error: z.string(),
    host_id: z.string().optional(),
  }),
  provider_stopped: providerRun.extend({ reason: z.string() }),
  health_check_passed: health,
  health_check_failed: health,
  health_check_status: health,
  linkdef_set: Link,
  linkdef_set_failed: Link.extend({ error: z.string() }),
  linkdef_deleted: LinkKey,
  config_set: z.looseObject({ config_name: z.string() }),
  config_deleted: z.looseObject({ config_name: z.string() }),
  labels_changed: z.looseObject({ host_id: z.string(), labels: stringMap }),
} as const;

export type EventName = keyof typeof eventData;
/** One event as read: `host` is the CloudEvent source, the id of the host that saw it happen. */
export type LatticeEvent = {
  [N in EventName]: {
    readonly name: N;
    readonly host: string;
    readonly time: string;
    readonly data: z.output<(typeof eventData)[N]>;
  };
}[EventName];

const typePrefix = 'com.wasmcloud.lattice.';
const Envelope = z.looseObject({
  type: z.string(),
  source: z.string(),
  time: z.string().default(''),
  data: z.unknown(),
});

/** A parsed message body as an event; undefined for what is none of ours or does not have its shape. */
export function parseEvent(body: unknown): LatticeEvent | undefined {
  const envelope = Envelope.safeParse(body);
  if (!envelope.success || !envelope.data.type.startsWith(typePrefix)) return undefined;
  const name = envelope.data.type.slice(typePrefix.length);
  if (!Object.hasOwn(eventData, name)) return undefined;
  const data = eventData[name as EventName].safeParse(envelope.data.data);
  if (!data.success) return undefined;
  return { name, host: envelope.data.source, time: envelope.data.time, data: data.data } as LatticeEvent;
}

/** The CloudEvent envelope around `data` (structured JSON mode). */
export const createCloudEvent = (type: string, source: string, data: unknown): object => ({
  specversion: '1.0',
  id: randomUUID(),
  type,
  source,
  datacontenttype: 'application/json',
  time: new Date().toISOString(),
  data,
});

/** Publishes one event as host `hostId`. Nothing waits for it: readers repair what they miss from heartbeats. */
export function publishEvent<N extends EventName>(
  connection: LatticeConnection,
  hostId: string,
  name: N,
  data: z.input<(typeof eventData)[N]>,
): void {
  if (connection.nats.isClosed()) return;
  const event = createCloudEvent(typePrefix + name, hostId, data);
  connection.nats.publish(eventSubjects.one(connection.lattice, name), JSON.stringify(event));
}
