/** How archives are compressed on their way into the repository. */
export type CompressionMethod = 'zstd' | 'gzip' | 'none';

/** Compression of a backup's archives. */
export interface Compression {
  readonly method: CompressionMethod;
  /** Absent for `none`. */
  readonly level?: number;
}

/** One archive of a backup: the base directory or a tablespace. */
export interface ArchiveRecord {
  /** File name under `data/`, for example `base.tar.zst` or `16392.tar.zst`. */
  readonly name: string;
  /** Object identifier of the tablespace, absent for the base directory. */
  readonly tablespaceOid?: number;
  /** Where the tablespace lay on the server, absent for the base directory. */
  readonly location?: string;
  /** Bytes of the tar stream, uncompressed. */
  readonly tarBytes: number;
  /** Bytes in the repository. */
  readonly storedBytes: number;
}

/** The name of a configuration file: those the server starts from, and those postgresql.conf includes, numbered. */
export type ConfigurationFileName = 'postgresql.conf' | 'pg_hba.conf' | 'pg_ident.conf' | `included-${number}.conf`;

/** A configuration file the archives lack (it lay outside the data directory or was a link), captured over SQL. */
export interface ConfigurationFileRecord {
  readonly name: ConfigurationFileName;
  /** Path on the server; absent when the role was not allowed to see it. */
  readonly serverPath?: string;
  /** Whether its content lies under `configuration/` of the backup; false when SQL was not allowed to read it. */
  readonly captured: boolean;
  /** Bytes, of a captured one. */
  readonly size?: number;
  /** SHA-256 in hexadecimal digits, of a captured one. */
  readonly sha256?: string;
}

/** The commit record of a backup, `backup.json`: the backup exists if and only if this does. Written last, never changed. */
export interface BackupRecord {
  readonly format: 1;
  /** The directory's name: `<UTC time>-<full|incr>`. */
  readonly id: string;
  readonly type: 'full' | 'incr';
  readonly method: 'streamed' | 'cold';
  readonly label: string;
  /** Version of Pointback that wrote it. */
  readonly writtenBy: string;
  /** Decimal text, 64 bits. */
  readonly systemIdentifier: string;
  /** `SHOW server_version`. */
  readonly serverVersion: string;
  /** `server_version_num`, for example 180004. */
  readonly serverVersionNumber: number;
  /** Whether the server was a primary or a standby. */
  readonly from: 'primary' | 'standby';
  readonly startLsn: string;
  readonly startTimeline: number;
  readonly endLsn: string;
  readonly endTimeline: number;
  /** ISO 8601 UTC, this machine's clock. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly walSegmentSize: number;
  /** Names of the WAL segments inside base.tar, in order. */
  readonly walSegments: readonly string[];
  /** `0700` or `0750`. */
  readonly dataDirectoryMode: string;
  readonly dataChecksums: boolean;
  readonly compression: Compression;
  readonly manifestChecksums: string;
  /** Base directory first. */
  readonly archives: readonly ArchiveRecord[];
  /** Files of the manifest. */
  readonly fileCount: number;
  /** Sum of all archives, uncompressed. */
  readonly tarBytes: number;
  /** Sum of everything stored for this backup, bytes. */
  readonly storedBytes: number;
  /** A role that can log in: the bootstrap superuser when SQL could tell, else the role that took the backup. */
  readonly loginRole: string;
  readonly configurationFiles: readonly ConfigurationFileRecord[];
  /** The backup this one builds on, for `incr`. */
  readonly parent?: string;
}

/** The instance's identity, `instance.json`. */
export interface InstanceRecord {
  readonly format: 1;
  readonly name: string;
  readonly systemIdentifier: string;
  readonly major: number;
  readonly walSegmentSize: number;
  readonly createdAt: string;
}

/** A problem a verification found, one a file or fact. */
export interface VerificationProblem {
  /** Stable: `file-missing`, `file-changed`, `manifest-damaged`, `wal-damaged`, `page-checksum`, … */
  readonly code: string;
  /** Path in the backup, or the archive's name. */
  readonly subject: string;
  readonly message: string;
}

/** Problems a verification's record holds; its count tells of all. */
export const mostProblemsKept = 1000;

/** A verification's outcome, `verify/<UTC time>.json`. */
export interface VerificationRecord {
  readonly format: 1;
  readonly at: string;
  readonly outcome: 'passed' | 'failed';
  /** `receipt` when the server itself reported damage while the backup was taken. */
  readonly by: 'verify' | 'receipt' | 'restore';
  readonly writtenBy: string;
  readonly durationMs: number;
  readonly files: number;
  readonly bytes: number;
  /** At most `mostProblemsKept`, the count tells all. */
  readonly problems: readonly VerificationProblem[];
  readonly problemCount: number;
}

/** A restore drill's outcome, `drills/<UTC time>.json`. */
export interface DrillRecord {
  readonly format: 1;
  readonly at: string;
  readonly outcome: 'passed' | 'failed';
  readonly reason?: string;
}

/** DESIGN section 2, promise 1. */
export type BackupState = 'broken' | 'proven' | 'consistent' | 'unproven';
