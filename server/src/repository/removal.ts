import type { BackupFiles } from './backupFiles.ts';
import { backupDirectories } from './backupFiles.ts';
import { backupPrefix, backupRecordKey, backupsPrefix } from './layout.ts';
import type { SeenHolder } from './lock/holder.ts';
import { readersOf } from './lock/sharedLocks.ts';
import type { Repository } from './repository.ts';

/** What a removal did. */
export interface Removal {
  /** Bytes removed from the repository. */
  readonly freedBytes: number;
  /** Readers that appeared while the backup was removed: its bytes stay until a later `sweepUnfinished` finds none. */
  readonly readers: readonly SeenHolder[];
}

/**
 * Removes a backup: first the commit record, so that from then on it does not exist, then its bytes. Call it under the
 * maintenance lock, after `sharedLocks` showed no reader of it; one that came in between keeps the bytes for now.
 */
export async function removeBackup(
  repository: Repository,
  instance: string,
  id: string,
  signal: AbortSignal,
): Promise<Removal> {
  const { store } = repository;
  await store.delete(backupRecordKey(instance, id), { signal });
  const readers = await readersOf(store, instance, id, signal);
  if (readers.length > 0) return { freedBytes: 0, readers };
  const files = (await backupDirectories(repository, instance, signal)).get(id);
  return { freedBytes: files === undefined ? 0 : await removeFiles(repository, instance, files, signal), readers };
}

/**
 * Removes what backups that were never completed, or not completely removed, have left; resolves to their ids. The caller
 * holds the backup lock. Directories somebody may still read are left for the next time.
 */
export async function sweepUnfinished(
  repository: Repository,
  instance: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { store } = repository;
  const swept: string[] = [];
  for (const files of (await backupDirectories(repository, instance, signal)).values()) {
    if (files.committed || (await readersOf(store, instance, files.id, signal)).length > 0) continue;
    await removeFiles(repository, instance, files, signal);
    swept.push(files.id);
  }
  await store.sweep(backupsPrefix(instance), { signal });
  return swept;
}

/**
 * Removes one backup that was not completed. Resolves to false, and leaves it alone, when it was after all. The caller
 * holds the backup lock or is the one who made the directory.
 */
export async function discardUnfinished(
  repository: Repository,
  instance: string,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { store } = repository;
  if ((await store.stat(backupRecordKey(instance, id), { signal })) !== undefined) return false;
  const files = (await backupDirectories(repository, instance, signal)).get(id);
  if (files !== undefined) await removeFiles(repository, instance, files, signal);
  await store.sweep(backupPrefix(instance, id), { signal });
  return true;
}

async function removeFiles(
  { store }: Repository,
  instance: string,
  files: BackupFiles,
  signal: AbortSignal,
): Promise<number> {
  // The listing may be older than a commit: what exists is never removed by mistake.
  if ((await store.stat(backupRecordKey(instance, files.id), { signal })) !== undefined) return 0;
  let freedBytes = 0;
  for (const { key, size } of files.objects) {
    signal.throwIfAborted();
    await store.delete(key, { signal });
    freedBytes += size;
  }
  return freedBytes;
}
