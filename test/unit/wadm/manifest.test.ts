import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../../wadm/manifest.ts';

const frame = (components: string, more = ''): string => `apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: my-app
  annotations: { version: 1.0 }
spec:
${more}  components:
${components}`;

const actor = (properties: string, traits = ''): string => `    - name: echo
      type: actor
      properties:
        image: file:/echo.wasm
${properties}${traits}`;

const errorsOf = (text: string) => parseManifest(text).findings.filter((finding) => finding.level === 'error');
const applicationOf = (text: string) => {
  const { application, findings } = parseManifest(text);
  expect(findings.filter((finding) => finding.level === 'error')).toEqual([]);
  return application!;
};

describe('a manifest', () => {
  test('keeps a version as it is written, and derives ids from sanitized names', () => {
    const application = applicationOf(frame(actor('').replace('echo\n', 'Http Comp\n')));
    expect(application.version).toBe('1.0');
    expect(application.components[0]).toMatchObject({ id: 'my_app-http_comp', image: 'file:/echo.wasm' });
  });

  test('without a scaler wants one instance', () => {
    const [component] = applicationOf(frame(actor(''))).components;
    expect(component?.scaler).toMatchObject({ kind: 'spread', instances: 1, spread: [], written: false });
  });

  test('in JSON is read like one in YAML', () => {
    const application = applicationOf(
      JSON.stringify({
        apiVersion: 'core.oam.dev/v1beta1',
        kind: 'Application',
        metadata: { name: 'j', annotations: {} },
        spec: { components: [{ name: 'a', type: 'component', properties: { image: 'x' } }] },
      }),
    );
    expect(application.components.map(({ id }) => id)).toEqual(['j-a']);
  });

  test.each([
    ['  components:', 'spec: [', 'must be a map'],
    ['type: actor', 'type: robot', 'unknown component type "robot"'],
    ['kind: Application', 'kind: Deployment', '"kind" must be Application'],
    ['image: file:/echo.wasm', 'imagine: x', 'unknown key "imagine"'],
    ['name: my-app', 'name: ../etc', 'is no name'],
    ['version: 1.0', 'version: latest', 'cannot be called "latest"'],
  ])('with %s changed to %s is refused at its line', (from, to, message) => {
    const text = frame(actor('')).replace(from, to);
    const found = errorsOf(text).filter((finding) => finding.message.includes(message));
    const line = text.split('\n').findIndex((one) => one.includes(to.split('\n').at(-1)!)) + 1;
    if (from !== '  components:') expect(found.map((finding) => finding.line)).toContain(line);
    expect(errorsOf(text).length).toBeGreaterThan(0);
  });

  test('with a key given twice is refused at the second', () => {
    const text = frame(actor('')).replace('kind: Application', 'kind: Application\nkind: Application');
    expect(errorsOf(text)).toMatchObject([{ line: 3, column: 1, message: 'the key "kind" is given twice' }]);
  });

  test.each(['-1', '1.5', '1e9', '.nan', 'many', 'true'])('with %s instances is refused', (count) => {
    const traits = `      traits: [{ type: spreadscaler, properties: { instances: ${count} } }]\n`;
    expect(errorsOf(frame(actor('', traits)))[0]?.message).toContain('whole number');
  });

  test('with a trait nobody knows is accepted with a warning', () => {
    const { application, findings } = parseManifest(
      frame(actor('', '      traits: [{ type: customscaler, properties: { a: 1 } }]\n')),
    );
    expect(application).toBeDefined();
    expect(findings).toMatchObject([{ level: 'warning', line: 12 }]);
  });

  test('takes numbers in config as they are written', () => {
    const application = applicationOf(
      frame(actor('        config: [{ name: c, properties: { port: 8080, ratio: 1.0, on: true } }, { name: old }]\n')),
    );
    expect(application.components[0]?.config).toMatchObject([
      { name: 'my_app-c', values: { port: '8080', ratio: '1.0', on: 'true' } },
      { name: 'old', values: undefined },
    ]);
  });

  test('with a secret of an unknown policy is refused', () => {
    const text = frame(actor('        secrets: [{ name: s, properties: { policy: vault, key: k } }]\n'));
    expect(errorsOf(text)[0]?.message).toContain('not in the manifest: vault');
  });
});

describe('a manifest of the actor era', () => {
  const provider = (config: string): string => `    - name: web
      type: capability
      properties:
        image: wasmcloud.azurecr.io/httpserver:0.17.0
        contract: wasmcloud:httpserver
        link_name: front
${config}`;
  const linkdef =
    '      traits: [{ type: linkdef, properties: { target: web, values: { address: "0.0.0.0:8080", port: 1 } } }]\n';

  test('has linkdefs as links from actor to provider, values as config', () => {
    const { links } = applicationOf(frame(actor('', linkdef) + provider('')));
    expect(links).toMatchObject([
      {
        source: 'echo',
        target: 'web',
        name: 'front',
        namespace: 'wasmcloud',
        package: 'httpserver',
        targetConfig: [{ name: 'my_app-echo_web_front', values: { address: '0.0.0.0:8080', port: '1' } }],
      },
    ]);
  });

  test.each([
    ['config: { a: 1 }', { a: '1' }],
    ['config: plain text', { config_json: 'plain text' }],
    ['config: { a: { b: [1] } }', { config_json: '{"a":{"b":[1]}}' }],
  ])('has %s of a provider as one config', (config, values) => {
    const { components } = applicationOf(frame(provider(`        ${config}\n`)));
    expect(components[0]?.config).toMatchObject([{ name: 'my_app-web_config', values }]);
  });

  test('with a linkdef to a provider without contract is refused', () => {
    const text = frame(actor('', linkdef) + provider('')).replace('        contract: wasmcloud:httpserver\n', '');
    expect(errorsOf(text)[0]?.message).toContain('has no "contract"');
  });
});

describe('hostile text', () => {
  const bomb = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
  ].join('\n');
  test.each([
    ['larger than 1 MiB', 'x'.repeat(1024 * 1024 + 1)],
    ['of many brackets', '['.repeat(1_000_000)],
    ['of some brackets', '['.repeat(1000)],
    ['of dashes', '- '.repeat(1000)],
    ['of question marks', '? '.repeat(1000)],
    ['of aliases that multiply', bomb],
    ['that contains itself', 'a: &a [*a]'],
    ['with two documents', 'a: 1\n---\nb: 2'],
    ['of nothing', ''],
    ['of bytes', '\u0000\u0001\ufffe'],
    ['with a hundred thousand keys', Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join('\n')],
  ])('%s is refused quickly', (_name, text) => {
    const startedMs = performance.now();
    expect(errorsOf(text).length).toBeGreaterThan(0);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test('with keys such as __proto__ changes no prototype', () => {
    const { application } = parseManifest(
      frame(actor('        config: [{ name: c, properties: { __proto__: x, constructor: y } }]\n')),
    );
    const values = application?.components[0]?.config[0]?.values;
    expect(Object.entries(values ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test('of any kind never makes the parser throw', () => {
    const piece = fc.constantFrom(
      'a: ',
      '- ',
      '[',
      '{',
      '}',
      '&x ',
      '*x ',
      '\n',
      '  ',
      '"',
      'spec:',
      'name: b\n',
      '!!js ',
      '<<: ',
      '|\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        parseManifest(frame('') + pieces.join(''));
        parseManifest(pieces.join(''));
      }),
      { numRuns: 500 },
    );
  });
});
