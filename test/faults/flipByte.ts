import type { ByteRange, ObjectStore, StoreCallOptions } from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from './passThrough.ts';

/** One byte of one object reads inverted: bit rot. A negative offset counts from the end. */
export function flipByte(store: ObjectStore, key: string, offset: number): ObjectStore {
  return new FlipByte(store, key, offset);
}

class FlipByte extends PassThrough {
  readonly #key: string;
  readonly #offset: number;

  constructor(inner: ObjectStore, key: string, offset: number) {
    super(inner);
    this.#key = key;
    this.#offset = offset;
  }

  override async *get(key: string, range?: ByteRange, options?: StoreCallOptions): AsyncGenerator<Uint8Array> {
    const flipped = await this.#position(key);
    let position = range?.offset ?? 0;
    for await (const piece of this.inner.get(key, range, options)) {
      yield flip(piece, flipped - position);
      position += piece.length;
    }
  }

  override async read(key: string, range?: ByteRange, options?: StoreCallOptions): Promise<Buffer> {
    const flipped = await this.#position(key);
    return flip(await this.inner.read(key, range, options), flipped - (range?.offset ?? 0));
  }

  async #position(key: string): Promise<number> {
    if (key !== this.#key) return -1;
    if (this.#offset >= 0) return this.#offset;
    return ((await this.inner.stat(key))?.size ?? 0) + this.#offset;
  }
}

function flip<T extends Uint8Array>(bytes: T, index: number): T {
  if (index >= 0 && index < bytes.length) bytes[index] = ~(bytes[index] ?? 0);
  return bytes;
}
