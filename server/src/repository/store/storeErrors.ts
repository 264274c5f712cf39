import { PointbackError } from '../../api/errors.ts';
import type { ByteRange } from './objectStore.ts';

/** What was being done when the file system refused. */
export type StoreAction = 'read' | 'write' | 'delete' | 'list';

/** The error for an object that is not there. */
export function missingObject(key: string, cause?: unknown): PointbackError {
  return new PointbackError('store.missing', {
    message: `The repository has no file ${key}.`,
    details: { key },
    cause,
  });
}

/** The range to read of an object of `size` bytes: the whole of it by default. Throws `store.out-of-range`. */
export function resolveRange(key: string, range: ByteRange | undefined, size: number): ByteRange {
  if (range === undefined) return { offset: 0, length: size };
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RangeError(`not a range: ${offset}+${length}`);
  }
  if (offset + length > size) throw pastEnd(key, offset + length, size);
  return range;
}

/** The error for reading past the end: the object is shorter than what was stored. */
export function pastEnd(key: string, wanted: number, size: number): PointbackError {
  return new PointbackError('store.out-of-range', {
    message: `The file ${key} of the repository has ${size} bytes where at least ${wanted} were expected: it was cut short.`,
    details: { key, wanted, size },
  });
}

/** The error for a symbolic link that leads out of the repository. */
export function outside(path: string, root: string): PointbackError {
  return new PointbackError('store.outside', {
    message: `${path} is reached through a symbolic link that leads out of the repository ${root}.`,
    details: { path },
  });
}

/** The error for a repository directory that is no longer there. */
export function rootGone(root: string, cause: unknown): PointbackError {
  return new PointbackError('store.unreachable', {
    message: `The repository's directory ${root} is not there any more.`,
    details: { path: root },
    cause,
  });
}

/** The `code` of a system error, undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What a system error of the file system means to the user. What is no system error passes unchanged. */
export function fileSystemError(error: unknown, action: StoreAction, key: string, path: string): unknown {
  const code = errorCode(error);
  if (error instanceof PointbackError || code === undefined || !(error instanceof Error) || !('syscall' in error)) {
    return error;
  }
  const facts = { details: { key, path, code }, cause: error };
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
      return action === 'write'
        ? new PointbackError('store.failed', { message: `Writing ${path} failed: its directory vanished.`, ...facts })
        : missingObject(key, error);
    case 'ENOSPC':
    case 'EDQUOT':
      return new PointbackError('store.no-space', {
        message:
          code === 'EDQUOT'
            ? `The disk quota for the repository is used up: ${path} could not be written.`
            : `No space is left on the disk of the repository: ${path} could not be written.`,
        ...facts,
      });
    case 'EFBIG':
      return new PointbackError('store.too-large', {
        message: `${path} grew larger than its file system allows a file to be.`,
        ...facts,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      if (action === 'read' || action === 'list') {
        return new PointbackError('store.not-readable', {
          message: `Pointback is not allowed to read ${path}.`,
          ...facts,
        });
      }
      return new PointbackError('store.not-writable', {
        message:
          code === 'EROFS'
            ? `The file system of the repository is mounted read-only: ${path} could not be ${action === 'write' ? 'written' : 'deleted'}.`
            : `Pointback is not allowed to ${action} ${path}.`,
        ...facts,
      });
    default:
      return new PointbackError('store.failed', {
        message: `The file system failed to ${action} ${path}: ${error.message}.`,
        ...facts,
      });
  }
}
