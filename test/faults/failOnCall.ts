import type {
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
  ByteRange,
} from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

/** The calls a fault can meet. */
export type StoreCall = 'put' | 'putIfAbsent' | 'get' | 'read' | 'stat' | 'list' | 'delete' | 'sweep';

/** A store that breaks down, and how many calls it has seen: run once with `n` = Infinity to learn how many there are. */
export interface FailOnCall extends ObjectStore {
  readonly calls: number;
}

/**
 * The `n`th call (from 1) of those named, and every later one, fails before it does anything: a disk or mount that goes
 * away. With `once` only the `n`th fails.
 */
export function failOnCall(
  store: ObjectStore,
  n: number,
  failure: () => Error,
  options: { readonly calls?: readonly StoreCall[]; readonly once?: boolean } = {},
): FailOnCall {
  return new CountingStore(store, n, failure, options);
}

class CountingStore extends PassThrough implements FailOnCall {
  readonly #n: number;
  readonly #failure: () => Error;
  readonly #options: { readonly calls?: readonly StoreCall[]; readonly once?: boolean };
  calls = 0;

  constructor(
    inner: ObjectStore,
    n: number,
    failure: () => Error,
    options: { readonly calls?: readonly StoreCall[]; readonly once?: boolean },
  ) {
    super(inner);
    this.#n = n;
    this.#failure = failure;
    this.#options = options;
  }

  override async put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    this.#count('put');
    await this.inner.put(key, body, options);
  }

  override async putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    this.#count('putIfAbsent');
    return this.inner.putIfAbsent(key, body, options);
  }

  override async *get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncGenerator<Uint8Array> {
    this.#count('get');
    yield* this.inner.get(key, range, options);
  }

  override async read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    this.#count('read');
    return this.inner.read(key, range, options);
  }

  override async stat(key: string, options?: StoreCallOptions): Promise<ObjectInfo | undefined> {
    this.#count('stat');
    return this.inner.stat(key, options);
  }

  override async *list(prefix: string, options?: StoreCallOptions): AsyncGenerator<ObjectInfo> {
    this.#count('list');
    yield* this.inner.list(prefix, options);
  }

  override async delete(key: string, options?: StoreCallOptions): Promise<void> {
    this.#count('delete');
    await this.inner.delete(key, options);
  }

  override async sweep(prefix: string, options?: StoreCallOptions): Promise<void> {
    this.#count('sweep');
    await this.inner.sweep(prefix, options);
  }

  #count(call: StoreCall): void {
    if (this.#options.calls?.includes(call) === false) return;
    this.calls += 1;
    if (this.calls === this.#n || (this.calls > this.#n && this.#options.once !== true)) throw this.#failure();
  }
}
