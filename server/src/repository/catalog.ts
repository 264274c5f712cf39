import { PointbackError, isPointbackError } from '../api/errors.ts';
import type { BackupFiles } from './backupFiles.ts';
import { backupDirectories, readBackupRecord, readStateFacts } from './backupFiles.ts';
import type { BackupRecord, BackupState, DrillRecord, VerificationRecord } from './backupRecord.ts';
import type { DerivedState } from './backupState.ts';
import { deriveBackupState } from './backupState.ts';
import type { ListingOptions } from './instances.ts';
import { unlessDamaged } from './instances.ts';
import {
  backupRecordKey,
  configurationKey,
  dataKey,
  drillKey,
  indexKey,
  manifestKey,
  verificationKey,
} from './layout.ts';
import { formatRecord } from './records.ts';
import type { Repository } from './repository.ts';
import type { ObjectStore, StoreCallOptions } from './store/objectStore.ts';

/** A backup as the catalog shows it: what was recorded, and the state derived from later records. */
export interface CatalogEntry extends DerivedState {
  readonly record: BackupRecord;
  readonly state: BackupState;
}

/**
 * The backups of an instance, newest first. Only what has a commit record is a backup. Throws `repository.damaged` and
 * `repository.newer-format` unless `options.damaged` takes them.
 */
export async function listBackups(
  repository: Repository,
  instance: string,
  options: ListingOptions = {},
): Promise<CatalogEntry[]> {
  const reader = new EntryReader(repository, instance, await backupDirectories(repository, instance, options.signal));
  const entries: CatalogEntry[] = [];
  for (const id of reader.ids) {
    options.signal?.throwIfAborted();
    const entry = await unlessDamaged(reader.entry(id), options);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/**
 * One backup: the newest, or the one whose id is `id` or alone starts with it. Damage of other backups does not matter.
 * Throws `backup.unknown`, `backup.ambiguous`, `repository.damaged`, `repository.newer-format`.
 */
export async function findBackup(
  repository: Repository,
  instance: string,
  id?: string,
  options: StoreCallOptions = {},
): Promise<CatalogEntry> {
  const reader = new EntryReader(repository, instance, await backupDirectories(repository, instance, options.signal));
  const found = await reader.entry(pickId(reader.ids, instance, id));
  if (found === undefined) throw unknownBackup(instance, id);
  return found;
}

/** How a commit makes sure that it was allowed. */
export interface CommitOptions extends StoreCallOptions {
  /** Throws when the instance's backup lock is not ours any more: `Lock.confirm`. */
  readonly confirm?: () => Promise<void>;
}

/**
 * Makes a backup exist: the commit record, after everything it speaks of. Call it under the instance's backup lock. A process
 * that was stopped on the way may have lost the lock and, to whoever took it over, its files: both are looked at again after
 * the record is stored, which is removed if they are gone.
 *
 * Throws `backup.incomplete` when a file is missing or has another size, `backup.exists`, and what `confirm` throws.
 */
export async function commitBackup(
  { store }: Repository,
  instance: string,
  record: BackupRecord,
  options: CommitOptions = {},
): Promise<void> {
  const { id } = record;
  const key = backupRecordKey(instance, id);
  await requireObjects(store, instance, record, options);
  await options.confirm?.();
  options.signal?.throwIfAborted();
  if (!(await store.putIfAbsent(key, formatRecord(record), options))) {
    throw new PointbackError('backup.exists', {
      message: `The repository already has a backup ${id} of ${instance}.`,
      details: { instance, id },
    });
  }
  try {
    // Without the signal: a cancellation that comes as late as this must not leave in doubt what exists.
    await options.confirm?.();
    await requireObjects(store, instance, record, {});
  } catch (error) {
    // The first error is the one to tell of.
    await store.delete(key).catch(() => undefined);
    throw error;
  }
}

/** Everything the record speaks of is there, in its size. */
async function requireObjects(
  store: ObjectStore,
  instance: string,
  { id, archives, configurationFiles }: BackupRecord,
  options: StoreCallOptions,
): Promise<void> {
  for (const { name, storedBytes } of archives) {
    await requireObject(store, dataKey(instance, id, name), storedBytes, options);
  }
  for (const { name, captured, size } of configurationFiles) {
    if (captured) await requireObject(store, configurationKey(instance, id, name), size, options);
  }
  await requireObject(store, manifestKey(instance, id), undefined, options);
  await requireObject(store, indexKey(instance, id), undefined, options);
}

/** Stores a verification's outcome beside the backup, where its state is derived from. Allowed before the commit record. */
export async function addVerification(
  { store }: Repository,
  instance: string,
  id: string,
  record: VerificationRecord,
  options: StoreCallOptions = {},
): Promise<void> {
  await addRecord(store, (at) => verificationKey(instance, id, at), record, options);
}

/** Stores a drill's outcome beside the backup, where its state is derived from. */
export async function addDrill(
  { store }: Repository,
  instance: string,
  id: string,
  record: DrillRecord,
  options: StoreCallOptions = {},
): Promise<void> {
  await addRecord(store, (at) => drillKey(instance, id, at), record, options);
}

/** Reads entries, each once, parents of incremental backups as needed. */
class EntryReader {
  /** Ids of the committed backups, newest first. */
  readonly ids: readonly string[];
  readonly #repository: Repository;
  readonly #instance: string;
  readonly #directories: ReadonlyMap<string, BackupFiles>;
  readonly #entries = new Map<string, Promise<CatalogEntry | undefined>>();

  constructor(repository: Repository, instance: string, directories: ReadonlyMap<string, BackupFiles>) {
    this.#repository = repository;
    this.#instance = instance;
    this.#directories = directories;
    this.ids = [...directories.values()]
      .filter(({ committed }) => committed)
      .map(({ id }) => id)
      .sort()
      .reverse();
  }

  /** Undefined when there is no such backup, also when it was deleted meanwhile. */
  entry(id: string): Promise<CatalogEntry | undefined> {
    const known = this.#entries.get(id) ?? this.#read(id);
    this.#entries.set(id, known);
    return known;
  }

  async #read(id: string): Promise<CatalogEntry | undefined> {
    const { store } = this.#repository;
    const files = this.#directories.get(id);
    if (files?.committed !== true) return undefined;
    try {
      const record = await readBackupRecord(store, this.#instance, id);
      const facts = await readStateFacts(store, files, record);
      // Ids sort by time and a parent is older, so a damaged record cannot send us round in circles.
      const parent = record.parent === undefined || record.parent >= id ? undefined : await this.#parent(record.parent);
      return { record, ...deriveBackupState(parent === undefined ? facts : { ...facts, parent }) };
    } catch (error) {
      if (isPointbackError(error, 'store.missing')) return undefined;
      throw error;
    }
  }

  async #parent(id: string): Promise<{ id: string; state: BackupState | undefined }> {
    const entry = await unlessDamaged(this.entry(id), { damaged: () => undefined });
    return { id, state: entry?.state };
  }
}

function pickId(ids: readonly string[], instance: string, wanted: string | undefined): string {
  const matching = wanted === undefined ? ids.slice(0, 1) : ids.filter((id) => id.startsWith(wanted));
  const exact = matching.find((id) => id === wanted) ?? matching[0];
  if (exact === undefined || wanted === '') throw unknownBackup(instance, wanted);
  if (matching.length > 1 && exact !== wanted) {
    throw new PointbackError('backup.ambiguous', {
      message: `${matching.length} backups of ${instance} have an id that starts with ${wanted ?? ''}.`,
      details: { instance, matching: matching.slice(0, 10).join(' ') },
    });
  }
  return exact;
}

function unknownBackup(instance: string, id: string | undefined): PointbackError {
  return new PointbackError('backup.unknown', {
    message:
      id === undefined
        ? `The repository has no backup of ${instance}.`
        : `The repository has no backup ${id} of ${instance}.`,
    details: id === undefined ? { instance } : { instance, id },
  });
}

async function requireObject(
  store: ObjectStore,
  key: string,
  size: number | undefined,
  options: StoreCallOptions,
): Promise<void> {
  const found = await store.stat(key, options);
  if (found !== undefined && (size === undefined || found.size === size)) return;
  throw new PointbackError('backup.incomplete', {
    message:
      found === undefined
        ? `The backup cannot be completed: its file ${key} is not in the repository.`
        : `The backup cannot be completed: its file ${key} has ${found.size} bytes instead of ${size ?? 0}.`,
    details: { key },
  });
}

/** Records are named by time and never replaced: one of the same millisecond takes the next free name. */
async function addRecord(
  store: ObjectStore,
  keyAt: (at: Date) => string,
  record: VerificationRecord | DrillRecord,
  options: StoreCallOptions,
): Promise<void> {
  for (let at = Date.parse(record.at); ; at += 1) {
    if (await store.putIfAbsent(keyAt(new Date(at)), formatRecord(record), options)) return;
  }
}
