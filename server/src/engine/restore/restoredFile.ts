import { open, type FileHandle } from 'node:fs/promises';
import { PointbackError } from '../../api/errors.ts';
import { writeCallBytes } from '../../repository/store/writeBatches.ts';
import type { FileOwner } from './restorePlan.ts';
import type { Slots } from './slots.ts';

/** How a restored file is created. */
export interface FileAttributes {
  readonly mode: number;
  readonly owner?: FileOwner;
  /** Its path as the user knows it. */
  readonly shown?: (path: Buffer) => string;
  /** How many files may be open at once: a frame can hold thousands of small ones. */
  readonly slots: Slots;
}

/** One file on its way to the disk: writes follow each other, the caller does not wait for them. */
export class RestoredFile {
  readonly #path: Buffer;
  readonly #attributes: FileAttributes;
  #handle: Promise<FileHandle> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(path: Buffer, attributes: FileAttributes) {
    this.#path = path;
    this.#attributes = attributes;
  }

  /** Queues a piece. The promise tells when it is written; it rejects with `restore.write-failed`. */
  write(piece: Buffer): Promise<void> {
    this.#handle ??= this.#open();
    const handle = this.#handle;
    return this.#then(async () => writeWhole(await handle, piece));
  }

  /** Queues the end: owner set, file closed. An empty file is created here. */
  close(): Promise<void> {
    this.#handle ??= this.#open();
    const handle = this.#handle;
    return this.#then(async () => {
      const file = await handle;
      try {
        const { owner } = this.#attributes;
        if (owner !== undefined) await file.chown(owner.uid, owner.gid);
      } finally {
        await file.close();
        this.#attributes.slots.release();
      }
    });
  }

  /** Closes the file after a failure, without finishing it. */
  async abandon(): Promise<void> {
    await this.#last.catch(() => undefined);
    // Closing twice is an error that says nothing; the slots die with the restore.
    await this.#handle?.then((file) => file.close()).catch(() => undefined);
  }

  async #open(): Promise<FileHandle> {
    const { slots, mode } = this.#attributes;
    await slots.acquire();
    try {
      return await open(this.#path, 'wx', mode);
    } catch (error) {
      slots.release();
      throw error;
    }
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(step).catch((error: unknown) => {
      throw writeFailed(this.#attributes.shown?.(this.#path) ?? this.#path, error);
    });
    return this.#last;
  }
}

async function writeWhole(file: FileHandle, piece: Buffer): Promise<void> {
  let offset = 0;
  while (offset < piece.length) {
    const length = Math.min(piece.length - offset, writeCallBytes);
    const { bytesWritten } = await file.write(piece, offset, length);
    offset += bytesWritten;
  }
}

/** Whether the operating system refused something. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** The user's words for a failure to write `path`. */
export function writeFailed(path: Buffer | string, error: unknown): Error {
  if (error instanceof PointbackError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const place = path.toString();
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PointbackError('restore.no-space', { message: `The disk was full at ${place}.`, cause: error });
  }
  return new PointbackError('restore.write-failed', {
    message: `${place} could not be written: ${code ?? message}.`,
    cause: error,
  });
}
