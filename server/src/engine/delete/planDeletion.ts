import { PointbackError } from '../../api/errors.ts';
import type { CatalogEntry } from '../../repository/catalog.ts';
import { findBackup, listBackups } from '../../repository/catalog.ts';
import type { Repository } from '../../repository/repository.ts';

/** A deletion, decided and shown before anything is removed. */
export interface DeletionPlan {
  readonly repository: Repository;
  readonly instance: string;
  readonly backup: CatalogEntry;
  /** Bytes that become free. */
  readonly freedBytes: number;
  /** Whether it is the newest backup that is not known to be broken: without it nothing as recent can be restored. */
  readonly isNewestRestorable: boolean;
  /** The newest restorable backup that stays; absent when none does. */
  readonly newestLeft?: CatalogEntry;
}

/** Which backup to delete. */
export interface DeletionParameters {
  readonly repository: Repository;
  readonly instance: string;
  /** Always named: nothing is deleted by being the newest. */
  readonly id: string;
}

/**
 * Says what deleting a backup would lose, without removing anything. Throws `backup.unknown`, `backup.ambiguous`, and
 * `backup.needed-by-others` when incremental backups build on it.
 */
export async function planDeletion({ repository, instance, id }: DeletionParameters): Promise<DeletionPlan> {
  const backup = await findBackup(repository, instance, id);
  const others = (await listBackups(repository, instance, { damaged: () => undefined })).filter(
    ({ record }) => record.id !== backup.record.id,
  );
  const children = others.filter(({ record }) => record.parent === backup.record.id);
  if (children.length > 0) {
    throw new PointbackError('backup.needed-by-others', {
      message: `${backup.record.id} cannot be deleted: ${children.map(({ record }) => record.id).join(', ')} builds on it.`,
      details: { instance, id: backup.record.id },
    });
  }
  const restorable = others.filter(({ state }) => state !== 'broken');
  const newestLeft = restorable[0];
  return {
    repository,
    instance,
    backup,
    freedBytes: backup.record.storedBytes,
    isNewestRestorable:
      backup.state !== 'broken' && (newestLeft === undefined || newestLeft.record.id < backup.record.id),
    ...(newestLeft === undefined ? {} : { newestLeft }),
  };
}
