import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTarGz, readZip } from '../../../lattice/archive.ts';
import { WattleError } from '../../../lattice/errors.ts';
import { createTar, createZip } from '../../support/archives.ts';

const bytes = Buffer.from('the binary '.repeat(100));

describe('a tar', () => {
  test('gives the expected file among others', () => {
    const tar = createTar([
      { name: 'a/', type: '5' },
      { name: 'a/x', bytes: Buffer.alloc(700) },
      { name: 'a/b', bytes },
    ]);
    expect(readTarGz(gzipSync(tar), 'a/b')).toEqual(bytes);
  });

  test('gives no link in place of the file', () => {
    const tar = createTar([{ name: 'a/b', type: '2' }]);
    expect(() => readTarGz(gzipSync(tar), 'a/b')).toThrow('it holds no file a/b');
  });

  test('that is cut off is refused', () => {
    const tar = createTar([{ name: 'a/b', bytes }]);
    expect(() => readTarGz(gzipSync(tar.subarray(0, 1000)), 'a/b')).toThrow('runs past its end');
    expect(() => readTarGz(gzipSync(tar).subarray(0, 60), 'a/b')).toThrow(WattleError);
  });
});

describe('a zip', () => {
  test.each([true, false])('gives the expected file (deflated: %s)', (deflated) => {
    const zip = createZip(
      [
        { name: 'a/x', bytes: Buffer.alloc(10) },
        { name: 'a/b', bytes },
      ],
      deflated,
    );
    expect(Buffer.from(readZip(zip, 'a/b'))).toEqual(bytes);
    expect(() => readZip(zip, 'b')).toThrow('it holds no file b');
  });

  test('with any byte changed gives bytes or a WattleError, nothing else', () => {
    const zip = createZip([{ name: 'a/b', bytes }], true);
    fc.assert(
      fc.property(fc.nat(zip.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(zip);
        changed[at] = value;
        try {
          readZip(changed, 'a/b');
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(WattleError);
        }
      }),
    );
  });
});
