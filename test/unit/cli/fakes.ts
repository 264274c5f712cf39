import type { Clock, TextOutput } from '../../../server/src/cli/terminal.ts';

/** An output that keeps what was written. */
export class FakeOutput implements TextOutput {
  readonly isTTY: boolean;
  columns: number;
  text = '';

  constructor(options: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
    this.isTTY = options.isTTY ?? false;
    this.columns = options.columns ?? 80;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  /** What was written since the last call. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  /** What a terminal would show: a carriage return goes back to the line's beginning, and erasing empties it. */
  get screen(): string[] {
    return this.text.split('\n').map((line) => line.slice(line.lastIndexOf('\x1b[K') + 1).replace(/^\[K/, ''));
  }
}

/** A clock that stands still until told. */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ readonly every: number; next: number; readonly callback: () => void }>();

  constructor(now = Date.parse('2026-11-22T12:00:00Z')) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  every(milliseconds: number, callback: () => void): () => void {
    const timer = { every: milliseconds, next: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Timers that still run. */
  get running(): number {
    return this.#timers.size;
  }

  /** Lets time pass; timers fire in their order. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const [due] = [...this.#timers].filter(({ next }) => next <= end).sort((a, b) => a.next - b.next);
      if (due === undefined) break;
      this.#now = due.next;
      due.next += due.every;
      due.callback();
    }
    this.#now = end;
  }
}
