import type { ChecksumAlgorithm } from '../../formats/checksum.ts';
import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import type { BackupRecord, BackupState, Compression, VerificationProblem } from '../../repository/backupRecord.ts';
import type { Lock } from '../../repository/lock/heldLock.ts';
import type { Repository } from '../../repository/repository.ts';
import type { OperationContext } from '../context.ts';
import type { BackupSource } from './openSource.ts';

/** What to back up, where to, and how. */
export interface BackupParameters {
  readonly repository: Repository;
  readonly instance: string;
  readonly profile: ConnectionProfile;
  readonly label?: string;
  readonly checkpoint: 'fast' | 'spread';
  /** Kilobytes per second the server may send. */
  readonly maxRateKb?: number;
  readonly compression: Compression;
  /** SHA256 unless said otherwise. */
  readonly manifestChecksums?: ChecksumAlgorithm;
}

/** A backup that was taken. */
export interface BackupOutcome {
  readonly record: BackupRecord;
  /** `broken` when the server found damaged pages while it sent them, else `unproven` until verified. */
  readonly state: BackupState;
  readonly problems: readonly VerificationProblem[];
  readonly durationMs: number;
}

/** The parts of a running backup that its stages share. */
export interface RunningBackup {
  readonly parameters: BackupParameters;
  readonly context: OperationContext;
  readonly source: BackupSource;
  readonly lock: Lock;
  readonly id: string;
  readonly startedAt: Date;
  readonly algorithm: ChecksumAlgorithm;
}
