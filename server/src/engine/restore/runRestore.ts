import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPointbackError, PointbackError } from '../../api/errors.ts';
import { findBackup } from '../../repository/catalog.ts';
import { readBackup } from '../archive/readBackup.ts';
import type { OperationContext } from '../context.ts';
import { acquireReaderLock } from '../readerLock.ts';
import { CopyFiles } from './copyFiles.ts';
import { unfinishedMarker } from './layoutOfCopy.ts';
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
  const copy = new CopyFiles(plan, modes.file, modes.directory);
  const files = new RestoredFiles({
    plan,
    directoryMode: modes.directory,
    fileMode: modes.file,
    withheld: new Set(tablespaces.length === 0 ? [] : ['tablespace_map']),
    ...(owner === undefined ? {} : { owner }),
  });
  const directories = [targetDirectory, ...tablespaces.map(({ to }) => to)];
  const created: (string | undefined)[] = [];
  let writtenBytes = 0;
  try {
    // The plan may be minutes old.
    for (const directory of directories) await requireEmpty(directory);
    created.push(await copy.makeDirectory(targetDirectory));
    await copy.claim();
    for (const { to } of tablespaces) created.push(await copy.makeDirectory(to));
    await copy.write(unfinishedMarker, '');
    await readBackup(
      {
        store: repository.store,
        instance,
        record: backup,
        observers: [files],
        settle: () => files.settle(),
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
    await files.finish();
    await copy.linkTablespaces();
    await copy.provideConfiguration();
    const leftOut = await copy.quarantine(files.unfinishedControlFile);
    if (leftOut.length > 0) {
      const names = leftOut.join(', ');
      context.log(
        'warning',
        `the copy starts without ${names}: their workers could act on what belongs to the original`,
      );
    }
    context.progress({ phase: 'syncing' });
    await syncTrees(directories, context.signal);
    context.signal.throwIfAborted();
    await files.complete();
    await copy.remove(unfinishedMarker);
    await syncTrees([join(targetDirectory, 'global')], context.signal);
    return writtenBytes;
  } catch (error) {
    await files.abandon();
    // What is in a directory that was not empty is not ours.
    const ours = isPointbackError(error, 'restore.target-not-empty') ? [] : created;
    await removeWritten(directories, ours).catch((removing: unknown) => {
      context.log('warning', `what the failed restore wrote could not all be removed: ${String(removing)}`);
    });
    throw isSystemError(error) ? writeFailed(error.path ?? targetDirectory, error) : error;
  }
}

/** Removes directories the restore created, and empties those that were there. */
async function removeWritten(directories: readonly string[], created: readonly (string | undefined)[]): Promise<void> {
  for (const [index, first] of created.entries()) {
    const directory = directories[index];
    if (first !== undefined) {
      await rm(first, { recursive: true, force: true });
    } else if (directory !== undefined) {
      for (const name of await readdir(directory, { encoding: 'buffer' })) {
        await rm(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
      }
    }
  }
}
