import type { BackupRecord, VerificationRecord } from '../../server/src/repository/backupRecord.ts';
import { commitBackup } from '../../server/src/repository/catalog.ts';
import { backupId, configurationKey, dataKey, indexKey, manifestKey } from '../../server/src/repository/layout.ts';
import type { Repository } from '../../server/src/repository/repository.ts';
import type { ObjectStore } from '../../server/src/repository/store/objectStore.ts';
import { randomBytesOf } from './randomBytes.ts';

/** A repository that is nothing but a store. */
export function repositoryIn(store: ObjectStore): Repository {
  return { store, location: 'test', id: '00000000-0000-4000-8000-000000000000' };
}

/** A commit record of a backup that was never taken; `minute` makes its id. */
export function fakeRecord(minute: number, changes: Partial<BackupRecord> = {}): BackupRecord {
  const type = changes.type ?? 'full';
  const startedAt = new Date(Date.UTC(2026, 10, 22, 11, minute, 0));
  return {
    format: 1,
    id: backupId(startedAt, type),
    type,
    method: 'streamed',
    label: 'pointback',
    writtenBy: '0.1.0',
    systemIdentifier: '7512345678901234567',
    serverVersion: '18.4',
    serverVersionNumber: 180004,
    from: 'primary',
    startLsn: '0/2000028',
    startTimeline: 1,
    endLsn: '0/2000120',
    endTimeline: 1,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date(startedAt.getTime() + 30_000).toISOString(),
    walSegmentSize: 16 * 1024 * 1024,
    walSegments: ['000000010000000000000002'],
    dataDirectoryMode: '0700',
    dataChecksums: true,
    compression: { method: 'zstd', level: 3 },
    manifestChecksums: 'SHA256',
    archives: [{ name: 'base.tar.zst', tarBytes: 40_000, storedBytes: 10_000 + minute }],
    fileCount: 1000,
    tarBytes: 40_000,
    storedBytes: 10_000 + minute,
    loginRole: 'postgres',
    configurationFiles: [],
    ...changes,
  };
}

/** The bytes a fake backup stores under a key. */
export function fakeContent(record: BackupRecord, key: string): Buffer {
  const archive = record.archives.find(({ name }) => key.endsWith(`/data/${name}`));
  const seed = Buffer.from(key).reduce((sum, byte) => (sum * 31 + byte) | 0, 7);
  return randomBytesOf(archive?.storedBytes ?? 500, seed);
}

/** The keys of a fake backup's files, in the order they are written. */
export function fakeKeys(instance: string, record: BackupRecord): string[] {
  return [
    ...record.archives.map(({ name }) => dataKey(instance, record.id, name)),
    manifestKey(instance, record.id),
    indexKey(instance, record.id),
    configurationKey(instance, record.id, 'pg_hba.conf'),
  ];
}

/** Writes a backup as the engine does: files, then the commit record. */
export async function storeFakeBackup(repository: Repository, instance: string, record: BackupRecord): Promise<void> {
  for (const key of fakeKeys(instance, record)) await repository.store.put(key, fakeContent(record, key));
  await commitBackup(repository, instance, record);
}

/** A verification's outcome; `minute` counts from the hour of `fakeRecord`. */
export function fakeVerification(minute: number, changes: Partial<VerificationRecord> = {}): VerificationRecord {
  return {
    format: 1,
    at: new Date(Date.UTC(2026, 10, 22, 11, minute, 30)).toISOString(),
    outcome: 'passed',
    by: 'verify',
    writtenBy: '0.1.0',
    durationMs: 1000,
    files: 1000,
    bytes: 40_000,
    problems: [],
    problemCount: 0,
    ...changes,
  };
}
