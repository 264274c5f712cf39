import type { FileHandle } from 'node:fs/promises';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { abortable } from './abortable.ts';
import { makeDirectory, unfinishedName } from './durableFiles.ts';
import type { ObjectBody } from './objectStore.ts';
import { errorCode } from './storeErrors.ts';
import { writeBatches } from './writeBatches.ts';

/** Written bytes after which they are sent to the disk, so that the final sync of a large file has little left to do. */
const writeBackBytes = 256 * 1024 * 1024;

/** How often a directory may vanish between its creation and the first file in it: others remove empty directories. */
const directoryAttempts = 10;

/**
 * A file under a temporary name, beside the place it will have. Errors of the file system are thrown as they come, through
 * `onError`; errors of the body pass untouched.
 */
export class UnfinishedFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #translate: (error: unknown) => unknown;
  #unsynced = 0;
  #writeBack: Promise<void> | undefined;
  #writeBackError: unknown;

  private constructor(path: string, handle: FileHandle, translate: (error: unknown) => unknown) {
    this.path = path;
    this.#handle = handle;
    this.#translate = translate;
  }

  /** Creates the file, and its directory when missing. `translate` turns errors of the file system into the user's. */
  static async create(
    root: string,
    directory: string,
    translate: (error: unknown) => unknown,
  ): Promise<UnfinishedFile> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await makeDirectory(root, directory);
        const path = join(directory, unfinishedName());
        return new UnfinishedFile(path, await open(path, 'wx', 0o600), translate);
      } catch (error) {
        if (errorCode(error) !== 'ENOENT' || attempt === directoryAttempts) throw translate(error);
      }
    }
  }

  /** Writes the whole body and makes it durable. Ends with the signal's reason when that fires. */
  async fill(body: ObjectBody, signal: AbortSignal | undefined): Promise<void> {
    if (body instanceof Uint8Array) await this.#write([body]);
    else
      for await (const piece of abortable(body, signal))
        await this.#write(piece instanceof Uint8Array ? [piece] : piece);
    signal?.throwIfAborted();
    try {
      await this.#writeBack;
      if (this.#writeBackError !== undefined) throw this.#writeBackError as Error;
      await this.#handle.datasync();
      await this.#handle.close();
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** Closes and removes the file. Never throws: it is called on the way out of a failure that matters more. */
  async discard(): Promise<void> {
    await this.#writeBack;
    await this.#handle.close().catch(() => undefined);
    await unlink(this.path).catch(() => undefined);
  }

  async #write(buffers: readonly Uint8Array[]): Promise<void> {
    try {
      for (const batch of writeBatches(buffers)) {
        for (let rest = batch; rest.length > 0;) {
          const { bytesWritten } = await this.#handle.writev(rest);
          this.#unsynced += bytesWritten;
          rest = without(rest, bytesWritten);
        }
      }
      if (this.#writeBackError !== undefined) throw this.#writeBackError as Error;
    } catch (error) {
      throw this.#translate(error);
    }
    if (this.#unsynced >= writeBackBytes && this.#writeBack === undefined) this.#startWriteBack();
  }

  /** Overlaps the disk with receiving. A failure is reported by the next write, or at the end. */
  #startWriteBack(): void {
    this.#unsynced = 0;
    this.#writeBack = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#writeBackError = error;
      })
      .finally(() => {
        this.#writeBack = undefined;
      });
  }
}

/** The buffers without their first `count` bytes: what is left after a short write. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  const rest: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (left >= buffer.length) left -= buffer.length;
    else {
      rest.push(left === 0 ? buffer : buffer.subarray(left));
      left = 0;
    }
  }
  return rest;
}
