import { runBackup } from '../engine/backup/runBackup.ts';
import type { OperationContext } from '../engine/context.ts';
import { planRestore } from '../engine/restore/planRestore.ts';
import { runRestore } from '../engine/restore/runRestore.ts';
import type { StartedCopy } from '../engine/restore/startCopy.ts';
import { verifyBackup } from '../engine/verify/verifyBackup.ts';
import type { BackupRecord, BackupState, VerificationProblem, VerificationRecord } from '../repository/backupRecord.ts';
import { openRepository } from '../repository/repository.ts';
import type { JobSpecification } from './jobSpecification.ts';

/** What a finished job came to: plain JSON. */
export type JobResult =
  | {
      readonly operation: 'backup';
      readonly record: BackupRecord;
      readonly state: BackupState;
      readonly problems: readonly VerificationProblem[];
      readonly durationMs: number;
    }
  | { readonly operation: 'verify'; readonly record: BackupRecord; readonly verification: VerificationRecord }
  | {
      readonly operation: 'restore';
      readonly backup: string;
      readonly targetDirectory: string;
      readonly writtenBytes: number;
      readonly durationMs: number;
      readonly started?: StartedCopy;
    };

/** Runs the operation a specification names. Throws what the operation throws. */
export async function runJobOperation(job: JobSpecification, context: OperationContext): Promise<JobResult> {
  switch (job.operation) {
    case 'backup': {
      const repository = await openRepository(job.repository, { create: true });
      return { operation: 'backup', ...(await runBackup({ ...job, repository }, context)) };
    }
    case 'verify': {
      const repository = await openRepository(job.repository, { create: false });
      return { operation: 'verify', ...(await verifyBackup({ ...job, repository }, context)) };
    }
    case 'restore': {
      const repository = await openRepository(job.repository, { create: false });
      const tablespaceMapping = new Map(Object.entries(job.tablespaceMapping));
      const plan = await planRestore({ ...job, repository, tablespaceMapping }, context);
      const { writtenBytes, durationMs, started } = await runRestore(plan, context);
      return {
        operation: 'restore',
        backup: plan.backup.id,
        targetDirectory: plan.targetDirectory,
        writtenBytes,
        durationMs,
        ...(started === undefined ? {} : { started }),
      };
    }
  }
}
