import { PointbackError } from '../api/errors.ts';
import { crc32c } from './crc32c.ts';
import type { Lsn } from './lsn.ts';

/** `DBState` of src/include/catalog/pg_control.h, in its order. */
const STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

const WAL_LEVELS = ['minimal', 'replica', 'logical'] as const;

/** What the server was doing when it wrote the control file, in the words of pg_controldata. */
export type ClusterState = (typeof STATES)[number];

/** What `global/pg_control` says that a restore needs. */
export interface ControlFile {
  readonly systemIdentifier: bigint;
  /** 1300 for servers 13 to 16, 1700, 1800. */
  readonly controlVersion: number;
  readonly catalogVersion: number;
  /** The server's major version, undefined for a catalog version that no release has (a beta). */
  readonly major: number | undefined;
  readonly state: ClusterState;
  /** Seconds since 1970 when the file was last written. */
  readonly time: bigint;
  /** LSN of the latest checkpoint's record. */
  readonly checkpoint: Lsn;
  /** Where recovery from that checkpoint begins. */
  readonly checkpointRedo: Lsn;
  readonly checkpointTimeline: number;
  readonly checkpointTime: bigint;
  readonly minRecoveryPoint: Lsn;
  readonly minRecoveryPointTimeline: number;
  readonly walLevel: (typeof WAL_LEVELS)[number];
  /** A server in recovery refuses to start with any of these five set lower than on its primary. */
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  readonly maxWalSenders: number;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  readonly blockSize: number;
  readonly walBlockSize: number;
  /** Bytes. */
  readonly walSegmentSize: number;
  /** 0: no data checksums. */
  readonly dataChecksumVersion: number;
}

/** Where the CRC lies, behind everything it covers, by control version. */
const CRC_OFFSETS: Readonly<Record<number, number>> = { 1300: 288, 1700: 288, 1800: 292 };

const MAJORS: Readonly<Record<number, number>> = {
  202007201: 13,
  202107181: 14,
  202209061: 15,
  202307071: 16,
  202406281: 17,
  202506291: 18,
};

/** `PG_CONTROL_FILE_SIZE`. */
const FILE_SIZE = 8192;

/**
 * Parses a `global/pg_control` of servers 13 to 18 (`ControlFileData` of src/include/catalog/pg_control.h) and verifies
 * its CRC. A file read from a running server can be torn: read it again before believing `control-file.damaged`.
 * Throws `control-file.damaged` and `control-file.unsupported`.
 */
export function parseControlFile(bytes: Uint8Array): ControlFile {
  if (bytes.byteLength !== FILE_SIZE) throw damaged(`it has ${bytes.byteLength} bytes instead of ${FILE_SIZE}`);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset: number): number => data.getUint32(offset, true);
  const i32 = (offset: number): number => data.getInt32(offset, true);
  const u64 = (offset: number): bigint => data.getBigUint64(offset, true);

  const controlVersion = u32(8);
  const crcOffset = CRC_OFFSETS[controlVersion];
  if (crcOffset === undefined) throw unknownVersion(controlVersion, data.getUint32(8, false));
  if (crc32c(bytes.subarray(0, crcOffset)) !== u32(crcOffset)) throw damaged('it does not fit its checksum');
  // Where alignment or floating point differ, so do all offsets; the server looks at the same two.
  if (u32(204) !== 8 || data.getFloat64(208, true) !== 1234567) {
    throw new PointbackError('control-file.unsupported', {
      message: 'The control file is of a machine with another memory layout.',
    });
  }
  const state = STATES[i32(16)];
  const walLevel = WAL_LEVELS[i32(172)];
  if (state === undefined || walLevel === undefined) throw damaged('its state or wal_level is none PostgreSQL knows');
  return {
    systemIdentifier: u64(0),
    controlVersion,
    catalogVersion: u32(12),
    major: MAJORS[u32(12)],
    state,
    time: data.getBigInt64(24, true),
    checkpoint: u64(32),
    checkpointRedo: u64(40),
    checkpointTimeline: u32(48),
    checkpointTime: data.getBigInt64(104, true),
    minRecoveryPoint: u64(136),
    minRecoveryPointTimeline: u32(144),
    walLevel,
    maxConnections: i32(180),
    maxWorkerProcesses: i32(184),
    maxWalSenders: i32(188),
    maxPreparedTransactions: i32(192),
    maxLocksPerTransaction: i32(196),
    blockSize: u32(216),
    walBlockSize: u32(224),
    walSegmentSize: u32(228),
    dataChecksumVersion: u32(252),
  };
}

function unknownVersion(littleEndian: number, bigEndian: number): PointbackError {
  if (CRC_OFFSETS[bigEndian] !== undefined) {
    return new PointbackError('control-file.unsupported', {
      message: 'The control file is of a big-endian machine.',
    });
  }
  // A version is major × 100 and a little more; anything else is no version but damage.
  if (littleEndian >= 900 && littleEndian < 10_000) {
    return new PointbackError('control-file.unsupported', {
      message: `The control file has version ${littleEndian}, which Pointback does not know.`,
      details: { controlVersion: littleEndian },
    });
  }
  return damaged('it begins like no control file');
}

function damaged(what: string): PointbackError {
  return new PointbackError('control-file.damaged', { message: `The control file is damaged: ${what}.` });
}
