import type { BackupRecord } from '../../../server/src/repository/backupRecord.ts';
import type { Repository } from '../../../server/src/repository/repository.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

/** A backup record, valid in every field. */
export function sampleBackup(changes: Partial<BackupRecord> = {}): BackupRecord {
  return {
    format: 1,
    id: '20261122T110052.123Z-full',
    type: 'full',
    method: 'streamed',
    label: 'nightly',
    writtenBy: '0.1.0',
    systemIdentifier: '7550000000000000001',
    serverVersion: '18.4',
    serverVersionNumber: 180004,
    from: 'primary',
    startLsn: '0/2000028',
    startTimeline: 1,
    endLsn: '0/2000120',
    endTimeline: 1,
    startedAt: '2026-11-22T11:00:52.123Z',
    finishedAt: '2026-11-22T11:02:04.623Z',
    walSegmentSize: 16777216,
    walSegments: ['000000010000000000000002'],
    dataDirectoryMode: '0700',
    dataChecksums: true,
    compression: { method: 'zstd', level: 3 },
    manifestChecksums: 'SHA256',
    archives: [{ name: 'base.tar.zst', tarBytes: 3_500_000_000, storedBytes: 1_460_000_000 }],
    fileCount: 1204,
    tarBytes: 3_500_000_000,
    storedBytes: 1_460_000_000,
    loginRole: 'postgres',
    configurationFiles: [],
    ...changes,
  };
}

/** A repository in memory. */
export function sampleRepository(): Repository {
  return { store: new MemoryStore(), location: '/mnt/backups', id: '00000000-0000-4000-8000-000000000000' };
}
