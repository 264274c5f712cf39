import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PointbackError, isPointbackError } from '../api/errors.ts';
import { repositoryRecordKey } from './layout.ts';
import type { RepositoryRecord } from './records.ts';
import { formatRecord, parseRepositoryRecord, readRecord } from './records.ts';
import { isUnfinishedName, makeRoot } from './store/durableFiles.ts';
import { FileSystemStore } from './store/fileSystemStore.ts';
import type { ObjectStore } from './store/objectStore.ts';
import { errorCode, fileSystemError } from './store/storeErrors.ts';

/** Where backups live. */
export interface Repository {
  readonly store: ObjectStore;
  /** Where it is, for people: an absolute path. */
  readonly location: string;
  /** Its UUID: stays when the directory is renamed. */
  readonly id: string;
}

/** What operating systems put into a fresh disk by themselves. */
const ownedBySystem = new Set(['lost+found', '.DS_Store', '.Trashes', 'System Volume Information', '$RECYCLE.BIN']);

/**
 * Opens the repository in a directory. With `create` a missing or empty directory becomes a repository, for its owner
 * alone; several processes may do so at once and get the same one. Throws `repository.not-found`,
 * `repository.not-empty`, `repository.damaged`, `repository.newer-format` and the store's errors.
 */
export async function openRepository(directory: string, options: { readonly create: boolean }): Promise<Repository> {
  const location = resolve(directory);
  const store = await openStore(location, options.create);
  const record = (await readOwnRecord(store)) ?? (options.create ? await createOwnRecord(store, location) : undefined);
  if (record === undefined) throw notFound(location, 'is no Pointback repository: it has no repository.json');
  return { store, location, id: record.id };
}

async function openStore(location: string, create: boolean): Promise<FileSystemStore> {
  try {
    if (create) await makeRoot(location);
    if (!(await stat(location)).isDirectory()) throw notFound(location, 'is not a directory');
    return await FileSystemStore.open(location);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw notFound(location, 'does not exist');
    throw fileSystemError(error, create ? 'write' : 'list', '', location);
  }
}

async function readOwnRecord(store: ObjectStore): Promise<RepositoryRecord | undefined> {
  try {
    return await readRecord(store, repositoryRecordKey, parseRepositoryRecord);
  } catch (error) {
    if (isPointbackError(error, 'store.missing')) return undefined;
    throw error;
  }
}

async function createOwnRecord(store: ObjectStore, location: string): Promise<RepositoryRecord | undefined> {
  const foreign = (await readdir(location)).filter((name) => !ownedBySystem.has(name) && !isUnfinishedName(name));
  // Another process may have created the repository since we looked; then the record is among the names, and read below.
  if (foreign.length > 0 && !foreign.includes(repositoryRecordKey)) {
    throw new PointbackError('repository.not-empty', {
      message: `${location} is not empty and no Pointback repository (it holds ${foreign[0] ?? 'files'}), so none was created there.`,
      details: { path: location },
    });
  }
  const record: RepositoryRecord = { format: 1, id: crypto.randomUUID(), createdAt: new Date().toISOString() };
  await store.putIfAbsent(repositoryRecordKey, formatRecord(record));
  return readOwnRecord(store);
}

function notFound(location: string, problem: string): PointbackError {
  return new PointbackError('repository.not-found', {
    message: `The repository directory ${location} ${problem}.`,
    details: { path: location },
  });
}
