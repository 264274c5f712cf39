import { PointbackError } from '../../api/errors.ts';
import { formatBytes } from '../../api/format.ts';
import type { BackupRecord, Compression } from '../../repository/backupRecord.ts';
import { listBackups } from '../../repository/catalog.ts';
import type { Repository } from '../../repository/repository.ts';

/** Compressed size over original size when no earlier backup tells: what a very compressible database reaches. */
const hopefulRatio = 0.1;
/** Left free beyond the backup, bytes: a full disk harms more than this backup. */
const reserveBytes = 64 * 1024 * 1024;

/**
 * Refuses a backup that cannot fit before a byte of it is written. The server announces the uncompressed size; how much
 * smaller it gets is taken from the newest backup of the instance with the same compression.
 *
 * Throws `backup.no-space` with both figures.
 */
export async function requireSpace(
  repository: Repository,
  instance: string,
  announcedBytes: number,
  compression: Compression,
): Promise<void> {
  const free = await repository.store.freeBytes();
  if (free === undefined) return;
  const expected = Math.ceil(announcedBytes * (await expectedRatio(repository, instance, compression))) + reserveBytes;
  if (free >= expected) return;
  throw new PointbackError('backup.no-space', {
    message: `The backup needs about ${formatBytes(expected)} in ${repository.location}, where ${formatBytes(free)} are free.`,
    details: { neededBytes: expected, freeBytes: free },
  });
}

async function expectedRatio(repository: Repository, instance: string, compression: Compression): Promise<number> {
  if (compression.method === 'none') return 1;
  const earlier = (await listBackups(repository, instance, { damaged: () => undefined })).find(
    ({ record }) => record.compression.method === compression.method && record.tarBytes > 0,
  );
  return earlier === undefined ? hopefulRatio : ratioOf(earlier.record);
}

const ratioOf = ({ storedBytes, tarBytes }: BackupRecord): number => storedBytes / tarBytes;
