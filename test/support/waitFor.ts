import { setTimeout as delay } from 'node:timers/promises';

/** How long and how often `waitFor` looks. */
export interface WaitOptions {
  /** Milliseconds until it gives up; 30 seconds unless told. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks; 20 unless told. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/** What a condition answers while it does not hold. */
export type NotYet = undefined | null | false;

/**
 * Waits until `condition` gives something other than undefined, null or false, and resolves to that. Errors it throws
 * end the wait at once: a condition that may fail for a while catches them itself.
 *
 * @param what completes "waiting until …" in the message of the error thrown at the deadline.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | NotYet | Promise<T | NotYet>,
  options: WaitOptions = {},
): Promise<T> {
  const { timeoutMs = 30_000, intervalMs = 20, signal } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const result = await condition();
    if (result !== undefined && result !== null && result !== false) return result;
    if (performance.now() >= deadline) throw new Error(`Gave up after ${timeoutMs} ms waiting until ${what}.`);
    await delay(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}
