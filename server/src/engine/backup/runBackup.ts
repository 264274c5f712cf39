import { randomBytes } from 'node:crypto';
import { PointbackError, toPointbackError } from '../../api/errors.ts';
import { pointbackVersion } from '../../api/version.ts';
import type { ChecksumAlgorithm } from '../../formats/checksum.ts';
import { formatLsn } from '../../formats/lsn.ts';
import { streamBaseBackup, type BaseBackupEnd, type BaseBackupStart } from '../../postgres/baseBackupStream.ts';
import type { ConnectionProfile } from '../../postgres/connectionProfile.ts';
import { BackupIndexWriter } from '../../repository/backupIndex.ts';
import type { BackupRecord, BackupState, Compression, VerificationProblem } from '../../repository/backupRecord.ts';
import { addVerification, commitBackup } from '../../repository/catalog.ts';
import { writeInstance } from '../../repository/instances.ts';
import { backupId, configurationKey, indexKey, lockKey } from '../../repository/layout.ts';
import { acquireLock, type Lock } from '../../repository/lock/exclusiveLock.ts';
import { discardUnfinished, sweepUnfinished } from '../../repository/removal.ts';
import type { Repository } from '../../repository/repository.ts';
import { SmallFileWatcher, WalWatcher } from '../archive/watchWal.ts';
import type { OperationContext } from '../context.ts';
import { BackupSink } from './backupSink.ts';
import { closeSource, openSource, type BackupSource } from './openSource.ts';
import { checkReceipt, inspectedFiles, type Receipt } from './receipt.ts';
import { requireSpace } from './requireSpace.ts';
import { gatherServerFacts, type ServerFacts } from './serverFacts.ts';

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
interface RunningBackup {
  readonly parameters: BackupParameters;
  readonly context: OperationContext;
  readonly source: BackupSource;
  readonly lock: Lock;
  readonly id: string;
  readonly startedAt: Date;
  readonly algorithm: ChecksumAlgorithm;
}

/**
 * Takes a full base backup over the streaming replication protocol into the repository, WAL included, every file checked
 * against the server's manifest on arrival. The commit record is written last: whatever fails before it leaves no backup,
 * and what was written is removed at once or, after a crash, by the next run.
 *
 * Page damage the server's checksums reveal is no failure: the backup is kept and its state is `broken`.
 *
 * Throws the errors of connecting, `lock.held`, `instance.different-system`, the `backup.*` errors and the store's.
 */
export async function runBackup(parameters: BackupParameters, context: OperationContext): Promise<BackupOutcome> {
  const { repository, instance, profile } = parameters;
  const startedAt = new Date();
  const source = await openSource(profile, `pointback_${randomBytes(8).toString('hex')}`, context);
  try {
    await writeInstance(repository, instance, {
      format: 1,
      name: instance,
      systemIdentifier: source.systemIdentifier.toString(),
      major: source.major,
      walSegmentSize: source.walSegmentSize,
      createdAt: startedAt.toISOString(),
    });
    const lock = await acquireLock(repository.store, lockKey(instance, 'backup'), {
      purpose: 'backup',
      signal: context.signal,
    });
    try {
      await sweepUnfinished(repository, instance, context.signal);
      const signal = AbortSignal.any([context.signal, lock.signal]);
      return await receiveAndCommit({
        parameters,
        context: { ...context, signal },
        source,
        lock,
        id: backupId(startedAt, 'full'),
        startedAt,
        algorithm: parameters.manifestChecksums ?? 'SHA256',
      });
    } finally {
      await lock.release();
    }
  } finally {
    await closeSource(source);
  }
}

async function receiveAndCommit(running: RunningBackup): Promise<BackupOutcome> {
  const { parameters, context, source, id, algorithm } = running;
  const { repository, instance, compression } = parameters;
  const { store } = repository;
  const facts = await gatherServerFacts(parameters.profile, context);
  const index = new BackupIndexWriter();
  const small = new SmallFileWatcher(Object.values(inspectedFiles));
  const wal = new WalWatcher({
    major: source.major,
    systemIdentifier: source.systemIdentifier,
    segmentSize: source.walSegmentSize,
  });
  let start: BaseBackupStart | undefined;
  const sink = new BackupSink(
    {
      store,
      instance,
      id,
      compression,
      algorithm,
      serverVersionNumber: source.serverVersionNumber,
      index,
      observers: [small, wal],
      onStart: async (announced, estimatedBytes) => {
        start = announced;
        await requireSpace(repository, instance, estimatedBytes, compression);
      },
    },
    context,
  );
  const indexStored = store.put(indexKey(instance, id), index.body(), { signal: context.signal });
  indexStored.catch(() => undefined);
  try {
    context.progress({ phase: 'waiting for checkpoint' });
    const end = await streamBaseBackup(
      source.connection.client,
      source.serverVersionNumber,
      {
        label: parameters.label ?? 'pointback',
        checkpoint: parameters.checkpoint,
        ...(parameters.maxRateKb === undefined ? {} : { maxRateKb: parameters.maxRateKb }),
        manifestChecksums: algorithm,
      },
      sink,
      context.signal,
    );
    context.progress({ phase: 'checking' });
    index.end();
    await Promise.all([sink.finish(), indexStored]);
    const receipt = await checkReceipt(store, instance, id, source.systemIdentifier, small, wal);
    context.progress({ phase: 'finishing' });
    return await commit(running, { start, end, receipt, facts, sink, wal });
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    index.fail(reason);
    await Promise.all([sink.abort(reason), indexStored.catch(() => undefined)]);
    // A fresh signal: what was cancelled must still be cleaned up.
    await discardUnfinished(repository, instance, id, new AbortController().signal).catch((cleaningUp: unknown) => {
      context.log('warning', `what the failed backup left is removed by the next one: ${toPointbackError(cleaningUp).message}`);
    });
    if (running.lock.signal.aborted) throw running.lock.signal.reason;
    throw error;
  }
}

/** What the stages before the commit have found. */
interface Received {
  readonly start: BaseBackupStart | undefined;
  readonly end: BaseBackupEnd;
  readonly receipt: Receipt;
  readonly facts: ServerFacts;
  readonly sink: BackupSink;
  readonly wal: WalWatcher;
}

async function commit(running: RunningBackup, received: Received): Promise<BackupOutcome> {
  const { parameters, context, source, lock, id, startedAt, algorithm } = running;
  const { repository, instance, compression } = parameters;
  const { start, end, receipt, facts, sink, wal } = received;
  if (start === undefined) throw new PointbackError('protocol.broken', { message: 'The backup never said where it starts.' });
  for (const { name, content } of facts.configurationFiles) {
    if (content !== undefined) await repository.store.put(configurationKey(instance, id, name), content, context);
  }
  const finishedAt = new Date();
  const problems = damageProblems(end);
  if (problems.length > 0) {
    // Before the commit record, so that the damaged backup is never seen as anything else.
    await addVerification(repository, instance, id, {
      format: 1,
      at: finishedAt.toISOString(),
      outcome: 'failed',
      by: 'receipt',
      writtenBy: pointbackVersion,
      durationMs: finishedAt.getTime() - startedAt.getTime(),
      files: receipt.fileCount,
      bytes: sumOf(sink.archives, 'tarBytes'),
      problems,
      problemCount: problems.length,
    });
  }
  const record: BackupRecord = {
    format: 1,
    id,
    type: 'full',
    method: 'streamed',
    label: parameters.label ?? 'pointback',
    writtenBy: pointbackVersion,
    systemIdentifier: source.systemIdentifier.toString(),
    serverVersion: source.serverVersion,
    serverVersionNumber: source.serverVersionNumber,
    from: receipt.label.from,
    startLsn: formatLsn(start.startLsn),
    startTimeline: start.startTimeline,
    endLsn: formatLsn(end.endLsn),
    endTimeline: end.endTimeline,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    walSegmentSize: source.walSegmentSize,
    walSegments: wal.segments,
    dataDirectoryMode: source.dataDirectoryMode,
    dataChecksums: source.dataChecksums,
    compression,
    manifestChecksums: algorithm,
    archives: sink.archives,
    fileCount: receipt.fileCount,
    tarBytes: sumOf(sink.archives, 'tarBytes'),
    storedBytes: sumOf(sink.archives, 'storedBytes') + sink.manifestBytes,
    loginRole: facts.loginRole,
    configurationFiles: facts.configurationFiles.map(({ name, serverPath, captured }) => ({ name, serverPath, captured })),
  };
  await lock.confirm();
  context.signal.throwIfAborted();
  await commitBackup(repository, instance, record);
  return {
    record,
    state: problems.length > 0 ? 'broken' : 'unproven',
    problems,
    durationMs: finishedAt.getTime() - startedAt.getTime(),
  };
}

function damageProblems({ checksumFailure, warnings }: BaseBackupEnd): VerificationProblem[] {
  if (checksumFailure === undefined) return [];
  return [...warnings, checksumFailure].map((message) => ({ code: 'page-checksum', subject: 'server', message }));
}

function sumOf<K extends 'tarBytes' | 'storedBytes'>(archives: BackupRecord['archives'], key: K): number {
  return archives.reduce((sum, archive) => sum + archive[key], 0);
}
