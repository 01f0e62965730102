import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readManifestFile, resolveManifestRefs } from '../../../cli/manifest-file.ts';
import { startTemporaryDirectory } from '../../support/temporary.ts';

const manifest = (image: string): string => `# a comment
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: { name: x }
spec:
  components:
    - name: hello
      type: actor
      properties:
        image: ${image} # stays
      traits: []
    - name: web
      type: capability
      properties: { image: 'wattle:http-server' }
`;

const imageOf = (text: string, at = 0): string => parse(text).spec.components[at].properties.image;

describe('a manifest', () => {
  test('keeps every byte but those of the file reference', () => {
    const before = manifest('file:build/hello_s.wasm');
    const after = resolveManifestRefs(before, '/work');
    expect(after).toBe(before.replace('file:build/hello_s.wasm', '"file:///work/build/hello_s.wasm"'));
    expect(imageOf(after, 1)).toBe('wattle:http-server');
  });

  test.each(["'file:a.wasm'", '"file:a.wasm"', '&anchor file:a.wasm', '!!str file:a.wasm'])(
    'has the reference %s resolved however it is written',
    (written) => {
      expect(imageOf(resolveManifestRefs(manifest(written), '/work'))).toBe('file:///work/a.wasm');
    },
  );

  test('keeps its number of lines when the reference is a block', () => {
    const before = manifest('>-\n          file:a.wasm\n').replace(' # stays', '');
    const after = resolveManifestRefs(before, '/work');
    expect(imageOf(after)).toBe('file:///work/a.wasm');
    expect(after.split('\n')).toHaveLength(before.split('\n').length);
  });

  test('has a reference behind an alias resolved once', () => {
    const text = `x: &image file:a.wasm\n${manifest('*image')}`;
    const after = resolveManifestRefs(text, '/work');
    expect(imageOf(after)).toBe('file:///work/a.wasm');
  });

  test('may be JSON', () => {
    const text = JSON.stringify({ spec: { components: [{ properties: { image: './a.wasm' } }] } });
    expect(JSON.parse(resolveManifestRefs(text, '/w'))).toEqual({
      spec: { components: [{ properties: { image: 'file:///w/a.wasm' } }] },
    });
  });

  test.each(['', 'a: [', 'just text', `${'['.repeat(20_000)}`, 'spec: {components: 7}', '- 1'])(
    'that is none comes back as it is (%#)',
    (text) => {
      expect(resolveManifestRefs(text, '/work')).toBe(text);
    },
  );

  test('of users without file references is not touched at all', () => {
    const folder = new URL('../../../../shared/manifests/', import.meta.url);
    const files = ['oam', 'actor-era', 'verdicts'].flatMap((era) =>
      readdirSync(new URL(`${era}/`, folder), { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => new URL(`${era}/${entry.name}`, folder)),
    );
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      if (!/image: *["']?(file:|\.|\/)/.test(text))
        expect(resolveManifestRefs(text, '/work'), file.pathname).toBe(text);
    }
  });
});

describe('reading a manifest', () => {
  test('takes wadm.yaml of a folder, and resolves against the folder of the file', async () => {
    await using directory = await startTemporaryDirectory();
    await mkdir(join(directory.path, 'app'));
    await writeFile(join(directory.path, 'app', 'wadm.yaml'), manifest('file:a.wasm'));
    const { file, text } = await readManifestFile(join(directory.path, 'app'));
    expect(file).toBe(join(directory.path, 'app', 'wadm.yaml'));
    expect(imageOf(text)).toBe(pathToFileURL(join(directory.path, 'app', 'a.wasm')).href);
  });

  test('fails with the path that is not there', async () => {
    await expect(readManifestFile('/nowhere/wadm.yaml')).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('/nowhere/wadm.yaml'),
    });
  });
});
