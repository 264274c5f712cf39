import { AssertionError } from 'node:assert/strict';
import type { ObjectBody, ObjectStore, StoreCallOptions } from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

const isLock = (key: string): boolean => /^[^/]+\/locks\//.test(key);

/**
 * Holds every writer to the repository's rules: nothing but locks is ever overwritten; a commit record comes after the
 * archives, the manifest and the index it speaks of; nothing but verifications and drills is added after it; and it is
 * the first thing of a backup to be deleted. Put it under every engine test.
 */
export function policyStore(store: ObjectStore): ObjectStore {
  return new PolicyStore(store);
}

class PolicyStore extends PassThrough {
  override async put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    if (!isLock(key) && (await this.inner.stat(key)) !== undefined) violated(`${key} is overwritten`);
    await this.#checkOrder(key);
    await this.inner.put(key, body, options);
  }

  override async putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    await this.#checkOrder(key);
    return this.inner.putIfAbsent(key, body, options);
  }

  override async delete(key: string, options?: StoreCallOptions): Promise<void> {
    const directory = backupDirectory(key);
    if (directory !== undefined && key !== `${directory}/backup.json` && (await this.#isCommitted(directory))) {
      violated(`${key} is deleted while its backup exists`);
    }
    await this.inner.delete(key, options);
  }

  async #checkOrder(key: string): Promise<void> {
    const directory = backupDirectory(key);
    if (directory === undefined) return;
    if (key !== `${directory}/backup.json`) {
      const isOutcome = /\/(?:verify|drills)\/[^/]+$/.test(key);
      if (!isOutcome && (await this.#isCommitted(directory))) violated(`${key} is written after the commit record`);
      return;
    }
    const names: string[] = [];
    for await (const object of this.inner.list(directory)) names.push(object.key.slice(directory.length + 1));
    for (const pattern of [/^data\/base\.tar(?:\.zst|\.gz)?$/, /^data\/backup_manifest$/, /^index\.json$/]) {
      if (!names.some((name) => pattern.test(name))) violated(`${key} is written before ${pattern.source}`);
    }
  }

  async #isCommitted(directory: string): Promise<boolean> {
    return (await this.inner.stat(`${directory}/backup.json`)) !== undefined;
  }
}

function backupDirectory(key: string): string | undefined {
  return /^[^/]+\/backups\/[^/]+(?=\/)/.exec(key)?.[0];
}

function violated(message: string): never {
  throw new AssertionError({ message: `policy of the repository: ${message}` });
}
