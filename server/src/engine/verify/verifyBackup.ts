import { isPointbackError } from '../../api/errors.ts';
import { pointbackVersion } from '../../api/version.ts';
import type { BackupRecord, VerificationProblem, VerificationRecord } from '../../repository/backupRecord.ts';
import { mostProblemsKept } from '../../repository/backupRecord.ts';
import { addVerification, findBackup } from '../../repository/catalog.ts';
import type { Repository } from '../../repository/repository.ts';
import type { OperationContext } from '../context.ts';
import { acquireReaderLock } from '../readerLock.ts';
import { checkObjects } from './checkObjects.ts';
import { FileCounter } from '../archive/watchWal.ts';
import { readBackup } from '../archive/readBackup.ts';

/** Which backup to verify. */
export interface VerifyParameters {
  readonly repository: Repository;
  readonly instance: string;
  /** The newest when absent. */
  readonly id?: string;
}

/** What a verification found. */
export interface VerifyOutcome {
  readonly record: BackupRecord;
  readonly verification: VerificationRecord;
}

/**
 * Re-reads every byte of a backup and holds it against the server's manifest, the manifest's own checksum, the index and
 * the WAL range it needs. The outcome is recorded beside the backup, where its state is derived from. Damage is an
 * outcome, no error.
 *
 * Throws `backup.unknown`, `repository.damaged` and the store's errors other than those that are the damage itself.
 */
export async function verifyBackup(parameters: VerifyParameters, context: OperationContext): Promise<VerifyOutcome> {
  const { repository, instance } = parameters;
  const { record } = await findBackup(repository, instance, parameters.id);
  const lock = await acquireReaderLock(repository, instance, record.id, 'verify', context);
  try {
    // It may have been deleted before the lock was there.
    await findBackup(repository, instance, record.id);
    const startedAt = Date.now();
    const problems: VerificationProblem[] = [];
    let problemCount = 0;
    const found = (problem: VerificationProblem): void => {
      problemCount += 1;
      if (problems.length < mostProblemsKept) problems.push(problem);
    };
    const signal = AbortSignal.any([context.signal, lock.signal]);
    for await (const problem of checkObjects(repository.store, instance, record, { signal })) found(problem);
    const counter = new FileCounter();
    await readBackup(
      {
        store: repository.store,
        instance,
        record,
        observers: [counter],
        onBytes: (doneBytes, detail) => {
          context.progress({ phase: 'verifying', doneBytes, totalBytes: record.tarBytes, detail });
        },
        found,
      },
      signal,
    );
    const verification: VerificationRecord = {
      format: 1,
      at: new Date().toISOString(),
      outcome: problemCount === 0 ? 'passed' : 'failed',
      by: 'verify',
      writtenBy: pointbackVersion,
      durationMs: Date.now() - startedAt,
      files: counter.files,
      bytes: counter.bytes,
      problems,
      problemCount,
    };
    signal.throwIfAborted();
    await addVerification(repository, instance, record.id, verification).catch((error: unknown) => {
      if (!isPointbackError(error, 'store.not-writable')) throw error;
      context.log('warning', 'the repository cannot be written, so the outcome is not recorded beside the backup');
    });
    return { record, verification };
  } finally {
    await lock.release();
  }
}
