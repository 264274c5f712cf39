import type {
  ByteRange,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
} from '../../server/src/repository/store/objectStore.ts';
import { resolveRange } from '../../server/src/repository/store/storeErrors.ts';
import { PassThrough } from './passThrough.ts';

/** One object ends after `size` bytes: a copy of the repository that was interrupted. */
export function truncateObject(store: ObjectStore, key: string, size: number): ObjectStore {
  return new TruncateObject(store, key, size);
}

class TruncateObject extends PassThrough {
  readonly #key: string;
  readonly #size: number;

  constructor(inner: ObjectStore, key: string, size: number) {
    super(inner);
    this.#key = key;
    this.#size = size;
  }

  override async *get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncGenerator<Uint8Array> {
    yield* this.inner.get(key, await this.#range(key, range), options);
  }

  override async read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    return this.inner.read(key, await this.#range(key, range), options);
  }

  override async stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined> {
    const found = await this.inner.stat(key, options);
    return found === undefined || key !== this.#key ? found : { key, size: Math.min(found.size, this.#size) };
  }

  override async *list(prefix: string, options?: StoreCallOptions): AsyncGenerator<ObjectInfo> {
    for await (const { key } of this.inner.list(prefix, options)) {
      const found = await this.stat(key, options);
      if (found !== undefined) yield found;
    }
  }

  async #range(key: string, range: ByteRange | undefined): Promise<ByteRange | undefined> {
    const found = key === this.#key ? await this.stat(key) : undefined;
    return found === undefined ? range : resolveRange(key, range, found.size);
  }
}
