import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PointbackError } from '../../../server/src/api/errors.ts';
import { BackupSink } from '../../../server/src/engine/backup/backupSink.ts';
import { BackupIndexWriter } from '../../../server/src/repository/backupIndex.ts';
import type { ObjectStore } from '../../../server/src/repository/store/objectStore.ts';
import { PassThrough } from '../../faults/passThrough.ts';
import { engineContext } from '../../support/engineContext.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

class TakesNothing extends PassThrough {
  override put(): Promise<void> {
    return Promise.reject(new PointbackError('store.failed', { message: 'The file server went away.' }));
  }
}

const sinkInto = (store: ObjectStore): BackupSink =>
  new BackupSink(
    {
      store,
      instance: 'shop',
      id: '20261122T110052.123Z-full',
      compression: { method: 'none' },
      algorithm: 'SHA256',
      serverVersionNumber: 180004,
      index: new BackupIndexWriter(),
      observers: [],
      onStart: () => Promise.resolve(),
    },
    engineContext(),
  );

describe('the sink of a backup', () => {
  it('does not wait for ever for a store that fails before it took anything', { timeout: 10_000 }, async () => {
    const sink = sinkInto(new TakesNothing(new MemoryStore()));
    for (let piece = 0; piece < 1000; piece += 1) await sink.manifestData(Buffer.from('a piece of a large manifest'));
    await assert.rejects(sink.finish(), { code: 'store.failed' });
  });

  it('begins nothing any more once it was aborted', async () => {
    const store = new MemoryStore();
    const sink = sinkInto(store);
    const reason = new Error('cancelled');
    await sink.abort(reason);
    assert.throws(() => {
      sink.beginArchive({ estimatedBytes: 1 });
    }, reason);
    assert.throws(() => sink.manifestData(Buffer.from('{')), reason);
    assert.deepEqual([...store.objects.keys()], []);
  });
});
