import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../server/src/repository/lock/clock.ts';

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until it is told to go on. Between two wake-ups everything that can run without time passing
 * runs to its end, so what it drives must not do real input and output.
 */
export class FakeClock implements Clock {
  #steady = 1_000_000;
  #wall = Date.UTC(2026, 10, 22, 11, 0, 0);
  readonly #sleepers = new Set<Sleeper>();

  steady(): number {
    return this.#steady;
  }

  wall(): number {
    return this.#wall;
  }

  sleep(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      const sleeper: Sleeper = {
        due: this.#steady + ms,
        wake: () => {
          signal.removeEventListener('abort', onAbort);
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Lets `ms` pass, waking every sleeper in its turn. */
  async advance(ms: number): Promise<void> {
    const end = this.#steady + ms;
    await settle();
    for (let next = this.#earliest(); next !== undefined && next.due <= end; next = this.#earliest()) {
      this.#moveTo(next.due);
      next.wake();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  /** The machine sleeps: the time of day goes on, nothing else does. */
  suspend(ms: number): void {
    this.#wall += ms;
  }

  #earliest(): Sleeper | undefined {
    return [...this.#sleepers].sort((a, b) => a.due - b.due)[0];
  }

  #moveTo(steady: number): void {
    this.#wall += Math.max(0, steady - this.#steady);
    this.#steady = Math.max(steady, this.#steady);
  }
}

/** Everything that waits for no time and no input has run. */
async function settle(): Promise<void> {
  await setImmediate();
}
