import { PointbackError } from '../../server/src/api/errors.ts';
import { abortable } from '../../server/src/repository/store/abortable.ts';
import type { ObjectBody, ObjectStore, StoreCallOptions } from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

/** The error of a full disk, as the file system store gives it. */
export const noSpace = (): PointbackError =>
  new PointbackError('store.no-space', { message: 'No space is left on the disk of the repository.' });

/** Writing fails once `bytes` bytes were taken, all objects together: a disk that fills up. */
export function failAfterBytes(store: ObjectStore, bytes: number, failure: () => Error = noSpace): ObjectStore {
  return new FailAfterBytes(store, bytes, failure);
}

class FailAfterBytes extends PassThrough {
  readonly #failure: () => Error;
  #left: number;

  constructor(inner: ObjectStore, bytes: number, failure: () => Error) {
    super(inner);
    this.#left = bytes;
    this.#failure = failure;
  }

  override put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    return this.inner.put(key, this.#metered(body, options?.signal), options);
  }

  override async putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    this.#take(body);
    return this.inner.putIfAbsent(key, body, options);
  }

  async *#metered(body: ObjectBody, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    for await (const piece of body instanceof Uint8Array ? [body] : abortable(body, signal)) {
      for (const buffer of piece instanceof Uint8Array ? [piece] : piece) {
        this.#take(buffer);
        yield buffer;
      }
    }
  }

  #take(buffer: Uint8Array): void {
    if (buffer.length > this.#left) throw this.#failure();
    this.#left -= buffer.length;
  }
}
