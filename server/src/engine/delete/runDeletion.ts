import { PointbackError } from '../../api/errors.ts';
import { lockKey } from '../../repository/layout.ts';
import { acquireLock } from '../../repository/lock/exclusiveLock.ts';
import { sharedLocks } from '../../repository/lock/sharedLocks.ts';
import { removeBackup, type Removal } from '../../repository/removal.ts';
import type { OperationContext } from '../context.ts';
import { planDeletion, type DeletionPlan } from './planDeletion.ts';

/**
 * Executes a deletion: the commit record first, so that the backup is gone at once and wholly, then its bytes. A crash in
 * between leaves bytes that the next backup sweeps, never half a backup.
 *
 * The plan is made again under the lock: what it was agreed to on may have changed meanwhile. Throws
 * `backup.deletion-outdated` when more would be lost than the plan said, what `planDeletion` throws, `backup.being-read`
 * while it is restored or verified, and `lock.held`.
 */
export async function runDeletion(plan: DeletionPlan, context: OperationContext): Promise<Removal> {
  const { repository, instance, backup } = plan;
  const { id } = backup.record;
  const lock = await acquireLock(repository.store, lockKey(instance, 'maintenance'), {
    purpose: `delete ${id}`,
    signal: context.signal,
  });
  try {
    context.progress({ phase: 'deleting', detail: id });
    const readers = await sharedLocks(repository.store, instance, { signal: context.signal, backup: id });
    const [reader] = readers;
    if (reader !== undefined) {
      throw new PointbackError('backup.being-read', {
        message: `${id} is in use: ${reader.purpose} by process ${reader.pid} on ${reader.host}.`,
        details: { instance, id },
      });
    }
    requireNoGreaterLoss(plan, await planDeletion({ repository, instance, id }));
    await lock.confirm();
    return await removeBackup(repository, instance, id, context.signal);
  } finally {
    await lock.release();
  }
}

/** The plan was agreed to with the newest restorable backup it leaves: none that is older may be left now. */
function requireNoGreaterLoss(agreed: DeletionPlan, now: DeletionPlan): void {
  const { instance, backup } = agreed;
  const [promised, left] = [agreed.newestLeft?.record.id, now.newestLeft?.record.id];
  const isWorse = promised !== undefined && (left === undefined || left < promised);
  if (!isWorse && (agreed.isNewestRestorable || !now.isNewestRestorable)) return;
  throw new PointbackError('backup.deletion-outdated', {
    message: `${backup.record.id} was not deleted: ${
      left === undefined ? 'no other backup that can be restored' : `no other backup newer than ${left}`
    } would be left, which is less than when the deletion was planned.`,
    details: { instance, id: backup.record.id },
  });
}
