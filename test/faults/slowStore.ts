import type {
  ByteRange,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
} from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

/** Called with `put` and the like before a call is carried out, and with `put answered` before its caller learns of it. */
export type Turn = (moment: string, key: string) => Promise<void>;

/** Every call waits for its `turn`, and so does its answer: a slow disk, a hanging mount, or a scheduler of several users. */
export function slowStore(store: ObjectStore, turn: Turn): ObjectStore {
  return new SlowStore(store, turn);
}

class SlowStore extends PassThrough {
  readonly #turn: Turn;

  constructor(inner: ObjectStore, turn: Turn) {
    super(inner);
    this.#turn = turn;
  }

  override put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    return this.#slowly('put', key, () => this.inner.put(key, body, options));
  }

  override putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    return this.#slowly('putIfAbsent', key, () => this.inner.putIfAbsent(key, body, options));
  }

  override async *get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncGenerator<Uint8Array> {
    await this.#turn('get', key);
    yield* this.inner.get(key, range, options);
  }

  override read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    return this.#slowly('read', key, () => this.inner.read(key, range, options));
  }

  override stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined> {
    return this.#slowly('stat', key, () => this.inner.stat(key, options));
  }

  override async *list(prefix: string, options?: StoreCallOptions): AsyncGenerator<ObjectInfo> {
    await this.#turn('list', prefix);
    yield* this.inner.list(prefix, options);
  }

  override delete(key: string, options?: StoreCallOptions): Promise<void> {
    return this.#slowly('delete', key, () => this.inner.delete(key, options));
  }

  async #slowly<T>(call: string, key: string, run: () => Promise<T>): Promise<T> {
    await this.#turn(call, key);
    try {
      return await run();
    } finally {
      await this.#turn(`${call} answered`, key);
    }
  }
}
