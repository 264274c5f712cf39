interface Waiting {
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** Lets a limited number of holders in at a time; the others wait in order. */
export class Slots {
  #free: number;
  #ended: Error | undefined;
  readonly #waiting: Waiting[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves once a slot is the caller's. Rejects with the reason of `end`. */
  async acquire(): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** Gives a slot back, to whoever waited longest. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.resolve();
  }

  /** Lets nobody in any more: those who wait would wait for holders that never give back. */
  end(reason: Error): void {
    this.#ended = reason;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}
