import { PointbackError } from '../api/errors.ts';
import type {
  ArchiveRecord,
  BackupRecord,
  Compression,
  ConfigurationFileName,
  ConfigurationFileRecord,
  DrillRecord,
  InstanceRecord,
  VerificationProblem,
  VerificationRecord,
} from './backupRecord.ts';
import type { Field } from './fields.ts';
import { FieldMismatch, boolean, integer, listOf, object, oneOf, optional, text } from './fields.ts';
import type { ObjectStore, StoreCallOptions } from './store/objectStore.ts';

/** The repository's own record, `repository.json`. */
export interface RepositoryRecord {
  readonly format: 1;
  /** A UUID: tells repositories apart however their directories are named or copied. */
  readonly id: string;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
}

/** Anything larger is no record: protects against reading a misplaced archive into memory. */
const largestRecord = 64 * 1024 * 1024;

const isoTime = text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'a time like 2026-11-22T11:00:52.123Z');
const lsn = text(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/, 'an LSN');
const systemIdentifier = text(/^[0-9]{1,20}$/, 'a system identifier');
const timeline = integer(1, 0xffff_ffff);
const fileName = text(/^[A-Za-z0-9_+-][A-Za-z0-9._%+-]*$/, 'a file name');
const backupName = text(/^\d{8}T\d{6}\.\d{3}Z-(?:full|incr)$/, 'the id of a backup');
/** PostgreSQL allows powers of two from 1 MiB to 1 GiB (initdb --wal-segsize). */
const walSegmentSize = oneOf(...Array.from({ length: 11 }, (_, power) => 2 ** (20 + power)));

const repositoryRecord = object<RepositoryRecord>({
  format: oneOf(1),
  id: text(/^[0-9a-f-]{36}$/, 'a UUID'),
  createdAt: isoTime,
});

const instanceRecord = object<InstanceRecord>({
  format: oneOf(1),
  name: text(/./, 'a name'),
  systemIdentifier,
  major: integer(1, 999),
  walSegmentSize,
  createdAt: isoTime,
});

const archiveRecord = object<ArchiveRecord>({
  name: fileName,
  tablespaceOid: optional(integer(1, 0xffff_ffff)),
  location: optional(text()),
  tarBytes: integer(),
  storedBytes: integer(),
});

const compression = object<Compression>({
  method: oneOf('zstd', 'gzip', 'none'),
  level: optional(integer(-131072, 22)),
});

const configurationFileName = text(
  /^(?:postgresql|pg_hba|pg_ident|included-[1-9]\d{0,5})\.conf$/,
  'the name of a configuration file',
) as Field<ConfigurationFileName>;

const configurationFile = object<ConfigurationFileRecord>({
  name: configurationFileName,
  serverPath: optional(text()),
  captured: boolean,
  size: optional(integer()),
  sha256: optional(text(/^[0-9a-f]{64}$/, 'a SHA-256')),
});

const backupRecord = object<BackupRecord>({
  format: oneOf(1),
  id: backupName,
  type: oneOf('full', 'incr'),
  method: oneOf('streamed', 'cold'),
  label: text(),
  writtenBy: text(),
  systemIdentifier,
  serverVersion: text(),
  serverVersionNumber: integer(),
  from: oneOf('primary', 'standby'),
  startLsn: lsn,
  startTimeline: timeline,
  endLsn: lsn,
  endTimeline: timeline,
  startedAt: isoTime,
  finishedAt: isoTime,
  walSegmentSize,
  walSegments: listOf(text(/^[0-9A-F]{24}$/, 'the name of a WAL segment')),
  dataDirectoryMode: oneOf('0700', '0750'),
  dataChecksums: boolean,
  compression,
  manifestChecksums: text(/^[A-Z0-9]+$/, 'a checksum algorithm'),
  archives: listOf(archiveRecord, 1),
  fileCount: integer(),
  tarBytes: integer(),
  storedBytes: integer(),
  loginRole: text(),
  configurationFiles: listOf(configurationFile),
  parent: optional(backupName),
});

const verificationRecord = object<VerificationRecord>({
  format: oneOf(1),
  at: isoTime,
  outcome: oneOf('passed', 'failed'),
  by: oneOf('verify', 'receipt', 'restore'),
  writtenBy: text(),
  durationMs: integer(),
  files: integer(),
  bytes: integer(),
  problems: listOf(object<VerificationProblem>({ code: text(/./), subject: text(), message: text() })),
  problemCount: integer(),
});

const drillRecord = object<DrillRecord>({
  format: oneOf(1),
  at: isoTime,
  outcome: oneOf('passed', 'failed'),
  reason: optional(text()),
});

/** The error for a file of the repository that is not what it must be; `problem` is a clause: "archives is not a list". */
export function damaged(key: string, problem: string, cause?: unknown): PointbackError {
  return new PointbackError('repository.damaged', {
    message: `The file ${key} of the repository is damaged: ${problem}.`,
    details: { key },
    cause,
  });
}

/** The error for a file of a format this version does not know yet. */
export function newerFormat(key: string, format: number): PointbackError {
  return new PointbackError('repository.newer-format', {
    message: `The file ${key} of the repository has format ${format}; this version of Pointback reads format 1.`,
    details: { key, format },
  });
}

function parserOf<T>(shape: Field<T>): (bytes: Uint8Array, key: string) => T {
  return (bytes, key) => {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch (error) {
      throw damaged(key, 'it is not JSON', error);
    }
    const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
    if (Number.isSafeInteger(format) && (format as number) > 1) throw newerFormat(key, format as number);
    try {
      return shape.parse(value, '');
    } catch (error) {
      if (error instanceof FieldMismatch) throw damaged(key, error.message, error);
      throw error;
    }
  };
}

/** Parsers of the records: strict, throwing `repository.damaged` that names the file, or `repository.newer-format`. */
export const parseRepositoryRecord = parserOf(repositoryRecord);
export const parseInstanceRecord = parserOf(instanceRecord);
export const parseBackupRecord = parserOf(backupRecord);
export const parseVerificationRecord = parserOf(verificationRecord);
export const parseDrillRecord = parserOf(drillRecord);

/** A record's bytes as they go into the repository: JSON for people, too. */
export function formatRecord(record: object): Buffer {
  return Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`, 'utf8');
}

/** Reads and parses a record. Throws `store.missing` when it is not there, and what the parser throws. */
export async function readRecord<T>(
  store: ObjectStore,
  key: string,
  parse: (bytes: Uint8Array, key: string) => T,
  options: StoreCallOptions = {},
): Promise<T> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of store.get(key, undefined, options)) {
    size += piece.length;
    if (size > largestRecord) throw damaged(key, 'it is too large to be a record');
    pieces.push(piece);
  }
  return parse(Buffer.concat(pieces), key);
}
