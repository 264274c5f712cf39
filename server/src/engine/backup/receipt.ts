import { PointbackError } from '../../api/errors.ts';
import { ManifestReader } from '../../formats/backupManifest.ts';
import { parseBackupLabel, type BackupLabel } from '../../formats/backupLabel.ts';
import { parseControlFile } from '../../formats/controlFile.ts';
import { readIndexFiles } from '../../repository/backupIndexReader.ts';
import { indexKey, manifestKey } from '../../repository/layout.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { matchManifest, requireNoProblem } from '../archive/matchManifest.ts';
import type { SmallFileWatcher, WalWatcher } from '../archive/watchWal.ts';

/** Files of a backup that are looked into on receipt. */
export const inspectedFiles = { label: 'backup_label', control: 'global/pg_control' } as const;

/** What a complete receipt has shown. */
export interface Receipt {
  readonly label: BackupLabel;
  /** Files listed in the manifest. */
  readonly fileCount: number;
}

/**
 * Holds what arrived against what the server says it sent: every file of the manifest, the manifest's own checksum, the
 * control file, the system identifier, and the WAL the backup needs to become consistent.
 *
 * Throws `backup.content-differs`, `backup.wal-incomplete`, `manifest.damaged` and the parsers' errors.
 */
export async function checkReceipt(
  store: ObjectStore,
  instance: string,
  id: string,
  systemIdentifier: bigint,
  small: SmallFileWatcher,
  wal: WalWatcher,
): Promise<Receipt> {
  const manifest = new ManifestReader(store.get(manifestKey(instance, id)));
  let fileCount = 0;
  const counted = async function* (): ReturnType<ManifestReader['files']> {
    for await (const file of manifest.files()) {
      fileCount += 1;
      yield file;
    }
  };
  await requireNoProblem(
    matchManifest(readIndexFiles(store, indexKey(instance, id)), counted()),
    'backup.content-differs',
  );
  const label = small.content(inspectedFiles.label);
  const control = small.content(inspectedFiles.control);
  if (label === undefined || control === undefined) {
    throw new PointbackError('backup.content-differs', {
      message: 'The backup came without its backup_label or its control file.',
    });
  }
  const identifiers = [parseControlFile(control).systemIdentifier, manifest.summary.systemIdentifier];
  for (const identifier of identifiers) {
    if (identifier !== undefined && identifier !== systemIdentifier) {
      throw new PointbackError('backup.content-differs', {
        message: `The backup's files are of the cluster ${identifier}, but the server said it is ${systemIdentifier}.`,
      });
    }
  }
  wal.requireRanges(manifest.summary.walRanges);
  return { label: parseBackupLabel(label), fileCount };
}
