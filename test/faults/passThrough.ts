import type {
  ByteRange,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
} from '../../server/src/repository/store/objectStore.ts';

/** Hands every call on unchanged; a fault overrides the one it damages. */
export class PassThrough implements ObjectStore {
  protected readonly inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.inner = inner;
  }

  put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    return this.inner.put(key, body, options);
  }

  putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    return this.inner.putIfAbsent(key, body, options);
  }

  get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncIterable<Uint8Array> {
    return this.inner.get(key, range, options);
  }

  read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    return this.inner.read(key, range, options);
  }

  stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined> {
    return this.inner.stat(key, options);
  }

  list(prefix: string, options?: StoreCallOptions): AsyncIterable<ObjectInfo> {
    return this.inner.list(prefix, options);
  }

  delete(key: string, options?: StoreCallOptions): Promise<void> {
    return this.inner.delete(key, options);
  }

  sweep(prefix: string, options?: StoreCallOptions): Promise<void> {
    return this.inner.sweep(prefix, options);
  }

  freeBytes(): Promise<number | undefined> {
    return this.inner.freeBytes();
  }
}
