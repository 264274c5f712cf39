import { PointbackError, isPointbackError } from '../api/errors.ts';
import type { InstanceRecord } from './backupRecord.ts';
import { encodeInstanceName, instanceRecordKey } from './layout.ts';
import { damaged, formatRecord, parseInstanceRecord, readRecord } from './records.ts';
import type { Repository } from './repository.ts';
import type { StoreCallOptions } from './store/objectStore.ts';

/** Options of the listings. */
export interface ListingOptions extends StoreCallOptions {
  /** Told of what is damaged or too new, and the rest is still listed. Without it the first such error is thrown. */
  readonly damaged?: (error: PointbackError) => void;
}

/** Every instance of the repository, by name. */
export async function listInstances(repository: Repository, options: ListingOptions = {}): Promise<InstanceRecord[]> {
  const { store } = repository;
  const records: InstanceRecord[] = [];
  for await (const { key } of store.list('', options)) {
    const directory = /^([^/]+)\/instance\.json$/.exec(key)?.[1];
    if (directory === undefined) continue;
    const record = await unlessDamaged(readFrom(repository, key, directory, options), options);
    if (record !== undefined) records.push(record);
  }
  return records.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The instance's identity, undefined when the repository knows none of that name. */
export async function readInstance(
  repository: Repository,
  instance: string,
  options: StoreCallOptions = {},
): Promise<InstanceRecord | undefined> {
  try {
    return await readFrom(repository, instanceRecordKey(instance), encodeInstanceName(instance), options);
  } catch (error) {
    if (isPointbackError(error, 'store.missing')) return undefined;
    throw error;
  }
}

/**
 * Makes the instance known, once; resolves to the record the repository holds. Throws `instance.different-system` when
 * that is of another cluster.
 */
export async function writeInstance(
  repository: Repository,
  instance: string,
  record: InstanceRecord,
  options: StoreCallOptions = {},
): Promise<InstanceRecord> {
  await repository.store.putIfAbsent(instanceRecordKey(instance), formatRecord({ ...record, name: instance }), options);
  const held = await readFrom(repository, instanceRecordKey(instance), encodeInstanceName(instance), options);
  if (held.systemIdentifier !== record.systemIdentifier) {
    throw new PointbackError('instance.different-system', {
      message:
        `The repository holds backups of another cluster under the name ${instance}: its system identifier is ` +
        `${held.systemIdentifier}, the server's is ${record.systemIdentifier}.`,
      details: { instance, held: held.systemIdentifier, server: record.systemIdentifier },
    });
  }
  return held;
}

/** The value, or undefined when it could not be had because of damage that `options.damaged` was told of. */
export async function unlessDamaged<T>(value: Promise<T>, options: ListingOptions): Promise<T | undefined> {
  try {
    return await value;
  } catch (error) {
    const isDamage =
      isPointbackError(error, 'repository.damaged') || isPointbackError(error, 'repository.newer-format');
    if (!isDamage || options.damaged === undefined) throw error;
    options.damaged(error);
    return undefined;
  }
}

async function readFrom(
  { store }: Repository,
  key: string,
  directory: string,
  options: StoreCallOptions,
): Promise<InstanceRecord> {
  const record = await readRecord(store, key, parseInstanceRecord, options);
  if (encodeInstanceName(record.name) === directory) return record;
  throw damaged(
    key,
    `it is the record of the instance ${record.name}, so its directory should be named ${encodeInstanceName(record.name)}`,
  );
}
