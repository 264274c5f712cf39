/**
 * Hands values, or promises of them, from a producer to one consumer in order, holding at most `capacity` of them: the
 * link between a socket that pushes and a store that pulls.
 */
export class HandOver<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: (T | Promise<T>)[] = [];
  #ended = false;
  #abandoned = false;
  #failure: Error | undefined;
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Adds a value. Returns a promise when full: push nothing more until it resolves. */
  push(item: T | Promise<T>): Promise<void> | undefined {
    // A rejection is the consumer's to see; until it gets there it must not count as unhandled.
    if (item instanceof Promise) item.catch(() => undefined);
    if (this.#abandoned || this.#failure !== undefined) return undefined;
    this.#items.push(item);
    this.#wakeConsumer?.();
    if (this.#items.length < this.#capacity) return undefined;
    return new Promise((resolve) => {
      this.#wakeProducer = resolve;
    });
  }

  /** Nothing more will come: the consumer ends after what is queued. */
  end(): void {
    this.#ended = true;
    this.#wakeConsumer?.();
  }

  /** Makes the consumer fail at once with `error`, dropping what is queued, and lets a waiting producer go on. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wakeConsumer?.();
    this.#wakeProducer?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        const item = this.#items[0];
        if (item !== undefined) {
          const value = await item;
          void this.#items.shift();
          this.#wakeProducer?.();
          this.#wakeProducer = undefined;
          yield value;
        } else if (this.#ended) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeConsumer = resolve;
          });
          this.#wakeConsumer = undefined;
        }
      }
    } finally {
      this.#abandoned = true;
      this.#wakeProducer?.();
    }
  }
}
