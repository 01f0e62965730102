// Cross-origin rules of a link, as pure functions (Fetch standard, 3.2). Without rules the provider adds no header and leaves
// OPTIONS to the actor.
import type { CorsRules } from './http-route.ts';

/** A header of a request by its lower-case name; '' when it is not there. */
export function headerValue(rawHeaders: readonly string[], name: string): string {
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]!.length === name.length && rawHeaders[index]!.toLowerCase() === name)
      return rawHeaders[index + 1]!;
  return '';
}

const allows = (rules: CorsRules, origin: string): boolean =>
  rules.origins.length === 0 || rules.origins.includes(origin);

const originLines = (rules: CorsRules, origin: string): string[] => [
  'access-control-allow-origin',
  rules.origins.length === 0 ? '*' : origin,
  ...(rules.origins.length === 0 ? [] : ['vary', 'Origin']),
];

/** Lines for an answer to this request; none without an `Origin` that is allowed. */
export function corsLines(rules: CorsRules, rawHeaders: readonly string[]): readonly string[] {
  const origin = headerValue(rawHeaders, 'origin');
  if (origin === '' || !allows(rules, origin)) return [];
  const exposed = rules.exposed.length === 0 ? [] : ['access-control-expose-headers', rules.exposed.join(', ')];
  return [...originLines(rules, origin), ...exposed];
}

/** True for a question of a browser that the provider answers itself. */
export const isPreflight = (method: string, rawHeaders: readonly string[]): boolean =>
  method === 'OPTIONS' &&
  headerValue(rawHeaders, 'origin') !== '' &&
  headerValue(rawHeaders, 'access-control-request-method') !== '';

/** Header lines of the answer to a preflight (204); none of the permissions when the origin is not allowed. */
export function preflightLines(rules: CorsRules, rawHeaders: readonly string[]): readonly string[] {
  const origin = headerValue(rawHeaders, 'origin');
  if (!allows(rules, origin)) return [];
  const asked = headerValue(rawHeaders, 'access-control-request-headers');
  const headers = rules.headers.length === 0 ? asked : rules.headers.join(', ');
  return [
    ...originLines(rules, origin),
    'access-control-allow-methods',
    rules.methods.join(', '),
    ...(headers === '' ? [] : ['access-control-allow-headers', headers]),
    'access-control-max-age',
    String(rules.maxAgeSeconds),
  ];
}
