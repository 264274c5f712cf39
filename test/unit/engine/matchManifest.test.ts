import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchManifest, type SeenFile } from '../../../server/src/engine/archive/matchManifest.ts';
import { filePathFromText } from '../../../server/src/formats/filePath.ts';
import type { ManifestFile } from '../../../server/src/formats/manifestLines.ts';

const seen = (path: string, checksum = 'aa', size = 1): SeenFile => ({ path: filePathFromText(path), size, checksum });
const listed = (path: string, checksum = 'aa', size = 1): ManifestFile => ({
  path: filePathFromText(path),
  size,
  lastModified: '2026-11-22 11:00:52 GMT',
  algorithm: 'SHA256',
  checksum,
});

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

async function problems(files: readonly SeenFile[], manifest: readonly ManifestFile[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { code, subject } of matchManifest(from(files), from(manifest))) found.push(`${code} ${subject}`);
  return found;
}

describe('matchManifest', () => {
  it('finds nothing when both have the same files, in whatever order', async () => {
    const names = ['a', 'b', 'c', 'd'];
    assert.deepEqual(
      await problems(
        names.map((name) => seen(name)),
        names.map((name) => listed(name)),
      ),
      [],
    );
    assert.deepEqual(
      await problems(
        names.map((name) => seen(name)),
        names.toReversed().map((name) => listed(name)),
      ),
      [],
    );
  });

  it('leaves out WAL segments, which no manifest lists, but not what else lies in pg_wal', async () => {
    assert.deepEqual(await problems([seen('pg_wal/000000010000000000000002')], []), []);
    assert.deepEqual(await problems([seen('pg_wal/00000002.history')], []), ['file-unlisted pg_wal/00000002.history']);
  });

  for (const [what, files, manifest, expected] of [
    ['a checksum', [seen('a', 'ab')], [listed('a', 'ac')], ['file-changed a']],
    ['a size', [seen('a', 'aa', 2)], [listed('a')], ['file-changed a']],
    ['a missing file', [seen('b')], [listed('a'), listed('b')], ['file-missing a']],
    ['an extra file', [seen('x'), seen('a')], [listed('a')], ['file-unlisted x']],
    ['a file listed twice', [seen('a')], [listed('a'), listed('a')], ['file-missing a']],
    ['a file that came twice', [seen('a'), seen('a')], [listed('a')], ['file-unlisted a']],
    ['nothing having come', [], [listed('a')], ['file-missing a']],
  ] as const) {
    it(`finds ${what}`, async () => {
      assert.deepEqual(await problems(files, manifest), expected);
    });
  }

  it('does not compare checksums a manifest does not have', async () => {
    assert.deepEqual(await problems([seen('a', 'ab')], [{ ...listed('a', ''), algorithm: 'NONE' }]), []);
  });
});
