import type { ObjectBody, ObjectStore, StoreCallOptions } from '../../server/src/repository/store/objectStore.ts';
import { PassThrough } from '../faults/passThrough.ts';
import { MemoryStore } from './memoryStore.ts';

/** A call that changed the store: the new content of a key, or undefined for its removal. */
interface Change {
  readonly key: string;
  readonly content: Buffer | undefined;
}

/** Keeps every change in order, so that a crash after any of them can be replayed. */
export class RecordingStore extends PassThrough {
  readonly #changes: Change[] = [];

  constructor() {
    super(new MemoryStore());
  }

  /** How many changes there were. */
  get changes(): number {
    return this.#changes.length;
  }

  /** The store as it was after the first `count` changes, when the process was killed right then. */
  after(count: number): MemoryStore {
    const objects = new Map<string, Buffer>();
    for (const { key, content } of this.#changes.slice(0, count)) {
      if (content === undefined) objects.delete(key);
      else objects.set(key, content);
    }
    return new MemoryStore(objects);
  }

  override async put(key: string, body: ObjectBody, options?: StoreCallOptions): Promise<void> {
    await this.inner.put(key, body, options);
    this.#changes.push({ key, content: await this.inner.read(key) });
  }

  override async putIfAbsent(key: string, body: Uint8Array, options?: StoreCallOptions): Promise<boolean> {
    const stored = await this.inner.putIfAbsent(key, body, options);
    if (stored) this.#changes.push({ key, content: Buffer.from(body) });
    return stored;
  }

  override async delete(key: string, options?: StoreCallOptions): Promise<void> {
    await this.inner.delete(key, options);
    this.#changes.push({ key, content: undefined });
  }
}

/** What a recording is for: every prefix of the changes, from none to all. */
export function* everyCrash(recorded: RecordingStore): Generator<{ after: number; store: ObjectStore & MemoryStore }> {
  for (let after = 0; after <= recorded.changes; after += 1) yield { after, store: recorded.after(after) };
}
