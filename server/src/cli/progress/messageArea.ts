import type { ProgressEvent } from '../../api/progress.ts';
import { columnsOf } from '../terminal.ts';
import type { Clock, TextOutput } from '../terminal.ts';
import { ProgressState } from './progressState.ts';
import { progressLine, progressLogLine } from './progressText.ts';

const redrawMs = 200;
const logLineMs = 5_000;
const clearLine = '\r\x1b[K';

/**
 * Owns standard error: everything that goes there passes here, so that lines and the progress line never mix. On a terminal
 * progress is one line that is redrawn; elsewhere a line at the start of each phase and one every few seconds.
 */
export class MessageArea {
  readonly #output: TextOutput;
  readonly #clock: Clock;
  readonly #redraws: boolean;
  #state = new ProgressState();
  #stopTimer: (() => void) | undefined;
  #drawn = false;
  #held = false;
  #lastLogged = '';

  constructor(output: TextOutput, clock: Clock, redraws: boolean) {
    this.#output = output;
    this.#clock = clock;
    this.#redraws = redraws;
  }

  /** Writes a line of text above the progress line. */
  line(text: string): void {
    this.#erase();
    this.#output.write(`${text}\n`);
    this.#draw();
  }

  /** Takes a step of the operation's progress. */
  progress(event: ProgressEvent): void {
    const begins = this.#state.update(event, this.#clock.now());
    this.#stopTimer ??= this.#clock.every(this.#redraws ? redrawMs : logLineMs, () => {
      this.#show();
    });
    if (begins) this.#show();
  }

  /** Ends the progress of an operation: its line disappears, and the next operation begins afresh. */
  endProgress(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#erase();
    this.#state = new ProgressState();
    this.#lastLogged = '';
  }

  /** Keeps the progress line away while someone is asked something. */
  async whileHeld<T>(ask: () => Promise<T>): Promise<T> {
    this.#erase();
    this.#held = true;
    try {
      return await ask();
    } finally {
      this.#held = false;
      this.#draw();
    }
  }

  #show(): void {
    if (this.#redraws) this.#draw();
    else this.#log();
  }

  #draw(): void {
    const snapshot = this.#redraws && !this.#held && this.#stopTimer !== undefined ? this.#snapshot() : undefined;
    if (snapshot === undefined) return;
    // One column stays free: a full last column makes some terminals wrap.
    this.#output.write(`${clearLine}${progressLine(snapshot, columnsOf(this.#output) - 1)}`);
    this.#drawn = true;
  }

  #log(): void {
    const snapshot = this.#snapshot();
    if (snapshot === undefined || this.#held) return;
    const line = progressLogLine(snapshot);
    if (line !== this.#lastLogged) this.#output.write(`${line}\n`);
    this.#lastLogged = line;
  }

  #snapshot() {
    return this.#state.snapshot(this.#clock.now());
  }

  #erase(): void {
    if (this.#drawn) this.#output.write(clearLine);
    this.#drawn = false;
  }
}
