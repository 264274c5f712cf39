import { Moment } from './clock.ts';
import type { Lock } from './heldLock.ts';
import { HeldLock } from './heldLock.ts';
import type { LockHolder } from './holder.ts';
import { holderBytes, newHolder, storeOrRetract } from './holder.ts';
import { takeOver, waitUntilStale } from './takeOver.ts';
import type { LockToolOptions } from './tools.ts';
import { lockTools } from './tools.ts';
import type { ObjectStore } from '../store/objectStore.ts';

export type { Lock } from './heldLock.ts';

/** How a lock is acquired. */
export interface LockOptions extends LockToolOptions {
  /** What the lock is held for, a noun that others are told: `backup`. */
  readonly purpose: string;
  /** Ends the waiting. A lock that is held does not look at it. */
  readonly signal: AbortSignal;
  /** Told again and again who holds the lock while it is watched whether it is stale. */
  readonly waiting?: (holder: LockHolder | undefined) => void;
}

/**
 * Acquires an exclusive lock. One whose owner has certainly ended is taken over at once, any other is watched: for at most
 * 30 seconds, after which it is stale. Throws `lock.held`, naming the holder, as soon as the lock shows life.
 */
export async function acquireLock(store: ObjectStore, key: string, options: LockOptions): Promise<Lock> {
  const { purpose, signal, waiting } = options;
  const tools = lockTools(store, options);
  for (;;) {
    signal.throwIfAborted();
    const holder = await newHolder(tools, purpose);
    const written = new Moment(tools.clock);
    const absent = await storeOrRetract(store, key, holder, () =>
      store.putIfAbsent(key, holderBytes(holder), { signal }),
    );
    if (absent) return new HeldLock(tools, key, holder, written);
    const stale = await waitUntilStale(tools, key, { signal, waiting });
    if (stale === undefined) continue;
    const taken = new Moment(tools.clock);
    if (await takeOver(tools, key, stale, holder, signal)) return new HeldLock(tools, key, holder, taken);
  }
}
