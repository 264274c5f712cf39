import { join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { findBackup } from '../../repository/catalog.ts';
import { readBackup } from '../archive/readBackup.ts';
import type { OperationContext } from '../context.ts';
import { acquireReaderLock } from '../readerLock.ts';
import { ClaimedDirectory, shownPath } from './claimedDirectory.ts';
import { CopyFiles } from './copyFiles.ts';
import { unfinishedMarker } from './layoutOfCopy.ts';
import { provideConfiguration } from './provideConfiguration.ts';
import { requireEmpty } from './requireEmpty.ts';
import { isSystemError, writeFailed } from './restoredFile.ts';
import { RestoredFiles } from './restoredFiles.ts';
import type { RestorePlan } from './restorePlan.ts';
import { startCopy, type StartedCopy } from './startCopy.ts';
import { syncTrees } from './syncTree.ts';

/** A completed restore. */
export interface RestoreOutcome {
  readonly plan: RestorePlan;
  readonly writtenBytes: number;
  readonly durationMs: number;
  /** Present when the plan has a start. */
  readonly started?: StartedCopy;
}

const groupMode = { directory: 0o750, file: 0o640 };
const ownerMode = { directory: 0o700, file: 0o600 };

/**
 * Executes a plan: writes the files into new or empty directories, each checked against the server's manifest as it is
 * written, puts the copy into quarantine, makes all of it durable, and starts it when the plan says so. Whatever fails
 * before the copy is complete removes what was written.
 *
 * Throws `restore.target-not-empty`, `restore.content-differs`, `restore.write-failed`, `restore.no-space`, `backup.damaged`, and for the start
 * `restored-server.failed`; after a failed start the restored directory stays.
 */
export async function runRestore(plan: RestorePlan, context: OperationContext): Promise<RestoreOutcome> {
  const { repository, instance, backup } = plan;
  const startedAt = Date.now();
  const lock = await acquireReaderLock(repository, instance, backup.id, 'restore', context);
  let writtenBytes: number;
  try {
    // It may have been deleted since it was planned, before the lock was there.
    await findBackup(repository, instance, backup.id);
    const signal = AbortSignal.any([context.signal, lock.signal]);
    writtenBytes = await writeCopy(plan, { ...context, signal });
  } finally {
    await lock.release();
  }
  const durationMs = Date.now() - startedAt;
  if (plan.start === undefined) return { plan, writtenBytes, durationMs };
  return { plan, writtenBytes, durationMs, started: await startCopy(plan, plan.start, context) };
}

async function writeCopy(plan: RestorePlan, context: OperationContext): Promise<number> {
  const { repository, instance, backup, targetDirectory, tablespaces, owner } = plan;
  const modes = backup.dataDirectoryMode === '0750' ? groupMode : ownerMode;
  const terms = { mode: modes.directory, ...(owner === undefined ? {} : { owner }) };
  const paths = [targetDirectory, ...tablespaces.map(({ to }) => to)];
  // The plan may be minutes old.
  for (const path of paths) await requireEmpty(path);
  const claimed: ClaimedDirectory[] = [];
  let files: RestoredFiles | undefined;
  let writtenBytes = 0;
  try {
    for (const path of paths) claimed.push(await ClaimedDirectory.claim(path, terms));
    const [targetPlace = targetDirectory, ...tablespacePlaces] = claimed.map(({ place }) => place);
    const copy = new CopyFiles(plan, modes.file, targetPlace);
    const restored = new RestoredFiles({
      plan: {
        targetDirectory: targetPlace,
        tablespaces: tablespaces.map((tablespace, index) => ({
          ...tablespace,
          to: tablespacePlaces[index] ?? tablespace.to,
        })),
      },
      directoryMode: modes.directory,
      fileMode: modes.file,
      withheld: new Set(tablespaces.length === 0 ? [] : ['tablespace_map']),
      shown: (path) => shownPath(path, claimed),
      ...(owner === undefined ? {} : { owner }),
    });
    files = restored;
    await readBackup(
      {
        store: repository.store,
        instance,
        record: backup,
        observers: [restored],
        settle: () => restored.settle(),
        onBytes: (doneBytes, detail) => {
          writtenBytes = doneBytes;
          context.progress({ phase: 'restoring', doneBytes, totalBytes: backup.tarBytes, detail });
        },
        found: ({ message, subject }) => {
          throw new PointbackError('restore.content-differs', { message, details: { subject } });
        },
      },
      context.signal,
    );
    await restored.finish();
    await copy.linkTablespaces();
    await provideConfiguration(plan, copy, context);
    const leftOut = await copy.quarantine(restored.unfinishedControlFile);
    if (leftOut.length > 0) {
      const names = leftOut.join(', ');
      context.log(
        'warning',
        `the copy starts without ${names}: their workers could act on what belongs to the original`,
      );
    }
    context.progress({ phase: 'syncing' });
    for (const directory of claimed.slice(1)) await directory.removeFolder();
    const places = claimed.map(({ place }) => place);
    await syncTrees(places, context.signal);
    context.signal.throwIfAborted();
    await restored.complete();
    await copy.remove(unfinishedMarker);
    await syncTrees([join(targetPlace, 'global')], context.signal);
    // The data directory last: a server can start from then on.
    for (const directory of [...claimed].reverse()) await directory.handOver();
    for (const directory of claimed) await directory.close();
    return writtenBytes;
  } catch (error) {
    await files?.abandon();
    const shown = isSystemError(error) ? writeFailed(shownPath(error.path ?? targetDirectory, claimed), error) : error;
    for (const directory of claimed.reverse()) {
      await directory.abandon().catch((removing: unknown) => {
        context.log('warning', `what the failed restore wrote could not all be removed: ${String(removing)}`);
      });
    }
    throw shown;
  }
}
