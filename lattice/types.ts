// The nouns of the lattice as schemas, and the types inferred from them. Wire shapes keep the wire's spelling
// (snake_case); they are those of the 1.x control interface (protocol.md 3.2, 4.2).
import { z } from 'zod';

const stringMap = z.record(z.string(), z.string());

/**
 * Ids become tokens of subjects and keys of buckets and objects: letters, digits, `_` and `-`, at most 128, and not
 * `__proto__`. Checked before any use.
 */
export const idPattern = /^(?!__proto__$)[A-Za-z0-9_-]{1,128}$/;
export const Id = z.string().regex(idPattern, 'an id is 1–128 letters, digits, _ or -');
/** Names of links, configs and lattices obey the same rule with dots allowed in config names (they are never a bare token). */
export const LinkName = Id;
export const ConfigName = z
  .string()
  .regex(/^(?!__proto__$)[A-Za-z0-9_.-]{1,256}$/, 'a config name is 1–256 letters, digits, _ . or -');

/** Namespace or package of an interface: no blanks and no control characters, which would end it early in a compound key. */
const WitName = z.string().regex(/^[!-~]{1,64}$/, 'a namespace or package is 1–64 printable characters without blanks');

/** A grant: `source_id` may use (or is called through) the contract `wit_namespace:wit_package` of `target`. */
export const Link = z.object({
  source_id: Id,
  target: Id,
  name: LinkName.default('default'),
  wit_namespace: WitName,
  wit_package: WitName,
  interfaces: z.array(z.string().max(128)).default([]),
  source_config: z.array(ConfigName).default([]),
  target_config: z.array(ConfigName).default([]),
});
export type Link = z.infer<typeof Link>;

/** What names a link for deletion and replacement: its target is not part of it. */
export const LinkKey = z.object({
  source_id: Id,
  name: LinkName.default('default'),
  wit_namespace: WitName,
  wit_package: WitName,
});
export type LinkKey = z.infer<typeof LinkKey>;

/** A host's answer to a ping. */
export const Host = z.object({
  id: z.string(),
  friendly_name: z.string(),
  labels: stringMap,
  lattice: z.string(),
  uptime_seconds: z.number(),
  uptime_human: z.string().optional(),
  version: z.string().optional(),
  rpc_host: z.string().optional(),
  ctl_host: z.string().optional(),
  js_domain: z.string().nullish(),
});
export type Host = z.infer<typeof Host>;

/** One group of instances of an actor on a host; an actor has a group per annotation set. `revision` is that of its claims. */
export const ActorDescription = z.object({
  id: z.string(),
  image_ref: z.string(),
  name: z.string().optional(),
  annotations: stringMap.optional(),
  revision: z.number(),
  max_instances: z.number(),
  /** Own additions: digest of the running bytes, and why it does not serve when it does not. */
  digest: z.string().optional(),
  state: z.enum(['running', 'starting', 'crash-loop']).optional(),
  state_reason: z.string().optional(),
});
export type ActorDescription = z.infer<typeof ActorDescription>;

export const ProviderDescription = z.object({
  id: z.string(),
  image_ref: z.string().optional(),
  name: z.string().optional(),
  revision: z.number(),
  annotations: stringMap.optional(),
  /** Own additions: health as last seen, and links it refused (`E_ROUTE_TAKEN: …`), keyed `source/target/contract/name`. */
  state: z.enum(['running', 'starting', 'failed']).optional(),
  state_reason: z.string().optional(),
  link_errors: stringMap.optional(),
});
export type ProviderDescription = z.infer<typeof ProviderDescription>;

/** All a host runs; also the data of every heartbeat. */
export const HostInventory = z.object({
  host_id: z.string(),
  friendly_name: z.string(),
  labels: stringMap,
  version: z.string(),
  uptime_human: z.string(),
  uptime_seconds: z.number(),
  components: z.array(ActorDescription),
  providers: z.array(ProviderDescription),
});
export type HostInventory = z.infer<typeof HostInventory>;

/** A list of words; some writers join it with commas (protocol.md 6.1). */
const words = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').filter((word) => word !== '')),
]);

/** The claims of a module as the lattice knows them (bucket key CLAIMS_{subject}; protocol.md 6.1). */
export const ClaimsRecord = z.object({
  call_alias: z.string().optional(),
  capabilities: words.default([]),
  issuer: z.string(),
  name: z.string().default(''),
  revision: z.coerce.string().default('0'),
  subject: z.string(),
  tags: words.default([]),
  version: z.string().default(''),
});
export type ClaimsRecord = z.infer<typeof ClaimsRecord>;

// --- requests of the control interface ------------------------------------------------------------------------

const annotations = stringMap.nullish().transform((value) => value ?? {});
const configNames = z
  .array(ConfigName)
  .nullish()
  .transform((value) => value ?? []);

export const ScaleRequest = z.object({
  component_id: Id,
  component_ref: z.string().min(1).max(2048),
  annotations,
  /** Most instances that run at once; 0 stops. washboard sends `max_instances`, which real hosts ignore; both are read. */
  count: z.number().int().min(0).max(1_000_000).optional(),
  max_instances: z.number().int().min(0).max(1_000_000).optional(),
  config: configNames,
  allow_update: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});
export type ScaleRequest = z.infer<typeof ScaleRequest>;

export const UpdateRequest = z.object({
  component_id: Id,
  new_component_ref: z.string().min(1).max(2048),
  annotations,
});
export type UpdateRequest = z.infer<typeof UpdateRequest>;

export const ProviderStartRequest = z.object({
  provider_id: Id,
  provider_ref: z.string().min(1).max(2048),
  config: configNames,
  annotations,
});
export type ProviderStartRequest = z.infer<typeof ProviderStartRequest>;

export const ActorAuctionRequest = z.object({
  component_ref: z.string(),
  component_id: Id,
  constraints: stringMap.default({}),
});
export const ProviderAuctionRequest = z.object({
  provider_ref: z.string(),
  provider_id: Id,
  constraints: stringMap.default({}),
});

/** The envelope of every control reply. `code` is ours, beside the text that upstream clients read. */
export interface ControlReply<T = unknown> {
  readonly success: boolean;
  readonly message: string;
  readonly response?: T;
  readonly code?: string;
}
