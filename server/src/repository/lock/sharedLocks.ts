import { sharedLockPrefix } from '../layout.ts';
import type { ObjectStore } from '../store/objectStore.ts';
import { Moment } from './clock.ts';
import type { Lock } from './heldLock.ts';
import { HeldLock } from './heldLock.ts';
import type { LockHolder, SeenHolder } from './holder.ts';
import { holderBytes, newHolder, seeHolder, storeOrRetract } from './holder.ts';
import type { LockToolOptions, LockTools } from './tools.ts';
import { lockTools } from './tools.ts';

/** How a reader holds a lock. */
export interface SharedLockOptions extends LockToolOptions {
  readonly purpose: string;
  readonly signal: AbortSignal;
  /** The one backup that is read; absent when it may be any. */
  readonly backup?: string;
}

/** How the readers are looked for. */
export interface SharedLocksOptions extends LockToolOptions {
  readonly signal: AbortSignal;
  /** Only readers of this backup, and those that may read any. */
  readonly backup?: string;
  /** Told of the readers of which nobody knows yet whether they live. */
  readonly waiting?: (readers: readonly (LockHolder | undefined)[]) => void;
}

/** Holds off deletion while somebody reads. Take it first, then look whether the backup exists. */
export async function acquireSharedLock(
  store: ObjectStore,
  instance: string,
  options: SharedLockOptions,
): Promise<Lock> {
  const { purpose, signal, backup } = options;
  const tools = lockTools(store, options);
  const holder = await newHolder(tools, purpose, backup);
  const key = `${sharedLockPrefix(instance)}/${holder.token}.json`;
  const written = new Moment(tools.clock);
  await storeOrRetract(store, key, holder, () => store.putIfAbsent(key, holderBytes(holder), { signal }));
  return new HeldLock(tools, key, holder, written);
}

/**
 * The readers that live. One that is not certainly dead is watched until it shows life or stays unchanged for `staleMs`:
 * a few seconds when all live, 30 when one was killed elsewhere. Locks of the dead are removed.
 */
export async function sharedLocks(
  store: ObjectStore,
  instance: string,
  options: SharedLocksOptions,
): Promise<LockHolder[]> {
  const { signal, backup, waiting } = options;
  const tools = lockTools(store, options);
  const { clock, timings } = tools;
  const undecided = await seeReaders(store, instance, backup, signal);
  const living: LockHolder[] = [];
  const started = new Moment(clock);
  for (;;) {
    for (const [key, before] of undecided) {
      const now = await seeHolder(store, key, signal);
      const changed = now !== undefined && now.fingerprint !== before.fingerprint;
      const dead = await isDead(tools, before);
      if (now !== undefined && !changed && !dead && started.watched() < timings.staleMs) continue;
      undecided.delete(key);
      if (changed && now.holder !== undefined) living.push(now.holder);
      else if (now !== undefined) await store.delete(key, { signal });
    }
    if (undecided.size === 0) return living;
    waiting?.([...undecided.values()].map(({ holder }) => holder));
    await clock.sleep(timings.pollMs, { signal, background: false });
  }
}

/** The readers of a backup that are not certainly dead, at one look: some may be. */
export async function readersOf(
  store: ObjectStore,
  instance: string,
  backup: string,
  signal: AbortSignal,
): Promise<SeenHolder[]> {
  const tools = lockTools(store, {});
  const readers: SeenHolder[] = [];
  for (const seen of (await seeReaders(store, instance, backup, signal)).values()) {
    if (!(await isDead(tools, seen))) readers.push(seen);
  }
  return readers;
}

async function seeReaders(
  store: ObjectStore,
  instance: string,
  backup: string | undefined,
  signal: AbortSignal,
): Promise<Map<string, SeenHolder>> {
  const readers = new Map<string, SeenHolder>();
  for await (const { key } of store.list(sharedLockPrefix(instance), { signal })) {
    const seen = await seeHolder(store, key, signal);
    if (seen === undefined) continue;
    const reads = seen.holder?.backup;
    if (backup === undefined || reads === undefined || reads === backup) readers.set(key, seen);
  }
  return readers;
}

async function isDead({ processes }: LockTools, { holder }: SeenHolder): Promise<boolean> {
  return holder !== undefined && (await processes.isCertainlyDead(holder));
}
