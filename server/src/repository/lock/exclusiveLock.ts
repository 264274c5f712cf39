import type { Clock, LockTimings } from './clock.ts';
import { Moment, lockTimings, systemClock } from './clock.ts';
import type { Lock, LockTools } from './heldLock.ts';
import { HeldLock } from './heldLock.ts';
import type { LockHolder } from './holder.ts';
import { holderBytes, newHolder, seeHolder } from './holder.ts';
import { takeOver, waitUntilStale } from './takeOver.ts';
import type { ObjectStore } from '../store/objectStore.ts';

export type { Lock } from './heldLock.ts';

/** How a lock is acquired. */
export interface LockOptions {
  /** What the lock is held for, a noun that others are told: `backup`. */
  readonly purpose: string;
  /** Ends the waiting. A lock that is held does not look at it. */
  readonly signal: AbortSignal;
  /** Told again and again who holds the lock while it is watched whether it is stale. */
  readonly waiting?: (holder: LockHolder | undefined) => void;
  readonly timings?: LockTimings;
  readonly clock?: Clock;
}

/**
 * Acquires an exclusive lock. One whose owner has certainly ended is taken over at once, any other is watched: for at most
 * 30 seconds, after which it is stale. Throws `lock.held`, naming the holder, as soon as the lock shows life.
 */
export async function acquireLock(store: ObjectStore, key: string, options: LockOptions): Promise<Lock> {
  const { purpose, signal, waiting, timings = lockTimings, clock = systemClock } = options;
  const tools: LockTools = { store, clock, timings };
  for (;;) {
    signal.throwIfAborted();
    const holder = await newHolder(purpose, clock.wall());
    const written = new Moment(clock);
    if (await putOrRetract(tools, key, holder, signal)) return new HeldLock(tools, key, holder, written);
    const stale = await waitUntilStale(tools, key, holder, { signal, waiting });
    if (stale === undefined) continue;
    const taken = new Moment(clock);
    if (await takeOver(tools, key, stale, holder, signal)) return new HeldLock(tools, key, holder, taken);
  }
}

/** A failed call may have stored the lock all the same; then nobody would ever beat it. */
async function putOrRetract(tools: LockTools, key: string, holder: LockHolder, signal: AbortSignal): Promise<boolean> {
  try {
    return await tools.store.putIfAbsent(key, holderBytes(holder), { signal });
  } catch (error) {
    const seen = await seeHolder(tools.store, key, undefined).catch(() => undefined);
    if (seen?.token === holder.token) await tools.store.delete(key).catch(() => undefined);
    throw error;
  }
}
