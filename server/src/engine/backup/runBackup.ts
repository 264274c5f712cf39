import { randomBytes } from 'node:crypto';
import { toPointbackError } from '../../api/errors.ts';
import { streamBaseBackup, type BaseBackupStart } from '../../postgres/baseBackupStream.ts';
import { BackupIndexWriter } from '../../repository/backupIndex.ts';
import { writeInstance } from '../../repository/instances.ts';
import { backupId, indexKey, lockKey } from '../../repository/layout.ts';
import { acquireLock, type Lock } from '../../repository/lock/exclusiveLock.ts';
import { discardUnfinished, sweepUnfinished } from '../../repository/removal.ts';
import { SmallFileWatcher, WalWatcher } from '../archive/watchWal.ts';
import { explainConnectFailure } from '../check/checkInstance.ts';
import type { OperationContext } from '../context.ts';
import { BackupSink } from './backupSink.ts';
import { commitReceived } from './commitReceived.ts';
import { closeSource, openSource } from './openSource.ts';
import { checkReceipt, inspectedFiles } from './receipt.ts';
import { requireSpace } from './requireSpace.ts';
import type { BackupOutcome, BackupParameters, RunningBackup } from './runningBackup.ts';
import { placesInArchive } from './serverConfiguration.ts';
import { gatherSqlFacts, requireTablespaces } from './sqlFacts.ts';

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
  const { repository, instance } = parameters;
  // First of all: whoever waits for the lock must not hold walsenders and a slot meanwhile.
  const lock = await acquireLock(repository.store, lockKey(instance, 'backup'), {
    purpose: 'backup',
    signal: context.signal,
  });
  try {
    const signal = AbortSignal.any([context.signal, lock.signal]);
    return await backUpUnderLock(parameters, lock, { ...context, signal });
  } finally {
    await lock.release();
  }
}

async function backUpUnderLock(
  parameters: BackupParameters,
  lock: Lock,
  context: OperationContext,
): Promise<BackupOutcome> {
  const { repository, instance, profile } = parameters;
  const startedAt = new Date();
  const slotName = `pointback_${randomBytes(8).toString('hex')}`;
  const source = await openSource(profile, slotName, context).catch(async (error: unknown) => {
    context.signal.throwIfAborted();
    throw await explainConnectFailure(error, profile, context);
  });
  try {
    await writeInstance(repository, instance, {
      format: 1,
      name: instance,
      systemIdentifier: source.systemIdentifier.toString(),
      major: source.major,
      walSegmentSize: source.walSegmentSize,
      createdAt: startedAt.toISOString(),
    });
    await sweepUnfinished(repository, instance, context.signal);
    const id = backupId(startedAt, 'full');
    const algorithm = parameters.manifestChecksums ?? 'SHA256';
    return await receiveAndCommit({ parameters, context, source, lock, id, startedAt, algorithm });
  } finally {
    await closeSource(source);
  }
}

async function receiveAndCommit(running: RunningBackup): Promise<BackupOutcome> {
  const { parameters, context, source, id, algorithm } = running;
  const { repository, instance, compression } = parameters;
  const { store } = repository;
  const facts = await gatherSqlFacts(parameters.profile, context);
  const index = new BackupIndexWriter();
  const small = new SmallFileWatcher([...Object.values(inspectedFiles), ...placesInArchive(facts.configuration)]);
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
        await requireTablespaces(facts, announced, parameters.profile, context);
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
    const archived = (path: string): Buffer | undefined => small.content(path);
    return await commitReceived(running, { start, end, receipt, facts, archived, sink, wal });
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    index.fail(reason);
    await Promise.all([sink.abort(reason), indexStored.catch(() => undefined)]);
    // A fresh signal: what was cancelled must still be cleaned up.
    await discardUnfinished(repository, instance, id, new AbortController().signal).catch((cleaningUp: unknown) => {
      context.log(
        'warning',
        `what the failed backup left is removed by the next one: ${toPointbackError(cleaningUp).message}`,
      );
    });
    if (running.lock.signal.aborted) throw running.lock.signal.reason;
    throw error;
  }
}
