import { describe, expect, test } from 'vitest';
import { resolveArtifactRef } from '../../../cli/artifact-ref.ts';

const pin = `@sha256:${'a'.repeat(64)}`;

describe('a reference to a file', () => {
  test.each([
    ['file:a.wasm', 'file:///work/app/a.wasm'],
    ['file:./a.wasm', 'file:///work/app/a.wasm'],
    ['file://./a.wasm', 'file:///work/app/a.wasm'],
    ['file:../lib/a.wasm', 'file:///work/lib/a.wasm'],
    ['./a.wasm', 'file:///work/app/a.wasm'],
    ['build/a.wasm', 'file:///work/app/build/a.wasm'],
    ['/abs/a.wasm', 'file:///abs/a.wasm'],
    ['my dir/ä.wasm', 'file:///work/app/my%20dir/%C3%A4.wasm'],
    [`file:a.wasm${pin}`, `file:///work/app/a.wasm${pin}`],
  ])('%s becomes absolute', (ref, absolute) => {
    expect(resolveArtifactRef(ref, '/work/app')).toBe(absolute);
  });
});

describe('any other reference', () => {
  test.each([
    'file:///abs/a.wasm',
    'file:/abs/a.wasm',
    'https://example.org/a.wasm',
    'http://127.0.0.1:8080/a.wasm',
    'wattle:http-server',
    'wasmcloud.azurecr.io/httpserver:0.17.0',
    'ghcr.io/wasmcloud/components/http-hello-world-rust',
  ])('%s stays as it is', (ref) => {
    expect(resolveArtifactRef(ref, '/work/app')).toBe(ref);
  });
});
