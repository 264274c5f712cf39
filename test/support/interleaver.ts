import { setImmediate } from 'node:timers/promises';
import type { FakeClock } from './fakeClock.ts';

interface Waiting {
  readonly go: () => void;
  /** Steady time before which it does not go on: its process is stopped. */
  readonly from: number;
}

/** Lets several users of a store take turns in an order that the seed decides, one call at a time. */
export class Interleaver {
  readonly #clock: FakeClock;
  readonly #random: () => number;
  readonly #pauseProbability: number;
  #waiting: Waiting[] = [];

  /** With `pauseProbability` a call is held up for as long as 60 seconds, as if its process were stopped right there. */
  constructor(clock: FakeClock, random: () => number, pauseProbability = 0) {
    this.#clock = clock;
    this.#random = random;
    this.#pauseProbability = pauseProbability;
  }

  /** For `slowStore`: resolves when it is this call's turn. */
  readonly turn = (): Promise<void> =>
    new Promise((resolve) => {
      const pause = this.#random() < this.#pauseProbability ? this.#random() * 60_000 : 0;
      this.#waiting.push({ go: resolve, from: this.#clock.steady() + pause });
    });

  /** Goes on until `done` holds. Time passes when all are waiting for it, and now and then while calls are under way. */
  async run(done: () => boolean): Promise<void> {
    for (let step = 0; !done(); step += 1) {
      if (step > 100_000) throw new Error('the interleaving does not end');
      await setImmediate();
      const ready = this.#waiting.filter(({ from }) => from <= this.#clock.steady());
      const next = ready[Math.floor(this.#random() * ready.length)];
      if (next === undefined || this.#random() < 0.02) await this.#clock.advance(500);
      else {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
        next.go();
      }
    }
  }
}
