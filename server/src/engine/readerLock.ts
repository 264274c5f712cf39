import { isPointbackError } from '../api/errors.ts';
import { acquireSharedLock } from '../repository/lock/sharedLocks.ts';
import type { Repository } from '../repository/repository.ts';
import type { OperationContext } from './context.ts';

/** What a reader of a backup holds while it reads. */
export interface ReaderLock {
  /** Fires with `lock.lost` when the backup is not protected any more. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * Holds off deletion of a backup while it is read. A repository that cannot be written (a read-only mount, a snapshot,
 * somebody else's disk) is read without: nothing deletes from it either, and after a disaster it may be all there is.
 */
export async function acquireReaderLock(
  { store }: Repository,
  instance: string,
  backup: string,
  purpose: string,
  context: OperationContext,
): Promise<ReaderLock> {
  try {
    return await acquireSharedLock(store, instance, {
      purpose: `${purpose} ${backup}`,
      backup,
      signal: context.signal,
    });
  } catch (error) {
    if (!isPointbackError(error, 'store.not-writable')) throw error;
    context.log('warning', 'the repository cannot be written, so the backup is read without holding off its deletion');
    return { signal: new AbortController().signal, release: () => Promise.resolve() };
  }
}
