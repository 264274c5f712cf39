import type { BackupRecord, BackupState } from '../../repository/backupRecord.ts';
import type { Repository } from '../../repository/repository.ts';

/** An operating system user that will own the restored files. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
  /** For humans: the name, or the number. */
  readonly name: string;
}

/** Where a tablespace goes. */
export interface TablespacePlan {
  readonly oid: number;
  /** Where it lay on the server. */
  readonly from: string;
  /** Absolute directory it is restored to, new or empty. */
  readonly to: string;
}

/** How the restored cluster is started. */
export type StartMethod =
  | { readonly kind: 'binaries'; readonly directory: string; readonly version: string }
  | { readonly kind: 'container'; readonly command: readonly string[]; readonly image: string };

/** The start that follows the restore. */
export interface StartPlan {
  readonly port: number;
  readonly promote: boolean;
  readonly method: StartMethod;
}

/** A restore, decided and checked before anything is written: `--plan` prints it, the wizard shows it, `runRestore` executes it. */
export interface RestorePlan {
  readonly repository: Repository;
  readonly instance: string;
  readonly backup: BackupRecord;
  readonly state: BackupState;
  readonly targetDirectory: string;
  readonly tablespaces: readonly TablespacePlan[];
  /** Bytes that will be written. */
  readonly bytesToWrite: number;
  /** Bytes free where the target directory goes. */
  readonly freeBytes: number;
  /** Absent when the files keep the user that restores. */
  readonly owner?: FileOwner;
  /** The port the restored configuration names. */
  readonly port: number;
  readonly start?: StartPlan;
  /** What the user should know before saying yes. */
  readonly warnings: readonly string[];
}
