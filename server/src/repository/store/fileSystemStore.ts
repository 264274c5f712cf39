import type { Dirent } from 'node:fs';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, opendir, realpath, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  assertInside,
  isUnfinishedName,
  publishExclusively,
  removeEmptyDirectories,
  syncDirectory,
} from './durableFiles.ts';
import { assertKey, assertPrefix, isKeySegment } from './keys.ts';
import type { ByteRange, ObjectBody, ObjectInfo, ObjectStore, StoreCallOptions } from './objectStore.ts';
import { errorCode, fileSystemError, missingObject, pastEnd, resolveRange } from './storeErrors.ts';
import { UnfinishedFile } from './unfinishedFile.ts';

/** Bytes a streaming `get` hands out at a time. */
const pieceBytes = 1024 * 1024;

/** One read call of Node takes less than 2 GiB. */
const largestReadBytes = 1024 * 1024 * 1024;

/** How often a small object is written again when another process's sweep took its unfinished file away. */
const putAttempts = 5;

/** Never through a link, never waiting for a pipe's other end. Windows has neither flag. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0); // eslint-disable-line @typescript-eslint/no-unnecessary-condition -- absent on Windows

/** Properties of a file system that a test may take away. */
export interface FileSystemStoreOptions {
  /** False: behave as on a file system without hard links. */
  readonly hardLinks?: boolean;
}

/**
 * Objects as files below a directory. Writes go to a temporary name, are synced, renamed and their directory synced.
 * Symbolic links are no objects, and directories reached through a link that leads out of the root are refused with
 * `store.outside`. Errors: `store.missing`, `store.out-of-range`, `store.no-space`, `store.too-large`,
 * `store.not-writable`, `store.not-readable`, `store.unreachable`, `store.failed`.
 */
export class FileSystemStore implements ObjectStore {
  readonly #root: string;
  readonly #hardLinks: boolean;

  private constructor(root: string, options: FileSystemStoreOptions) {
    this.#root = root;
    this.#hardLinks = options.hardLinks ?? true;
  }

  /** The store in an existing directory. Throws the file system's own error when there is none. */
  static async open(directory: string, options: FileSystemStoreOptions = {}): Promise<FileSystemStore> {
    return new FileSystemStore(await realpath(directory), options);
  }

  async put(key: string, body: ObjectBody, options: StoreCallOptions = {}): Promise<void> {
    await this.#store(key, body, options.signal, rename);
  }

  async putIfAbsent(key: string, body: Uint8Array, options: StoreCallOptions = {}): Promise<boolean> {
    return this.#store(key, body, options.signal, (temporary, final) =>
      publishExclusively(temporary, final, this.#hardLinks),
    );
  }

  async *get(key: string, range?: ByteRange, options: StoreCallOptions = {}): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted();
    const handle = await this.#open(key);
    try {
      const { offset, length } = resolveRange(key, range, await this.#size(handle, key));
      for (let done = 0; done < length;) {
        options.signal?.throwIfAborted();
        const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, length - done));
        await this.#readFully(handle, key, piece, offset + done);
        done += piece.length;
        yield piece;
      }
    } finally {
      await handle.close();
    }
  }

  async read(key: string, range?: ByteRange, options: StoreCallOptions = {}): Promise<Buffer> {
    options.signal?.throwIfAborted();
    const handle = await this.#open(key);
    try {
      const { offset, length } = resolveRange(key, range, await this.#size(handle, key));
      const buffer = Buffer.allocUnsafeSlow(length);
      await this.#readFully(handle, key, buffer, offset);
      options.signal?.throwIfAborted();
      return buffer;
    } finally {
      await handle.close();
    }
  }

  async stat(key: string, options: StoreCallOptions = {}): Promise<ObjectInfo | undefined> {
    options.signal?.throwIfAborted();
    const path = this.#path(key);
    try {
      await assertInside(this.#root, dirname(path));
      const found = await lstat(path);
      return found.isFile() ? { key, size: found.size } : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw fileSystemError(error, 'read', key, path);
    }
  }

  async *list(prefix: string, options: StoreCallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    for await (const { directory, entry } of this.#walk(prefix, options.signal)) {
      if (!entry.isFile() || !isKeySegment(entry.name)) continue;
      const key = directory === '' ? entry.name : `${directory}/${entry.name}`;
      const found = await this.stat(key, options);
      if (found !== undefined) yield found;
    }
  }

  async delete(key: string, options: StoreCallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const path = this.#path(key);
    try {
      await assertInside(this.#root, dirname(path));
      await unlink(path);
      await this.#tidy(dirname(path));
    } catch (error) {
      if (isAbsence(error) || (await isDirectory(path))) return;
      throw fileSystemError(error, 'delete', key, path);
    }
  }

  async sweep(prefix: string, options: StoreCallOptions = {}): Promise<void> {
    assertPrefix(prefix);
    const emptied = new Set<string>();
    for await (const { directory, entry } of this.#walk(prefix, options.signal)) {
      const path = join(this.#root, directory, entry.name);
      if (entry.isDirectory() && isKeySegment(entry.name)) emptied.add(path);
      if (!entry.isFile() || !isUnfinishedName(entry.name)) continue;
      try {
        await unlink(path);
        emptied.add(dirname(path));
      } catch (error) {
        if (!isAbsence(error)) throw fileSystemError(error, 'delete', prefix, path);
      }
    }
    for (const path of emptied) await removeEmptyDirectories(this.#root, path);
  }

  async freeBytes(): Promise<number | undefined> {
    try {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    } catch (error) {
      throw fileSystemError(error, 'read', '', this.#root);
    }
  }

  async #store<T>(
    key: string,
    body: ObjectBody,
    signal: AbortSignal | undefined,
    publish: (temporary: string, final: string) => Promise<T>,
  ): Promise<T> {
    const path = this.#path(key);
    const translate = (error: unknown): unknown => fileSystemError(error, 'write', key, path);
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      const file = await UnfinishedFile.create(this.#root, dirname(path), translate);
      try {
        await file.fill(body, signal);
        const result = await publish(file.path, path).catch((error: unknown) => {
          // A sweep by another process takes unfinished files away: a body at hand is simply written again.
          if (errorCode(error) === 'ENOENT' && body instanceof Uint8Array && attempt < putAttempts) return 'swept';
          throw translate(error);
        });
        if (result === 'swept') continue;
        await syncDirectory(dirname(path)).catch((error: unknown) => {
          throw translate(error);
        });
        return result as T;
      } finally {
        await file.discard();
      }
    }
  }

  async *#walk(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<{ directory: string; entry: Dirent }> {
    const waiting = [prefix];
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      const path = join(this.#root, directory);
      try {
        await assertInside(this.#root, path);
        for await (const entry of await opendir(path)) {
          signal?.throwIfAborted();
          yield { directory, entry };
          if (entry.isDirectory() && isKeySegment(entry.name)) {
            waiting.push(directory === '' ? entry.name : `${directory}/${entry.name}`);
          }
        }
      } catch (error) {
        if (!isAbsence(error)) throw fileSystemError(error, 'list', directory, path);
      }
    }
  }

  #path(key: string): string {
    assertKey(key);
    return join(this.#root, ...key.split('/'));
  }

  async #open(key: string): Promise<FileHandle> {
    const path = this.#path(key);
    try {
      await assertInside(this.#root, dirname(path));
      return await open(path, readFlags);
    } catch (error) {
      throw fileSystemError(error, 'read', key, path);
    }
  }

  async #size(handle: FileHandle, key: string): Promise<number> {
    const found = await handle.stat();
    if (!found.isFile()) throw missingObject(key);
    return found.size;
  }

  async #readFully(handle: FileHandle, key: string, buffer: Buffer, position: number): Promise<void> {
    try {
      for (let done = 0; done < buffer.length;) {
        const length = Math.min(buffer.length - done, largestReadBytes);
        const { bytesRead } = await handle.read(buffer, done, length, position + done);
        if (bytesRead === 0) throw pastEnd(key, position + buffer.length, position + done);
        done += bytesRead;
      }
    } catch (error) {
      throw fileSystemError(error, 'read', key, this.#path(key));
    }
  }

  /** After a deletion: empty directories go, and the deletion itself becomes durable. */
  async #tidy(directory: string): Promise<void> {
    await removeEmptyDirectories(this.#root, directory);
    await syncDirectory(directory).catch((error: unknown) => {
      if (!isAbsence(error)) throw error;
    });
  }
}

/** Whether the error says that there is nothing of that name: also when a file is where a directory would be. */
function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
