import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { readArchive } from '../../../server/src/engine/archive/archiveReader.ts';
import { ArchiveWriter, frameBytes } from '../../../server/src/engine/archive/archiveWriter.ts';
import type { CompressionMethod } from '../../../server/src/repository/backupRecord.ts';
import type { IndexArchive } from '../../../server/src/repository/backupIndex.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

const key = 'shop/backups/x/data/base.tar';
const { signal } = new AbortController();

/** Content that compresses somewhat and differs everywhere. */
function content(length: number): Buffer {
  const buffer = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += 64) randomBytes(16).copy(buffer, offset);
  return buffer;
}

async function write(
  store: MemoryStore,
  method: CompressionMethod,
  tar: Buffer,
  pieceBytes: number,
): Promise<IndexArchive> {
  const writer = new ArchiveWriter(store, key, { method }, signal);
  for (let offset = 0; offset < tar.length; offset += pieceBytes) {
    await writer.write(tar.subarray(offset, offset + pieceBytes));
  }
  return { name: 'base.tar', ...(await writer.finish()) };
}

async function readAll(store: MemoryStore, archive: IndexArchive, method: CompressionMethod): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of readArchive(store, key, archive, method, signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('ArchiveWriter and readArchive', () => {
  for (const method of ['zstd', 'gzip', 'none'] as const) {
    for (const length of [0, 1, frameBytes - 1, frameBytes, frameBytes + 1, 2 * frameBytes + 12_345]) {
      it(`bring ${length} bytes back through ${method}`, async () => {
        const tar = content(length);
        const store = new MemoryStore();
        const archive = await write(store, method, tar, 32 * 1024 - 7);
        assert.equal(archive.tarBytes, length);
        assert.equal(archive.storedBytes, store.objects.get(key)?.length);
        assert.equal(archive.frames.length, Math.ceil(length / frameBytes));
        assert.ok(tar.equals(await readAll(store, archive, method)));
      });
    }
  }

  it('cut a single large piece into frames', async () => {
    const tar = content(2 * frameBytes + 5);
    const store = new MemoryStore();
    const archive = await write(store, 'none', tar, tar.length);
    assert.deepEqual(
      [...archive.frames].map(([, , offset, length]) => [offset, length]),
      [
        [0, frameBytes],
        [frameBytes, frameBytes],
        [2 * frameBytes, 5],
      ],
    );
    assert.ok(tar.equals(await readAll(store, archive, 'none')));
  });

  it('write what zstd and gzip read as one stream', async (t) => {
    const tar = content(frameBytes + 1000);
    const store = new MemoryStore();
    await write(store, 'gzip', tar, 100_000);
    const gzipped = store.objects.get(key) ?? Buffer.alloc(0);
    assert.ok(tar.equals(gunzipSync(gzipped)));
    // As one member: PostgreSQL's tools read no further than the first.
    assert.ok(tar.equals(inflateRawSync(gzipped.subarray(10, -8))));
    await write(store, 'zstd', tar, 100_000);
    try {
      execFileSync('zstd', ['--version']);
    } catch {
      t.skip('this machine has no zstd program');
      return;
    }
    const plain = execFileSync('zstd', ['-dc'], { input: store.objects.get(key), maxBuffer: 2 * tar.length });
    assert.ok(tar.equals(plain));
  });

  for (const method of ['zstd', 'gzip'] as const) {
    it(`name the archive and the frame when a stored ${method} byte is flipped`, async () => {
      const store = new MemoryStore();
      const archive = await write(store, method, content(2 * frameBytes), 100_000);
      const stored = Buffer.from(store.objects.get(key) ?? '');
      const inSecondFrame = (archive.frames.at(1)?.[0] ?? 0) + 5000;
      stored.writeUInt8((stored[inSecondFrame] ?? 0) ^ 1, inSecondFrame);
      await store.put(key, stored);
      await assert.rejects(
        readAll(store, archive, method),
        (error) =>
          isPointbackError(error, 'backup.damaged') &&
          // Deflate alone does not notice everything; the checksum at the end of the archive does.
          (/base\.tar.*frame 2 of 2/.test(error.message) ||
            (method === 'gzip' && /base\.tar.*gzip checksum/.test(error.message))),
      );
    });
  }

  for (const [what, place] of [
    ['header', 9],
    ['final block', -10],
    ['checksum', -8],
    ['length', -1],
  ] as const) {
    it(`notice a flipped bit in the ${what} of a gzip stream`, async () => {
      const store = new MemoryStore();
      const archive = await write(store, 'gzip', content(frameBytes + 1), 100_000);
      const stored = Buffer.from(store.objects.get(key) ?? '');
      const offset = place < 0 ? stored.length + place : place;
      stored.writeUInt8((stored[offset] ?? 0) ^ 1, offset);
      await store.put(key, stored);
      await assert.rejects(readAll(store, archive, 'gzip'), (error) => isPointbackError(error, 'backup.damaged'));
    });
  }

  it('refuse a frame that holds another length than the index says', async () => {
    const store = new MemoryStore();
    const archive = await write(store, 'zstd', content(1000), 1000);
    const wrong = { ...archive, frames: [...archive.frames].map(([at, length]) => [at, length, 0, 999] as const) };
    await assert.rejects(readAll(store, wrong, 'zstd'), (error) => isPointbackError(error, 'backup.damaged'));
  });

  it('fail the writer with the error of the store', async () => {
    const store = new MemoryStore();
    store.put = async (_key, body) => {
      for await (const _piece of body as AsyncIterable<unknown>) throw new Error('disk full');
    };
    const writer = new ArchiveWriter(store, key, { method: 'none' }, signal);
    await assert.rejects(async () => {
      for (;;) await writer.write(Buffer.alloc(frameBytes));
    }, /disk full/);
    await assert.rejects(writer.finish(), /disk full/);
  });

  it('leave nothing in the store when aborted', async () => {
    const store = new MemoryStore();
    const writer = new ArchiveWriter(store, key, { method: 'zstd' }, signal);
    await writer.write(content(frameBytes * 2));
    await writer.abort(new Error('cancelled'));
    assert.equal(store.objects.size, 0);
  });
});
