import { setTimeout } from 'node:timers/promises';

/** Time as locks need it; tests bring their own. */
export interface Clock {
  /** Milliseconds that never jump, but may stand still while the machine sleeps. */
  steady(): number;
  /** Milliseconds since 1970, which go on while the machine sleeps, but may jump when the clock is set. */
  wall(): number;
  /** Resolves after `ms`; rejects with the signal's reason when that fires. A background sleep does not keep the process alive. */
  sleep(ms: number, options: { readonly signal: AbortSignal; readonly background: boolean }): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  steady: () => performance.now(),
  wall: () => Date.now(),
  sleep: async (ms, { signal, background }) => {
    try {
      await setTimeout(ms, undefined, { signal, ref: !background });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};

/** When locks are beaten, given up and taken over. All in milliseconds. */
export interface LockTimings {
  /** Between two beats. */
  readonly beatMs: number;
  /** An owner whose last beat is older than this has lost its lock: less than `staleMs`, so that it knows first. */
  readonly lateMs: number;
  /** A lock unchanged for this long, by the observer's own steady clock, is nobody's. */
  readonly staleMs: number;
  /** Between two looks. */
  readonly pollMs: number;
}

/** DESIGN section 4: beat every 5 s, stale after 30 s. */
export const lockTimings: LockTimings = { beatMs: 5_000, lateMs: 25_000, staleMs: 30_000, pollMs: 1_000 };

/** A moment to measure from. */
export class Moment {
  readonly #clock: Clock;
  readonly #steady: number;
  readonly #wall: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#steady = clock.steady();
    this.#wall = clock.wall();
  }

  /** Milliseconds this process has watched: what an observer may rely on. */
  watched(): number {
    return this.#clock.steady() - this.#steady;
  }

  /** Milliseconds that may have passed for others, sleep of the machine included: what an owner must assume. */
  passed(): number {
    return Math.max(this.watched(), this.#clock.wall() - this.#wall);
  }
}
