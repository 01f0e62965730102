// What strict readers of events insist on (protocol.md 4.2 and 4.3), written from those tables and not from our own
// schemas: wadm's heartbeat and claims, wash's waiting for outcomes.
import { z } from 'zod';

const strings = z.record(z.string(), z.string());
const semver = z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/);
const hostId = z.string().regex(/^N[A-Z2-7]{55}$/);
const moduleKey = z.string().regex(/^M[A-Z2-7]{55}$/);

export const envelope = z.strictObject({
  subject: z.string(),
  specversion: z.literal('1.0'),
  id: z.uuid(),
  type: z.string().startsWith('com.wasmcloud.lattice.'),
  source: hostId,
  datacontenttype: z.literal('application/json'),
  time: z.iso.datetime(),
  data: z.looseObject({}),
});

/** Tags of an actor are a list; `call_alias` may be null. */
const actorClaims = z.looseObject({
  call_alias: z.string().nullish(),
  issuer: z.string().min(1),
  tags: z.array(z.string()).nullish(),
  name: z.string(),
  version: z.string(),
  revision: z.int(),
  not_before_human: z.string(),
  expires_human: z.string(),
});
/** Tags of a provider are a comma text or null, never a list. */
const providerClaims = z.looseObject({
  issuer: z.string(),
  name: z.string(),
  version: z.string(),
  expires_human: z.string(),
  not_before_human: z.string(),
  tags: z.string().nullish(),
});

const actorRun = {
  annotations: strings,
  host_id: hostId,
  image_ref: z.string().min(1),
  max_instances: z.int().min(0),
  component_id: z.string().min(1),
};
const legacyProvider = { instance_id: z.string(), public_key: z.string(), link_name: z.literal('default') };
const health = z.looseObject({ host_id: hostId, provider_id: z.string() });
const link = z.looseObject({
  source_id: z.string(),
  target: z.string(),
  name: z.string(),
  wit_namespace: z.string(),
  wit_package: z.string(),
  interfaces: z.array(z.string()),
  source_config: z.array(z.string()),
  target_config: z.array(z.string()),
});

export const inventory = z.looseObject({
  components: z.array(
    z.looseObject({
      id: z.string(),
      image_ref: z.string(),
      name: z.string().optional(),
      annotations: strings.optional(),
      revision: z.int().min(0),
      max_instances: z.int().min(0),
    }),
  ),
  providers: z.array(
    z.looseObject({
      id: z.string(),
      image_ref: z.string().optional(),
      name: z.string().optional(),
      annotations: strings.optional(),
      revision: z.int().min(0),
    }),
  ),
  host_id: hostId,
  friendly_name: z.string().min(1),
  labels: strings,
  version: semver,
  uptime_human: z.string(),
  uptime_seconds: z.int().min(0),
});

export const hostAnswer = z.looseObject({
  id: hostId,
  friendly_name: z.string().min(1),
  labels: strings,
  lattice: z.string(),
  uptime_seconds: z.int().min(0),
  uptime_human: z.string().optional(),
  version: semver.optional(),
});

/** By the short name of the event. */
export const eventReaders: Readonly<Record<string, z.ZodType>> = {
  host_started: z.looseObject({
    labels: strings,
    friendly_name: z.string(),
    uptime_seconds: z.int(),
    version: semver,
  }),
  host_stopped: z.looseObject({ labels: strings }),
  host_heartbeat: inventory,
  component_scaled: z.looseObject({
    ...actorRun,
    public_key: moduleKey.optional(),
    claims: actorClaims.optional(),
  }),
  component_scale_failed: z.looseObject({ ...actorRun, error: z.string().min(1), public_key: moduleKey.optional() }),
  provider_started: z.looseObject({
    host_id: hostId,
    image_ref: z.string(),
    provider_id: z.string(),
    annotations: strings,
    claims: providerClaims.optional(),
    ...legacyProvider,
  }),
  provider_start_failed: z.looseObject({
    provider_ref: z.string(),
    provider_id: z.string(),
    error: z.string().min(1),
    link_name: z.literal('default'),
    host_id: hostId.optional(),
  }),
  provider_stopped: z.looseObject({
    host_id: hostId,
    provider_id: z.string(),
    annotations: strings,
    reason: z.literal('stop'),
    ...legacyProvider,
  }),
  health_check_passed: health,
  health_check_failed: health,
  health_check_status: health,
  linkdef_set: link,
  linkdef_set_failed: link.extend({ error: z.string().min(1) }),
  linkdef_deleted: link.partial({ target: true, interfaces: true, source_config: true, target_config: true }),
  config_set: z.looseObject({ config_name: z.string() }),
  config_deleted: z.looseObject({ config_name: z.string() }),
  labels_changed: z.looseObject({ host_id: hostId, labels: strings }),
};
