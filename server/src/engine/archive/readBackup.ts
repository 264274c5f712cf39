import { isPointbackError, PointbackError } from '../../api/errors.ts';
import { ManifestReader } from '../../formats/backupManifest.ts';
import { isChecksumAlgorithm, type ChecksumAlgorithm } from '../../formats/checksum.ts';
import { displayPath } from '../../formats/filePath.ts';
import { TarReader } from '../../formats/tar.ts';
import type { IndexArchive, IndexFile } from '../../repository/backupIndex.ts';
import { readIndexArchives, readIndexFiles } from '../../repository/backupIndexReader.ts';
import type { BackupRecord, VerificationProblem } from '../../repository/backupRecord.ts';
import { dataKey, indexKey, manifestKey } from '../../repository/layout.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { readArchive } from './archiveReader.ts';
import { describeAffectedFiles } from './affectedFiles.ts';
import { FileHasher, type FileDigest, type MemberObserver } from './fileHasher.ts';
import { HandOver } from './handOver.ts';
import { matchManifest } from './matchManifest.ts';
import { recordProblems } from './recordProblems.ts';
import { WalWatcher } from './watchWal.ts';

/** What to read back and who looks on. */
export interface ReadBackupParameters {
  readonly store: ObjectStore;
  readonly instance: string;
  readonly record: BackupRecord;
  readonly observers: readonly MemberObserver[];
  /** Asked after every piece: a promise holds the reading back until it resolves. */
  readonly settle?: () => Promise<void> | undefined;
  /** Uncompressed bytes read so far. */
  readonly onBytes: (doneBytes: number, archive: string) => void;
  /** Told of every problem; throws to end the reading at once. */
  readonly found: (problem: VerificationProblem) => void;
}

const filesAhead = 1024;

/**
 * Reads a whole backup back, archive by archive, and holds every file against the server's manifest and the index, the WAL
 * against its pages and the range the manifest says is needed. An unreadable archive is a problem like any other; the
 * remaining ones are still read.
 *
 * Throws what `found` throws, errors of the store that say nothing about the backup, and the signal's reason.
 */
export async function readBackup(parameters: ReadBackupParameters, signal: AbortSignal): Promise<void> {
  const { store, instance, record, found } = parameters;
  let archives: IndexArchive[];
  try {
    archives = await readIndexArchives(store, indexKey(instance, record.id));
  } catch (error) {
    found(damageProblem(error, 'index-damaged', 'index.json'));
    return;
  }
  const wal = new WalWatcher({
    major: Math.floor(record.serverVersionNumber / 10000),
    systemIdentifier: BigInt(record.systemIdentifier),
    segmentSize: record.walSegmentSize,
  });
  const seen = new HandOver<FileDigest>(filesAhead);
  const reading: Reading = { parameters, archives, wal, seen, unreadable: false };
  const stopped = new AbortController();
  const matching = matchFiles(reading);
  matching.catch((error: unknown) => {
    stopped.abort(error);
  });
  try {
    await pumpArchives(reading, AbortSignal.any([signal, stopped.signal]));
  } catch (error) {
    seen.fail(error instanceof Error ? error : new Error(String(error)));
    await matching.catch(() => undefined);
    if (stopped.signal.aborted && !signal.aborted) throw stopped.signal.reason;
    throw error;
  }
  seen.end();
  await matching;
}

interface Reading {
  readonly parameters: ReadBackupParameters;
  readonly archives: readonly IndexArchive[];
  readonly wal: WalWatcher;
  readonly seen: HandOver<FileDigest>;
  /** Whether an archive could not be read to its end, so that files are missing because of it. */
  unreadable: boolean;
}

async function pumpArchives(reading: Reading, signal: AbortSignal): Promise<void> {
  const { parameters, archives, wal, seen } = reading;
  const { store, instance, record, observers, settle, onBytes, found } = parameters;
  let backPressure: Promise<void> | undefined;
  const collector: MemberObserver = {
    file: (digest) => {
      backPressure = seen.push(digest) ?? backPressure;
    },
  };
  const hasher = new FileHasher(checksumAlgorithm(record), [...observers, wal, collector]);
  let doneBytes = 0;
  for (const archive of archives) {
    const announced = record.archives.find(({ name }) => name === archive.name);
    hasher.beginArchive(announced?.tablespaceOid);
    try {
      const tar = new TarReader(hasher);
      const key = dataKey(instance, record.id, archive.name);
      for await (const piece of readArchive(store, key, archive, record.compression.method, signal)) {
        tar.push(piece);
        doneBytes += piece.length;
        onBytes(doneBytes, archive.name);
        await settle?.();
        await backPressure;
        backPressure = undefined;
        signal.throwIfAborted();
      }
      tar.end();
      if (!tar.terminated) {
        throw new PointbackError('tar.damaged', { message: `${archive.name} ends before its end mark: it was cut.` });
      }
    } catch (error) {
      signal.throwIfAborted();
      reading.unreadable = true;
      found(await archiveProblem(reading, archive, error));
    }
  }
}

async function matchFiles(reading: Reading): Promise<void> {
  const { parameters, wal, seen } = reading;
  const { store, instance, record, found } = parameters;
  const manifest = new ManifestReader(store.get(manifestKey(instance, record.id)));
  try {
    for await (const problem of matchManifest(againstIndex(reading, seen), manifest.files())) {
      // Files of an archive that could not be read are told of once, with the archive.
      if (reading.unreadable && problem.code === 'file-missing') continue;
      found(problem);
    }
    for (const problem of recordProblems(record, manifest.summary)) found(problem);
    wal.requireRanges(manifest.summary.walRanges);
  } catch (error) {
    if (isPointbackError(error, 'backup.wal-incomplete')) {
      if (!reading.unreadable) found(damageProblem(error, 'wal-damaged', 'pg_wal'));
      return;
    }
    found(damageProblem(error, 'manifest-damaged', 'backup_manifest'));
  }
}

/** Passes the files through and compares each with the index, which alone knows the checksums of WAL segments. */
async function* againstIndex(reading: Reading, seen: AsyncIterable<FileDigest>): AsyncGenerator<FileDigest, void> {
  const { store, instance, record, found } = reading.parameters;
  const indexed = readIndexFiles(store, indexKey(instance, record.id));
  let comparing = true;
  try {
    for await (const file of seen) {
      const problem = comparing && !reading.unreadable ? await differenceFromIndex(file, indexed) : undefined;
      if (problem !== undefined) {
        comparing = false;
        found(problem);
      }
      yield file;
    }
  } finally {
    await indexed.return(undefined);
  }
}

/** How a file differs from the next entry of the index. An index that cannot be read on is a problem of its own. */
async function differenceFromIndex(
  file: FileDigest,
  indexed: AsyncGenerator<IndexFile, void>,
): Promise<VerificationProblem | undefined> {
  let entry: IndexFile | undefined;
  try {
    entry = (await indexed.next()).value ?? undefined;
  } catch (error) {
    return damageProblem(error, 'index-damaged', 'index.json');
  }
  const same =
    entry?.path === file.path &&
    entry.archive === file.archive &&
    entry.offset === file.offset &&
    entry.size === file.size &&
    entry.checksum === file.checksum;
  if (same) return undefined;
  const subject = displayPath(file.path);
  return { code: 'file-changed', subject, message: `${subject} is not as it was when it was received.` };
}

function checksumAlgorithm({ manifestChecksums, id }: BackupRecord): ChecksumAlgorithm {
  if (!isChecksumAlgorithm(manifestChecksums)) {
    throw new PointbackError('repository.damaged', {
      message: `The record of backup ${id} names the checksum algorithm ${manifestChecksums}, which does not exist.`,
    });
  }
  return manifestChecksums;
}

const damageCodes = new Set([
  'backup.damaged',
  'backup.wal-incomplete',
  'manifest.damaged',
  'repository.damaged',
  'tar.damaged',
  'wal.damaged',
  'store.failed',
  'store.missing',
  'store.out-of-range',
]);

/** The problem of an archive that cannot be read on, with the files a damaged frame costs. */
async function archiveProblem(
  { parameters, archives }: Reading,
  archive: IndexArchive,
  error: unknown,
): Promise<VerificationProblem> {
  const problem = damageProblem(error, 'archive-damaged', archive.name);
  const position = isPointbackError(error, 'backup.damaged') ? error.details?.['frame'] : undefined;
  const frame = typeof position === 'number' ? archive.frames.at(position) : undefined;
  if (frame === undefined) return problem;
  const { store, instance, record } = parameters;
  const files = await describeAffectedFiles(store, indexKey(instance, record.id), archives.indexOf(archive), frame);
  return { ...problem, message: `${problem.message} ${files}` };
}

/** The problem an error tells of; rethrows the error when it says nothing about the backup. */
function damageProblem(error: unknown, code: string, subject: string): VerificationProblem {
  if (isPointbackError(error) && damageCodes.has(error.code)) return { code, subject, message: error.message };
  throw error;
}
