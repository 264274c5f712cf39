import type { IndexFile } from '../../server/src/repository/backupIndex.ts';
import { readIndexFiles } from '../../server/src/repository/backupIndexReader.ts';
import { indexKey } from '../../server/src/repository/layout.ts';
import type { Repository } from '../../server/src/repository/repository.ts';
import { policyStore } from '../faults/policyStore.ts';
import { MemoryStore } from './memoryStore.ts';

/** Every object of a repository, by key, for copies that are damaged one after the other. */
export class RepositoryCopy {
  readonly #repository: Repository;
  readonly #objects: ReadonlyMap<string, Buffer>;

  private constructor(repository: Repository, objects: ReadonlyMap<string, Buffer>) {
    this.#repository = repository;
    this.#objects = objects;
  }

  static async of(repository: Repository): Promise<RepositoryCopy> {
    const objects = new Map<string, Buffer>();
    for await (const { key } of repository.store.list('')) objects.set(key, await repository.store.read(key));
    return new RepositoryCopy(repository, objects);
  }

  /** A repository in memory with one object changed, or removed when `change` gives undefined. */
  with(key: string, change: (content: Buffer) => Buffer | undefined): Repository {
    const objects = new Map(this.#objects);
    const content = objects.get(key);
    if (content === undefined) throw new Error(`There is no ${key} to damage.`);
    const changed = change(Buffer.from(content));
    if (changed?.equals(content) === true) throw new Error(`${key} was not changed.`);
    if (changed === undefined) objects.delete(key);
    else objects.set(key, changed);
    return { ...this.#repository, store: policyStore(new MemoryStore(objects)) };
  }
}

/** Inverts the byte at a position, from the end when negative; a fraction is a part of the whole. */
export const flipped =
  (at: number) =>
  (content: Buffer): Buffer => {
    const index = Number.isInteger(at) ? at : Math.floor(at * content.length);
    const position = index < 0 ? content.length + index : index;
    content[position] = ~(content[position] ?? 0);
    return content;
  };

/** Keeps the first part. */
export const truncatedTo =
  (part: number) =>
  (content: Buffer): Buffer =>
    content.subarray(0, Math.floor(content.length * part));

/** Replaces the first occurrence of a text, byte for byte. */
export const replaced =
  (from: string, to: string) =>
  (content: Buffer): Buffer =>
    Buffer.from(content.toString('latin1').replace(from, to), 'latin1');

/** Nothing is left. */
export const removed = (): undefined => undefined;

/** Adds bytes at the end. */
export const longer = (content: Buffer): Buffer => Buffer.concat([content, Buffer.from('\n')]);

/** Every file of a backup's index. */
export async function indexedFiles({ store }: Repository, instance: string, id: string): Promise<IndexFile[]> {
  return Array.fromAsync(readIndexFiles(store, indexKey(instance, id)));
}
