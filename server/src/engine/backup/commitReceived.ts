import { createHash } from 'node:crypto';
import { PointbackError } from '../../api/errors.ts';
import { pointbackVersion } from '../../api/version.ts';
import { formatLsn } from '../../formats/lsn.ts';
import type { BaseBackupEnd, BaseBackupStart } from '../../postgres/baseBackupStream.ts';
import { mostProblemsKept } from '../../repository/backupRecord.ts';
import type { BackupRecord, ConfigurationFileRecord, VerificationProblem } from '../../repository/backupRecord.ts';
import { addVerification, commitBackup } from '../../repository/catalog.ts';
import { configurationKey } from '../../repository/layout.ts';
import type { WalWatcher } from '../archive/watchWal.ts';
import type { BackupSink } from './backupSink.ts';
import type { Receipt } from './receipt.ts';
import type { BackupOutcome, RunningBackup } from './runningBackup.ts';
import { filesToStore } from './serverConfiguration.ts';
import type { SqlFacts } from './sqlFacts.ts';

/** What the stages before the commit have found. */
export interface ReceivedBackup {
  readonly start: BaseBackupStart | undefined;
  readonly end: BaseBackupEnd;
  readonly receipt: Receipt;
  readonly facts: SqlFacts;
  /** Content of a configuration file in the base archive, undefined when it is not there. */
  readonly archived: (path: string) => Buffer | undefined;
  readonly sink: BackupSink;
  readonly wal: WalWatcher;
}

/**
 * Makes a completely received and checked backup exist: captured configuration, what the server said about damage, and last
 * the commit record. Throws `lock.lost` and the store's errors.
 */
export async function commitReceived(running: RunningBackup, received: ReceivedBackup): Promise<BackupOutcome> {
  const { parameters, context, source, lock, id, startedAt, algorithm } = running;
  const { repository, instance, compression } = parameters;
  const { start, end, receipt, facts, sink, wal } = received;
  if (start === undefined)
    throw new PointbackError('protocol.broken', { message: 'The backup never said where it starts.' });
  const configurationFiles = await storeConfiguration(running, received);
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
      problemCount: end.checksumWarningCount + 1,
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
    configurationFiles,
  };
  context.signal.throwIfAborted();
  await commitBackup(repository, instance, record, { confirm: () => lock.confirm() });
  return {
    record,
    state: problems.length > 0 ? 'broken' : 'unproven',
    problems,
    durationMs: finishedAt.getTime() - startedAt.getTime(),
  };
}

/** Stores the configuration files the archives lack, as far as their content is known, and names the others. */
async function storeConfiguration(
  { parameters: { repository, instance }, context, id }: RunningBackup,
  { facts, archived }: ReceivedBackup,
): Promise<ConfigurationFileRecord[]> {
  const records: ConfigurationFileRecord[] = [];
  for (const { name, serverPath, content } of filesToStore(facts.configuration, archived)) {
    const known = { name, ...(serverPath === undefined ? {} : { serverPath }) };
    if (content === undefined) {
      context.log(
        'warning',
        `${serverPath ?? name} is not in the data directory's files and could not be read over SQL`,
      );
      records.push({ ...known, captured: false });
      continue;
    }
    await repository.store.put(configurationKey(instance, id, name), content, context);
    const sha256 = createHash('sha256').update(content).digest('hex');
    records.push({ ...known, captured: true, size: content.length, sha256 });
  }
  return records;
}

/** What the server said of damaged pages, its summary included however much there was before. */
function damageProblems({ checksumFailure, checksumWarnings }: BaseBackupEnd): VerificationProblem[] {
  if (checksumFailure === undefined) return [];
  const messages = [...checksumWarnings.slice(0, mostProblemsKept - 1), checksumFailure];
  return messages.map((message) => ({ code: 'page-checksum', subject: 'server', message }));
}

function sumOf(archives: BackupRecord['archives'], key: 'tarBytes' | 'storedBytes'): number {
  return archives.reduce((sum, archive) => sum + archive[key], 0);
}
