import { isPointbackError } from '../api/errors.ts';
import type { BackupRecord, DrillRecord, VerificationRecord } from './backupRecord.ts';
import type { BackupStateFacts } from './backupState.ts';
import { backupRecordKey, backupRecordName, backupsPrefix, parseBackupId, utcName } from './layout.ts';
import { damaged, parseBackupRecord, parseDrillRecord, parseVerificationRecord, readRecord } from './records.ts';
import type { Repository } from './repository.ts';
import type { ObjectInfo, ObjectStore } from './store/objectStore.ts';

/** What lies in a backup's directory. */
export interface BackupFiles {
  readonly id: string;
  /** Whether the commit record is there: without it there is no backup, only leftovers. */
  committed: boolean;
  readonly objects: ObjectInfo[];
  /** Keys of its verification and drill records. */
  readonly verifications: string[];
  readonly drills: string[];
}

/** Every backup directory of an instance by id, unfinished ones included. Directories of other names are left alone. */
export async function backupDirectories(
  { store }: Repository,
  instance: string,
  signal: AbortSignal | undefined,
): Promise<Map<string, BackupFiles>> {
  const prefix = backupsPrefix(instance);
  const directories = new Map<string, BackupFiles>();
  for await (const object of store.list(prefix, signal === undefined ? {} : { signal })) {
    const [id = '', ...below] = object.key.slice(prefix.length + 1).split('/');
    if (parseBackupId(id) === undefined || below.length === 0) continue;
    let files = directories.get(id);
    if (files === undefined) {
      files = { id, committed: false, objects: [], verifications: [], drills: [] };
      directories.set(id, files);
    }
    files.objects.push(object);
    if (below.length === 1 && below[0] === backupRecordName) files.committed = true;
    if (below.length === 2 && below[0] === 'verify') files.verifications.push(object.key);
    if (below.length === 2 && below[0] === 'drills') files.drills.push(object.key);
  }
  return directories;
}

/** The commit record, which must be that of its directory. */
export async function readBackupRecord(store: ObjectStore, instance: string, id: string): Promise<BackupRecord> {
  const key = backupRecordKey(instance, id);
  const record = await readRecord(store, key, parseBackupRecord);
  if (record.id !== id) throw damaged(key, `it is the record of another backup, ${record.id}`);
  return record;
}

/** Reads as few records as decide the state, newest first. One that cannot be read decides as well: it is told of. */
export async function readStateFacts(
  store: ObjectStore,
  files: BackupFiles,
  { finishedAt }: Pick<BackupRecord, 'finishedAt'>,
): Promise<BackupStateFacts> {
  const facts: { -readonly [K in keyof BackupStateFacts]: BackupStateFacts[K] } = {};
  try {
    const drill = await newest<DrillRecord>(store, files.drills, parseDrillRecord, () => true);
    if (drill !== undefined) facts.drill = drill;
    const isReceipt = ({ by }: VerificationRecord): boolean => by === 'receipt';
    const verification = await newest(
      store,
      files.verifications,
      parseVerificationRecord,
      (found) => !isReceipt(found),
    );
    if (verification !== undefined) facts.verification = verification;
    // A receipt is written when the backup is, so it is the oldest record.
    const [oldest] = files.verifications.toSorted();
    const first = oldest === undefined ? undefined : await readRecord(store, oldest, parseVerificationRecord);
    if (first !== undefined && isReceipt(first)) facts.receipt = first;
  } catch (error) {
    if (!isPointbackError(error, 'repository.damaged') && !isPointbackError(error, 'repository.newer-format'))
      throw error;
    facts.unreadable = error.message;
    // There is a receipt only where the server reported damage, and nothing else is named by so early a time.
    const receiptName = `${utcName(new Date(finishedAt))}.json`;
    const receipt = files.verifications.find((key) => key.endsWith(`/${receiptName}`));
    if (receipt !== undefined && (await isUnreadable(store, receipt))) facts.unreadableReceipt = error.message;
  }
  return facts;
}

async function newest<T>(
  store: ObjectStore,
  keys: readonly string[],
  parse: (bytes: Uint8Array, key: string) => T,
  counts: (record: T) => boolean,
): Promise<T | undefined> {
  for (const key of keys.toSorted().toReversed()) {
    const record = await readRecord(store, key, parse);
    if (counts(record)) return record;
  }
  return undefined;
}

async function isUnreadable(store: ObjectStore, key: string): Promise<boolean> {
  try {
    await readRecord(store, key, parseVerificationRecord);
    return false;
  } catch (error) {
    if (isPointbackError(error, 'repository.damaged') || isPointbackError(error, 'repository.newer-format'))
      return true;
    throw error;
  }
}
