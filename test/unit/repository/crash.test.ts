import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupRecord } from '../../../server/src/repository/backupRecord.ts';
import { addVerification, listBackups } from '../../../server/src/repository/catalog.ts';
import { writeInstance } from '../../../server/src/repository/instances.ts';
import { backupPrefix, lockKey } from '../../../server/src/repository/layout.ts';
import { acquireLock } from '../../../server/src/repository/lock/exclusiveLock.ts';
import { discardUnfinished, removeBackup, sweepUnfinished } from '../../../server/src/repository/removal.ts';
import type { Repository } from '../../../server/src/repository/repository.ts';
import { failOnCall } from '../../faults/failOnCall.ts';
import { policyStore } from '../../faults/policyStore.ts';
import {
  fakeContent,
  fakeKeys,
  fakeRecord,
  fakeVerification,
  repositoryIn,
  storeFakeBackup,
} from '../../support/fakeBackup.ts';
import { MemoryStore } from '../../support/memoryStore.ts';
import { RecordingStore, everyCrash } from '../../support/recordingStore.ts';

const { signal } = new AbortController();
const shop = 'shop';

/** The life of an instance: backups taken, verified, abandoned, removed, each under its lock. */
async function life(repository: Repository): Promise<BackupRecord[]> {
  const records = [1, 2, 3, 4, 5].map((minute) => fakeRecord(minute));
  const [first, second, abandoned, third, unverified] = records as [BackupRecord, BackupRecord, BackupRecord, BackupRecord, BackupRecord]; // prettier-ignore
  await writeInstance(repository, shop, {
    format: 1,
    name: shop,
    systemIdentifier: first.systemIdentifier,
    major: 18,
    walSegmentSize: first.walSegmentSize,
    createdAt: first.startedAt,
  });
  const locked = async (name: 'backup' | 'maintenance', run: () => Promise<unknown>): Promise<void> => {
    const lock = await acquireLock(repository.store, lockKey(shop, name), { purpose: name, signal });
    await run();
    await lock.confirm();
    await lock.release();
  };
  for (const record of [first, second]) {
    await locked('backup', async () => {
      await sweepUnfinished(repository, shop, signal);
      await storeFakeBackup(repository, shop, record);
    });
  }
  await addVerification(repository, shop, first.id, fakeVerification(10));
  await locked('backup', async () => {
    for (const key of fakeKeys(shop, abandoned)) await repository.store.put(key, fakeContent(abandoned, key));
    await discardUnfinished(repository, shop, abandoned.id, signal);
  });
  await locked('maintenance', () => removeBackup(repository, shop, first.id, signal));
  await locked('backup', async () => {
    await addVerification(repository, shop, third.id, fakeVerification(11, { by: 'receipt', outcome: 'failed' }));
    await storeFakeBackup(repository, shop, third);
  });
  await locked('backup', () => storeFakeBackup(repository, shop, unverified));
  await locked('maintenance', () => removeBackup(repository, shop, second.id, signal));
  return records;
}

/** Every backup that is listed is there to the last byte, and the one the server found damage in is never green. */
async function requireTruthful(store: MemoryStore, when: string): Promise<string[]> {
  const entries = await listBackups(repositoryIn(store), shop);
  for (const { record, state } of entries) {
    assert.deepEqual(record, fakeRecord(Number(record.id.slice(11, 13))), when);
    for (const key of fakeKeys(shop, record)) {
      assert.ok(store.objects.get(key)?.equals(fakeContent(record, key)), `${when}: ${key}`);
    }
    if (record.id === fakeRecord(4).id) assert.equal(state, 'broken', when);
  }
  return entries.map(({ record }) => record.id);
}

/** After a sweep nothing is left of what is not listed, what is listed is untouched, and a second one finds nothing. */
async function requireConverging(store: MemoryStore, listed: readonly string[], when: string): Promise<void> {
  const before = new Map(store.objects);
  await sweepUnfinished(repositoryIn(store), shop, signal);
  for (const [key, content] of before) {
    const ofListed = listed.some((id) => key.startsWith(`${backupPrefix(shop, id)}/`));
    if (ofListed) assert.ok(store.objects.get(key)?.equals(content), `${when}: ${key} was swept`);
    if (!ofListed && key.includes('/backups/')) assert.equal(store.objects.has(key), false, `${when}: ${key} is left`);
  }
  assert.deepEqual(await sweepUnfinished(repositoryIn(store), shop, signal), [], when);
}

test('whatever change a process was killed after, the list is truthful and the next sweep converges', async () => {
  const recording = new RecordingStore();
  await life(repositoryIn(policyStore(recording)));
  const lists = new Set<string>();
  let crashes = 0;
  for (const { after, store } of everyCrash(recording)) {
    crashes += 1;
    const listed = await requireTruthful(store, `after ${after} changes`);
    lists.add(listed.map((id) => id.slice(11, 13)).join(' '));
    await requireConverging(store, listed, `after ${after} changes`);
    assert.deepEqual(await requireTruthful(store, `swept after ${after} changes`), listed);
  }
  assert.ok(crashes > 50, `${crashes} crashes`);
  assert.deepEqual([...lists], ['', '01', '02 01', '02', '04 02', '05 04 02', '05 04']);
});

test('whatever call the store fails at, the list is truthful and the next sweep converges', async () => {
  const counting = failOnCall(new MemoryStore(), Infinity, () => new Error('unused'));
  await life(repositoryIn(counting));
  assert.ok(counting.calls > 80, `${counting.calls} calls`);
  for (let n = 1; n <= counting.calls; n += 1) {
    const store = new MemoryStore();
    const failing = failOnCall(store, n, () => new Error('the disk is gone'));
    // The last calls are the release of a lock, which may fail in silence.
    await life(repositoryIn(failing)).catch((error: unknown) => {
      assert.match(String(error), /the disk is gone/);
    });
    const listed = await requireTruthful(store, `failing from call ${n}`);
    await requireConverging(store, listed, `failing from call ${n}`);
  }
});
