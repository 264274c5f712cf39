import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PointbackError, isPointbackError } from '../../../server/src/api/errors.ts';
import type { DrillRecord } from '../../../server/src/repository/backupRecord.ts';
import {
  addDrill,
  addVerification,
  commitBackup,
  findBackup,
  listBackups,
} from '../../../server/src/repository/catalog.ts';
import { listInstances, readInstance, writeInstance } from '../../../server/src/repository/instances.ts';
import {
  backupRecordKey,
  instanceRecordKey,
  lockKey,
  verificationPrefix,
} from '../../../server/src/repository/layout.ts';
import { acquireSharedLock } from '../../../server/src/repository/lock/sharedLocks.ts';
import { formatRecord } from '../../../server/src/repository/records.ts';
import { discardUnfinished, removeBackup, sweepUnfinished } from '../../../server/src/repository/removal.ts';
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

const { signal } = new AbortController();
const shop = 'shop';
const coded =
  (code: Parameters<typeof isPointbackError>[1]) =>
  (error: unknown): boolean =>
    isPointbackError(error, code);

function setting(): { store: MemoryStore; repository: ReturnType<typeof repositoryIn> } {
  const store = new MemoryStore();
  return { store, repository: repositoryIn(policyStore(store)) };
}

const instanceRecord = {
  format: 1,
  name: shop,
  systemIdentifier: '7512345678901234567',
  major: 18,
  walSegmentSize: 16 * 1024 * 1024,
  createdAt: '2026-11-22T11:00:00.000Z',
} as const;

const failedDrill: DrillRecord = {
  format: 1,
  at: '2026-11-22T12:00:00.000Z',
  outcome: 'failed',
  reason: 'did not start',
};

describe('the catalog of backups', () => {
  test('lists what is committed, newest first', async () => {
    const { store, repository } = setting();
    assert.deepEqual(await listBackups(repository, shop), []);
    const records = [fakeRecord(5), fakeRecord(1), fakeRecord(9)];
    for (const record of records) await storeFakeBackup(repository, shop, record);
    await repository.store.put(
      `${shop}/backups/20261122T115900.000Z-full/data/base.tar.zst`,
      Buffer.from('unfinished'),
    );
    await store.put(`${shop}/backups/notes/backup.json`, Buffer.from('not ours'));
    const entries = await listBackups(repository, shop);
    assert.deepEqual(entries.map(({ record }) => record), [records[2], records[0], records[1]]); // prettier-ignore
    assert.deepEqual(await listBackups(repository, 'sho'), []);
  });

  test('finds the newest, one by its id, one by an unambiguous beginning', async () => {
    const { repository } = setting();
    await assert.rejects(findBackup(repository, shop), coded('backup.unknown'));
    const [old, recent] = [fakeRecord(1), fakeRecord(12)];
    for (const record of [old, recent]) await storeFakeBackup(repository, shop, record);
    const found = async (id?: string): Promise<string> => (await findBackup(repository, shop, id)).record.id;
    assert.equal(await found(), recent.id);
    assert.equal(await found(old.id), old.id);
    assert.equal(await found('20261122T1101'), old.id);
    await assert.rejects(found('20261122T11'), coded('backup.ambiguous'));
    for (const id of ['2025', '', `${old.id}x`, '..']) await assert.rejects(found(id), coded('backup.unknown'), id);
  });

  test('one damaged record hides no other backup, and is told of', async () => {
    const { store, repository } = setting();
    const [good, bad, tooNew] = [fakeRecord(1), fakeRecord(2), fakeRecord(3)];
    for (const record of [good, bad, tooNew]) await storeFakeBackup(repository, shop, record);
    await store.put(backupRecordKey(shop, bad.id), Buffer.from('{"format":1'));
    await store.put(backupRecordKey(shop, tooNew.id), Buffer.from('{"format":2}'));
    await assert.rejects(listBackups(repository, shop), coded('repository.newer-format'));
    const told: PointbackError[] = [];
    const entries = await listBackups(repository, shop, { damaged: (error) => told.push(error) });
    assert.deepEqual(entries.map(({ record }) => record.id), [good.id]); // prettier-ignore
    assert.deepEqual(told.map(({ code }) => code).sort(), ['repository.damaged', 'repository.newer-format']);
    assert.equal((await findBackup(repository, shop, good.id)).record.id, good.id);
    await assert.rejects(findBackup(repository, shop, bad.id), coded('repository.damaged'));
    await assert.rejects(findBackup(repository, shop), coded('repository.newer-format'), 'never silently an older one');
  });

  test('a record copied into another directory is damage', async () => {
    const { store, repository } = setting();
    await storeFakeBackup(repository, shop, fakeRecord(1));
    const copy = backupRecordKey(shop, fakeRecord(2).id);
    await store.put(copy, formatRecord(fakeRecord(1)));
    await assert.rejects(listBackups(repository, shop), (error) => {
      assert.ok(isPointbackError(error, 'repository.damaged'));
      assert.ok(error.message.includes(copy));
      return true;
    });
  });

  test('a commit needs every archive and captured configuration file in its size, the manifest and the index', async () => {
    const record = fakeRecord(1, {
      archives: [
        { name: 'base.tar.zst', tarBytes: 40_000, storedBytes: 10_000 },
        { name: '16385.tar.zst', tablespaceOid: 16385, location: '/ts', tarBytes: 4_000, storedBytes: 1_000 },
      ],
      configurationFiles: [
        { name: 'postgresql.conf', captured: false },
        { name: 'pg_hba.conf', captured: true, size: 500, sha256: '0'.repeat(64) },
      ],
    });
    const needed = fakeKeys(shop, record);
    assert.equal(needed.length, 5);
    for (const missing of needed) {
      const { store } = setting();
      for (const key of needed) if (key !== missing) await store.put(key, fakeContent(record, key));
      await assert.rejects(commitBackup(repositoryIn(store), shop, record), coded('backup.incomplete'), missing);
      assert.deepEqual(await listBackups(repositoryIn(store), shop), []);
    }
    const { store } = setting();
    for (const key of needed) await store.put(key, fakeContent(record, key));
    const [base = ''] = needed;
    await store.put(base, fakeContent(record, base).subarray(1));
    await assert.rejects(commitBackup(repositoryIn(store), shop, record), coded('backup.incomplete'));
    await store.put(base, fakeContent(record, base));
    await commitBackup(repositoryIn(store), shop, record);
    await assert.rejects(commitBackup(repositoryIn(store), shop, record), coded('backup.exists'));
  });

  test('a commit that lost its lock or its files meanwhile is taken back', async () => {
    const record = fakeRecord(1);
    const lost = new PointbackError('lock.lost', {
      message: 'The lock on the instance was lost: the process was stopped.',
    });
    for (const sweeps of [false, true]) {
      const { store, repository } = setting();
      for (const key of fakeKeys(shop, record)) await store.put(key, fakeContent(record, key));
      let confirmations = 0;
      const confirm = async (): Promise<void> => {
        confirmations += 1;
        if (confirmations === 1) return;
        // The process was stopped before it stored the record; another one has begun its work.
        assert.ok(store.objects.has(backupRecordKey(shop, record.id)));
        if (!sweeps) throw lost;
        for (const key of fakeKeys(shop, record)) await store.delete(key);
      };
      const committed = commitBackup(repository, shop, record, { confirm });
      await assert.rejects(committed, coded(sweeps ? 'backup.incomplete' : 'lock.lost'));
      assert.equal(confirmations, 2);
      assert.equal(store.objects.has(backupRecordKey(shop, record.id)), false);
    }
  });

  test('derives the state from the newest records', async () => {
    const { repository } = setting();
    const record = fakeRecord(1);
    await storeFakeBackup(repository, shop, record);
    const state = async (): Promise<string> => (await findBackup(repository, shop)).state;
    assert.equal(await state(), 'unproven');
    await addVerification(repository, shop, record.id, fakeVerification(2));
    assert.equal(await state(), 'consistent');
    const problems = [{ code: 'file-changed', subject: 'base/1/1259', message: 'base/1/1259 differs.' }];
    await addVerification(
      repository,
      shop,
      record.id,
      fakeVerification(3, { outcome: 'failed', problems, problemCount: 3 }),
    );
    const broken = await findBackup(repository, shop);
    assert.deepEqual(
      [broken.state, broken.stateAt, broken.stateReason],
      ['broken', '2026-11-22T11:03:30.000Z', 'base/1/1259 differs. (and 2 more)'],
    );
    await addVerification(repository, shop, record.id, fakeVerification(4));
    assert.equal(await state(), 'consistent');
    await addDrill(repository, shop, record.id, { format: 1, at: '2026-11-22T11:59:00.000Z', outcome: 'passed' });
    assert.equal(await state(), 'proven');
    await addDrill(repository, shop, record.id, failedDrill);
    assert.equal(await state(), 'broken');
    await addVerification(repository, shop, record.id, fakeVerification(5));
    assert.equal(await state(), 'broken', 'reading the bytes does not undo a failed drill');
  });

  test('damage the server reported at receipt stays, whatever is verified later', async () => {
    const { repository } = setting();
    const record = fakeRecord(1);
    await addVerification(repository, shop, record.id, fakeVerification(1, { by: 'receipt', outcome: 'failed' }));
    await storeFakeBackup(repository, shop, record);
    assert.equal((await findBackup(repository, shop)).state, 'broken');
    for (const minute of [2, 3]) await addVerification(repository, shop, record.id, fakeVerification(minute));
    assert.equal((await findBackup(repository, shop)).state, 'broken');
  });

  test('a receipt that cannot be read still says that the server reported damage', async () => {
    for (const bytes of ['{"fo', '{"format":2}']) {
      const { store, repository } = setting();
      const record = fakeRecord(1);
      await addVerification(repository, shop, record.id, fakeVerification(1, { by: 'receipt', outcome: 'failed' }));
      await storeFakeBackup(repository, shop, record);
      const [receipt = ''] = [...store.objects.keys()].filter((key) => key.includes('/verify/'));
      await store.put(receipt, Buffer.from(bytes));
      assert.equal((await findBackup(repository, shop)).state, 'broken');
      await addVerification(repository, shop, record.id, fakeVerification(2));
      const { state, stateReason } = await findBackup(repository, shop);
      assert.equal(state, 'broken');
      assert.ok(stateReason?.includes(receipt));
    }
  });

  test('two outcomes of the same millisecond are both kept', async () => {
    const { store, repository } = setting();
    const { id } = fakeRecord(1);
    await Promise.all([1, 2, 3].map(() => addVerification(repository, shop, id, fakeVerification(2))));
    const prefix = `${verificationPrefix(shop, id)}/`;
    assert.equal([...store.objects.keys()].filter((key) => key.startsWith(prefix)).length, 3);
  });

  test('a verification record that cannot be read makes nothing green', async () => {
    const { store, repository } = setting();
    const record = fakeRecord(1);
    await storeFakeBackup(repository, shop, record);
    await addVerification(repository, shop, record.id, fakeVerification(2));
    await store.put(`${verificationPrefix(shop, record.id)}/20261122T115900.000Z.json`, Buffer.from('{"fo'));
    const { state, stateReason } = await findBackup(repository, shop);
    assert.equal(state, 'unproven');
    assert.match(stateReason ?? '', /20261122T115900\.000Z\.json .* is damaged/);
  });

  test('an incremental backup is no better than what it builds on', async () => {
    const { store, repository } = setting();
    const full = fakeRecord(1);
    const middle = fakeRecord(2, { type: 'incr', parent: full.id });
    const top = fakeRecord(3, { type: 'incr', parent: middle.id });
    for (const record of [full, middle, top]) await storeFakeBackup(repository, shop, record);
    await addVerification(repository, shop, top.id, fakeVerification(4));
    const states = async (): Promise<string[]> => (await listBackups(repository, shop)).map(({ state }) => state);
    assert.deepEqual(await states(), ['consistent', 'unproven', 'unproven']);
    await addVerification(repository, shop, full.id, fakeVerification(5, { outcome: 'failed' }));
    assert.deepEqual(await states(), ['broken', 'broken', 'broken']);
    await store.delete(backupRecordKey(shop, full.id));
    assert.deepEqual(await states(), ['broken', 'broken']);
    assert.match((await findBackup(repository, shop, middle.id)).stateReason ?? '', /is not in the repository/);
  });
});

describe('removal of backups', () => {
  test('takes the record first, then every byte, and nothing of others', async () => {
    const { store, repository } = setting();
    const [kept, removed] = [fakeRecord(1), fakeRecord(2)];
    for (const record of [kept, removed]) await storeFakeBackup(repository, shop, record);
    await addVerification(repository, shop, removed.id, fakeVerification(3));
    const before = [...store.objects].filter(([key]) => key.includes(removed.id));
    const { freedBytes, readers } = await removeBackup(repository, shop, removed.id, signal);
    assert.equal(readers.length, 0);
    const recordBytes = formatRecord(removed).length;
    assert.equal(freedBytes, before.reduce((sum, [, bytes]) => sum + bytes.length, 0) - recordBytes);
    assert.deepEqual(
      [...store.objects.keys()].sort(),
      [...fakeKeys(shop, kept), backupRecordKey(shop, kept.id)].sort(),
    );
  });

  test('leaves the bytes to a reader that came in between, until it is done', async () => {
    const { store, repository } = setting();
    const record = fakeRecord(1);
    await storeFakeBackup(repository, shop, record);
    const reader = await acquireSharedLock(store, shop, { purpose: 'restore', signal, backup: record.id });
    const removal = await removeBackup(repository, shop, record.id, signal);
    assert.equal(removal.readers[0]?.holder?.purpose, 'restore');
    assert.deepEqual(await listBackups(repository, shop), []);
    assert.deepEqual(await sweepUnfinished(repository, shop, signal), []);
    for (const key of fakeKeys(shop, record)) assert.ok(store.objects.has(key), key);
    await reader.release();
    assert.deepEqual(await sweepUnfinished(repository, shop, signal), [record.id]);
    assert.equal(store.objects.size, 0);
  });

  test('sweeping removes what was never committed, and nothing else', async () => {
    const { store, repository } = setting();
    const [committed, unfinished] = [fakeRecord(1), fakeRecord(2)];
    await storeFakeBackup(repository, shop, committed);
    await writeInstance(repository, shop, instanceRecord);
    await store.put(lockKey(shop, 'backup'), Buffer.from('held by the caller'));
    await store.put(`${shop}/backups/my notes`.replace(' ', '-'), Buffer.from('a file of the user'));
    await store.put(`${shop}/backups/old/data/base.tar.zst`, Buffer.from('a directory of the user'));
    const others = new Map(store.objects);
    for (const key of fakeKeys(shop, unfinished)) await store.put(key, fakeContent(unfinished, key));
    await storeFakeBackup(repository, 'shop2', fakeRecord(3));
    assert.deepEqual(await sweepUnfinished(repository, shop, signal), [unfinished.id]);
    for (const [key, bytes] of others) assert.ok(store.objects.get(key)?.equals(bytes), key);
    assert.equal([...store.objects.keys()].some((key) => key.includes(unfinished.id)), false); // prettier-ignore
    assert.equal((await listBackups(repository, 'shop2')).length, 1);
    assert.deepEqual(await sweepUnfinished(repository, shop, signal), []);
  });

  test('discarding leaves a backup alone that was committed after all', async () => {
    const { store, repository } = setting();
    const [committed, unfinished] = [fakeRecord(1), fakeRecord(2)];
    await storeFakeBackup(repository, shop, committed);
    const before = store.objects.size;
    await store.put(fakeKeys(shop, unfinished)[0] ?? '', Buffer.from('begun'));
    assert.equal(await discardUnfinished(repository, shop, committed.id, signal), false);
    assert.equal(await discardUnfinished(repository, shop, unfinished.id, signal), true);
    assert.equal(await discardUnfinished(repository, shop, unfinished.id, signal), true);
    assert.equal(store.objects.size, before);
  });
});

describe('instances', () => {
  test('are known once, and refuse another cluster under their name', async () => {
    const { repository } = setting();
    assert.equal(await readInstance(repository, shop), undefined);
    assert.deepEqual(await writeInstance(repository, shop, instanceRecord), instanceRecord);
    const later = { ...instanceRecord, createdAt: '2026-11-23T00:00:00.000Z' };
    assert.deepEqual(await writeInstance(repository, shop, later), instanceRecord, 'the first record stays');
    const foreign = { ...instanceRecord, systemIdentifier: '7599999999999999999' };
    await assert.rejects(writeInstance(repository, shop, foreign), coded('instance.different-system'));
    assert.deepEqual(await readInstance(repository, shop), instanceRecord);
  });

  test('are listed by name, odd names included, and one that is damaged hides no other', async () => {
    const { store, repository } = setting();
    const names = ['shop', 'Bücher/2026', '..', 'repository.json'];
    for (const name of names) await writeInstance(repository, name, { ...instanceRecord, name });
    await storeFakeBackup(repository, shop, fakeRecord(1));
    await store.put('repository.json', Buffer.from('{}'));
    assert.deepEqual((await listInstances(repository)).map(({ name }) => name), names.toSorted()); // prettier-ignore
    await store.put(instanceRecordKey('renamed'), formatRecord(instanceRecord));
    await assert.rejects(listInstances(repository), coded('repository.damaged'));
    const told: PointbackError[] = [];
    assert.equal((await listInstances(repository, { damaged: (error) => told.push(error) })).length, names.length);
    assert.match(told[0]?.message ?? '', /renamed\/instance\.json .* should be named shop/);
  });
});
