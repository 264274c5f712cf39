import type {
  ByteRange,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
} from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

/** Every call waits for `turn` first: a slow disk, a hanging mount, or a scheduler that interleaves several users. */
export function slowStore(store: ObjectStore, turn: (call: string, key: string) => Promise<void>): ObjectStore {
  return new SlowStore(store, turn);
}

class SlowStore extends PassThrough {
  readonly #turn: (call: string, key: string) => Promise<void>;

  constructor(inner: ObjectStore, turn: (call: string, key: string) => Promise<void>) {
    super(inner);
    this.#turn = turn;
  }

  override async put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    await this.#turn('put', key);
    await this.inner.put(key, body, options);
  }

  override async putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    await this.#turn('putIfAbsent', key);
    return this.inner.putIfAbsent(key, body, options);
  }

  override async *get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncGenerator<Uint8Array> {
    await this.#turn('get', key);
    yield* this.inner.get(key, range, options);
  }

  override async read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    await this.#turn('read', key);
    return this.inner.read(key, range, options);
  }

  override async stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined> {
    await this.#turn('stat', key);
    return this.inner.stat(key, options);
  }

  override async *list(prefix: string, options?: StoreCallOptions): AsyncGenerator<ObjectInfo> {
    await this.#turn('list', prefix);
    yield* this.inner.list(prefix, options);
  }

  override async delete(key: string, options?: StoreCallOptions): Promise<void> {
    await this.#turn('delete', key);
    await this.inner.delete(key, options);
  }
}
