import type { BackupState, DrillRecord, VerificationRecord } from './backupRecord.ts';

/** What a backup's state is derived from. */
export interface BackupStateFacts {
  /** Damage the server itself reported while the backup was taken: re-reading the same bytes cannot undo that. */
  readonly receipt?: VerificationRecord;
  /** Why such a receipt could not be read. */
  readonly unreadableReceipt?: string;
  /** The newest verification, by whomever, receipts aside. */
  readonly verification?: VerificationRecord;
  /** The newest drill. */
  readonly drill?: DrillRecord;
  /** Why the newest record of either kind could not be read. */
  readonly unreadable?: string;
  /** The backup an incremental one builds on; state undefined when it is not in the repository. */
  readonly parent?: { readonly id: string; readonly state: BackupState | undefined };
}

/** A state with when and why. */
export interface DerivedState {
  readonly state: BackupState;
  /** ISO 8601 UTC: when the verification or drill happened that decided. */
  readonly stateAt?: string;
  /** For people; present when broken, and when records could not be read. */
  readonly stateReason?: string;
}

/**
 * DESIGN section 2, promise 1: never green unless restorable. A failure of either kind stands until a newer record of the
 * same kind passes: a drill does not read every byte, and a verification does not start a server.
 */
export function deriveBackupState(facts: BackupStateFacts): DerivedState {
  const { receipt, unreadableReceipt, verification, drill, unreadable, parent } = facts;
  if (parent !== undefined && parent.state === undefined) {
    return { state: 'broken', stateReason: `The backup it builds on, ${parent.id}, is not in the repository.` };
  }
  // That there is one says what it says.
  if (unreadableReceipt !== undefined) return { state: 'broken', stateReason: unreadableReceipt };
  for (const record of [receipt, verification]) {
    if (record?.outcome === 'failed') {
      return { state: 'broken', stateAt: record.at, stateReason: problemsOf(record) };
    }
  }
  if (drill?.outcome === 'failed') {
    const stateReason = drill.reason ?? 'The restore drill failed.';
    return { state: 'broken', stateAt: drill.at, stateReason };
  }
  if (parent?.state === 'broken') {
    return { state: 'broken', stateReason: `The backup it builds on, ${parent.id}, is broken.` };
  }
  if (unreadable !== undefined) return { state: 'unproven', stateReason: unreadable };
  if (drill !== undefined) return { state: 'proven', stateAt: drill.at };
  if (verification !== undefined) return { state: 'consistent', stateAt: verification.at };
  return { state: 'unproven' };
}

function problemsOf({ problems, problemCount }: VerificationRecord): string {
  const first = problems[0]?.message ?? 'The verification failed.';
  return problemCount > 1 ? `${first} (and ${problemCount - 1} more)` : first;
}
