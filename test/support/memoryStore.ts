import { abortable } from '../../server/src/repository/store/abortable.ts';
import { assertKey, assertPrefix } from '../../server/src/repository/store/keys.ts';
import type {
  ByteRange,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  StoreCallOptions,
} from '../../server/src/repository/store/objectStore.ts';
import { missingObject, resolveRange } from '../../server/src/repository/store/storeErrors.ts';

/** Bytes a streaming `get` hands out at a time: small, so that readers meet several pieces. */
const pieceBytes = 1000;

/** A store in memory, passing the same contract as those that keep their objects. */
export class MemoryStore implements ObjectStore {
  readonly #objects: Map<string, Buffer>;

  constructor(objects: Iterable<readonly [string, Uint8Array]> = []) {
    this.#objects = new Map([...objects].map(([key, bytes]) => [key, Buffer.from(bytes)]));
  }

  /** Every object, for assertions. */
  get objects(): ReadonlyMap<string, Buffer> {
    return this.#objects;
  }

  async put(key: string, body: ObjectBody, { signal }: StoreCallOptions = {}): Promise<void> {
    assertKey(key);
    signal?.throwIfAborted();
    const pieces: Buffer[] = [];
    if (body instanceof Uint8Array) pieces.push(Buffer.from(body));
    else {
      for await (const piece of abortable(body, signal)) {
        for (const buffer of piece instanceof Uint8Array ? [piece] : piece) pieces.push(Buffer.from(buffer));
      }
    }
    signal?.throwIfAborted();
    this.#objects.set(key, Buffer.concat(pieces));
  }

  async putIfAbsent(key: string, body: Uint8Array, options: StoreCallOptions = {}): Promise<boolean> {
    assertKey(key);
    options.signal?.throwIfAborted();
    if (this.#objects.has(key)) return false;
    await this.put(key, body, options);
    return true;
  }

  async *get(key: string, range?: ByteRange, { signal }: StoreCallOptions = {}): AsyncGenerator<Uint8Array> {
    const bytes = await this.read(key, range, signal === undefined ? {} : { signal });
    for (let done = 0; done < bytes.length; done += pieceBytes) {
      signal?.throwIfAborted();
      yield bytes.subarray(done, done + pieceBytes);
    }
  }

  read(key: string, range?: ByteRange, { signal }: StoreCallOptions = {}): Promise<Buffer> {
    return promised(() => {
      assertKey(key);
      signal?.throwIfAborted();
      const bytes = this.#objects.get(key);
      if (bytes === undefined) throw missingObject(key);
      const { offset, length } = resolveRange(key, range, bytes.length);
      return Buffer.from(bytes.subarray(offset, offset + length));
    });
  }

  stat(key: string, { signal }: StoreCallOptions = {}): Promise<ObjectInfo | undefined> {
    return promised(() => {
      assertKey(key);
      signal?.throwIfAborted();
      const bytes = this.#objects.get(key);
      return bytes === undefined ? undefined : { key, size: bytes.length };
    });
  }

  async *list(prefix: string, { signal }: StoreCallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertPrefix(prefix);
    for (const key of [...this.#objects.keys()]) {
      signal?.throwIfAborted();
      const found = prefix === '' || key.startsWith(`${prefix}/`) ? await this.stat(key) : undefined;
      if (found !== undefined) yield found;
    }
    signal?.throwIfAborted();
  }

  delete(key: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return promised(() => {
      assertKey(key);
      signal?.throwIfAborted();
      this.#objects.delete(key);
    });
  }

  sweep(prefix: string, { signal }: StoreCallOptions = {}): Promise<void> {
    return promised(() => {
      assertPrefix(prefix);
      signal?.throwIfAborted();
    });
  }

  freeBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** What it throws becomes a rejection. */
const promised = <T>(run: () => T): Promise<T> =>
  new Promise((resolve) => {
    resolve(run());
  });
