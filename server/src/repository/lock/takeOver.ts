import { PointbackError } from '../../api/errors.ts';
import { Moment } from './clock.ts';
import type { LockHolder, SeenHolder } from './holder.ts';
import { holderBytes, newHolder, seeHolder, storeOrRetract } from './holder.ts';
import type { LockTools } from './tools.ts';

/** A lock and the claims on it: each claim is named after the token it wants to replace, the first after the lock's. */
export interface Sighting {
  readonly lock: SeenHolder;
  readonly claims: readonly SeenHolder[];
}

/** What waiting for a lock needs. */
export interface WaitOptions {
  readonly signal: AbortSignal;
  /** Told who holds the lock while nobody knows yet whether it is stale. */
  readonly waiting?: ((holder: LockHolder | undefined) => void) | undefined;
}

/** More claims than that on one lock cannot come from crashes. */
const mostClaims = 16;

/**
 * Watches a lock until it is stale or gone (undefined). Stale is what belongs to a process that has certainly ended, or
 * what stayed unchanged for `staleMs`. Throws `lock.held` as soon as it shows life.
 */
export async function waitUntilStale(
  tools: LockTools,
  key: string,
  options: WaitOptions,
): Promise<Sighting | undefined> {
  const { clock, timings, processes } = tools;
  const isStale = async (seen: SeenHolder, since: Moment): Promise<boolean> =>
    since.watched() >= timings.staleMs || (seen.holder !== undefined && (await processes.isCertainlyDead(seen.holder)));
  let sighting = await look(tools, key, options.signal);
  const firstSeen = new Moment(clock);
  let tailSeen = firstSeen;
  while (sighting !== undefined) {
    const tail = sighting.claims.at(-1);
    if ((await isStale(sighting.lock, firstSeen)) && (tail === undefined || (await isStale(tail, tailSeen)))) {
      return sighting;
    }
    options.waiting?.(sighting.lock.holder);
    await clock.sleep(timings.pollMs, { signal: options.signal, background: false });
    const next = await look(tools, key, options.signal);
    if (next !== undefined && next.lock.fingerprint !== sighting.lock.fingerprint) throw heldBy(next.lock.holder);
    if (next?.claims.at(-1)?.fingerprint !== tail?.fingerprint) tailSeen = new Moment(clock);
    sighting = next;
  }
  return undefined;
}

/**
 * Puts `mine` in the place of a stale lock. Of several that try, the one whose claim is stored first may; the others get
 * false. A claimer that stopped on the way can itself be replaced, by a claim on its claim, and knows it: it must be done
 * within `lateMs`.
 */
export async function takeOver(
  tools: LockTools,
  key: string,
  stale: Sighting,
  mine: LockHolder,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, clock, timings } = tools;
  const claimed = new Moment(clock);
  const claim = await newHolder(tools, mine.purpose);
  const replaced = (stale.claims.at(-1) ?? stale.lock).token;
  if (!(await store.putIfAbsent(claimKey(key, replaced), holderBytes(claim), { signal }))) return false;
  try {
    const now = await look(tools, key, signal);
    const unchanged = now?.lock.fingerprint === stale.lock.fingerprint && now.claims.at(-1)?.token === claim.token;
    if (!unchanged || claimed.passed() > timings.lateMs) return false;
    await storeOrRetract(store, key, mine, () => store.put(key, holderBytes(mine), { signal }));
    for (const { token } of [stale.lock, ...stale.claims])
      await store.delete(claimKey(key, token)).catch(() => undefined);
    return (await seeHolder(store, key, undefined))?.token === mine.token;
  } finally {
    await store.delete(claimKey(key, replaced)).catch(() => undefined);
  }
}

/**
 * Renews a lock of one's own that others may have taken for stale. Its claim stands first or not at all, as in a take-over,
 * so nobody replaces the lock meanwhile. Resolves to false when somebody has claimed or replaced it.
 */
export async function renewClaimed(
  tools: LockTools,
  key: string,
  mine: LockHolder,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, clock, timings } = tools;
  const claimed = new Moment(clock);
  const claim = await newHolder(tools, mine.purpose, mine.backup);
  const at = claimKey(key, mine.token);
  if (!(await storeOrRetract(store, at, claim, () => store.putIfAbsent(at, holderBytes(claim), { signal }))))
    return false;
  try {
    const now = await look(tools, key, signal);
    if (now?.lock.token !== mine.token || now.claims.at(-1)?.token !== claim.token) return false;
    if (claimed.passed() > timings.lateMs) return false;
    await store.put(key, holderBytes(mine), { signal });
    return claimed.passed() <= timings.lateMs && (await seeHolder(store, key, signal))?.token === mine.token;
  } finally {
    await store.delete(at).catch(() => undefined);
  }
}

/** The error that names the holder. */
export function heldBy(holder: LockHolder | undefined): PointbackError {
  if (holder === undefined) {
    return new PointbackError('lock.held', { message: 'Another Pointback process is working on the same instance.' });
  }
  const { host, pid, purpose, since } = holder;
  return new PointbackError('lock.held', {
    message: `Another Pointback process is working on the same instance: ${purpose}, process ${pid} on ${host}, since ${since}.`,
    remedy: `Wait until that is done, or stop process ${pid} on ${host}; then start again.`,
    details: { host, pid, purpose, since },
  });
}

async function look({ store }: LockTools, key: string, signal: AbortSignal): Promise<Sighting | undefined> {
  const lock = await seeHolder(store, key, signal);
  if (lock === undefined) return undefined;
  const claims: SeenHolder[] = [];
  for (let last = lock; claims.length < mostClaims;) {
    const claim = await seeHolder(store, claimKey(key, last.token), signal);
    if (claim === undefined) break;
    claims.push(claim);
    last = claim;
  }
  return { lock, claims };
}

/** `locks/backup.json` -> `locks/backup.claims/<token>.json`. */
function claimKey(key: string, token: string): string {
  return `${key.replace(/\.json$/, '')}.claims/${token}.json`;
}
