import { PointbackError, isPointbackError } from '../../api/errors.ts';
import { Moment } from './clock.ts';
import type { LockHolder } from './holder.ts';
import { holderBytes, seeHolder } from './holder.ts';
import { renewClaimed } from './takeOver.ts';
import type { LockTools } from './tools.ts';

/** A lock that is held. */
export interface Lock {
  /** Fires with a `lock.lost` error when the lock is not ours any more: stop, and write nothing. */
  readonly signal: AbortSignal;
  /** Makes sure, by reading it, that the lock is still ours: call it right before every commit. Throws `lock.lost`. */
  confirm(): Promise<void>;
  /** Gives the lock back, unless it is lost. Never throws: a lock that cannot be removed goes stale by itself. */
  release(): Promise<void>;
}

/**
 * Keeps a lock alive: rewrites it with a new beat, and gives it up when a beat came late or another's token is found. When
 * only the time of day says that a beat is late, the machine slept or its clock was set: then the lock itself is asked.
 */
export class HeldLock implements Lock {
  readonly #tools: LockTools;
  readonly #key: string;
  readonly #lost = new AbortController();
  readonly #released = new AbortController();
  /** Ends a beat that is under way when the lock is lost or released. */
  readonly #stopped = AbortSignal.any([this.#lost.signal, this.#released.signal]);
  #holder: LockHolder;
  #lastBeat: Moment;
  #lastAttempt: Moment;
  #beating: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;

  /** `written` is a moment before the lock was written. */
  constructor(tools: LockTools, key: string, holder: LockHolder, written: Moment) {
    this.#tools = tools;
    this.#key = key;
    this.#holder = holder;
    this.#lastBeat = written;
    this.#lastAttempt = written;
    void this.#keep();
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  async confirm(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    try {
      await this.#makeTimely();
      await this.#requireMine();
      await this.#makeTimely();
    } catch (error) {
      this.#loseBy(error);
      throw error;
    }
  }

  async release(): Promise<void> {
    this.#released.abort();
    await this.#beating;
    try {
      await this.confirm();
      await this.#tools.store.delete(this.#key);
    } catch {
      // Lost, or the store does not let us: either way it is left to go stale.
    }
  }

  /** Looks every `pollMs`, also while a beat hangs in the store. */
  async #keep(): Promise<void> {
    const { clock, timings } = this.#tools;
    for (;;) {
      try {
        await clock.sleep(timings.pollMs, { signal: this.#stopped, background: true });
        this.#requireWatched();
      } catch (error) {
        this.#loseBy(error);
        return;
      }
      if (this.#beating === undefined && this.#lastAttempt.passed() >= timings.beatMs) {
        this.#beating = this.#beat().finally(() => {
          this.#beating = undefined;
        });
      }
    }
  }

  async #beat(): Promise<void> {
    const { store, clock } = this.#tools;
    this.#lastAttempt = new Moment(clock);
    try {
      await this.#requireMine();
      await this.#makeTimely();
      const written = new Moment(clock);
      this.#holder = { ...this.#holder, beat: this.#holder.beat + 1 };
      await store.put(this.#key, holderBytes(this.#holder), { signal: this.#stopped });
      this.#requireTimely();
      this.#lastBeat = written;
    } catch (error) {
      // A store that fails is asked again at the next beat, until the beat is late.
      this.#loseBy(error);
    }
  }

  async #requireMine(): Promise<void> {
    const seen = await seeHolder(this.#tools.store, this.#key, this.#lost.signal);
    if (seen?.token === this.#holder.token) return;
    const by = seen?.holder;
    throw lostBecause(
      by === undefined
        ? 'its file was removed'
        : `process ${by.pid} on ${by.host} took it over for its ${by.purpose} at ${by.since}`,
    );
  }

  /** Makes sure that nobody can have taken the lock for stale, by renewing it where only the time of day leaves a doubt. */
  async #makeTimely(): Promise<void> {
    this.#requireWatched();
    if (this.#lastBeat.passed() <= this.#tools.timings.lateMs) return;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const written = new Moment(this.#tools.clock);
    const held = this.#holder;
    this.#holder = { ...held, beat: held.beat + 1 };
    if (!(await renewClaimed(this.#tools, this.#key, this.#holder, this.#lost.signal))) {
      await this.#requireMine();
      throw lostBecause('while the machine slept, or its clock was set, another process has claimed it');
    }
    this.#requireWatched();
    this.#lastBeat = written;
  }

  #requireWatched(): void {
    this.#requireAtMost(this.#lastBeat.watched());
  }

  #requireTimely(): void {
    this.#requireAtMost(this.#lastBeat.passed());
  }

  #requireAtMost(passed: number): void {
    if (passed <= this.#tools.timings.lateMs) return;
    throw lostBecause(
      `it could not be renewed for ${Math.round(passed / 1000)} seconds (the machine slept, was stopped, or its disk did not answer)`,
    );
  }

  #loseBy(error: unknown): void {
    if (isPointbackError(error, 'lock.lost')) this.#lost.abort(error);
  }
}

function lostBecause(reason: string): PointbackError {
  return new PointbackError('lock.lost', { message: `The lock on the instance was lost: ${reason}.` });
}
