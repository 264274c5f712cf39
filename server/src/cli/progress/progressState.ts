import type { Phase, ProgressEvent } from '../../api/progress.ts';

/** What is known of an operation at one moment, for whoever draws it. */
export interface ProgressSnapshot {
  readonly phase: Phase;
  /** Milliseconds since the phase began. */
  readonly elapsedMs: number;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  /** Bytes per second of the last seconds. */
  readonly rate?: number;
  /** Milliseconds to the end of the phase at that rate. */
  readonly restMs?: number;
  readonly detail?: string;
}

/** How far back the rate looks: long enough to be calm, short enough to show a stall. */
const rateWindowMs = 10_000;
/** Less than this says nothing about a rate. */
const leastRateMs = 2_000;

/** Follows the events of one operation: when its phases began, and how fast it goes. */
export class ProgressState {
  #event: ProgressEvent | undefined;
  #phaseBegan = 0;
  #samples: { readonly at: number; readonly bytes: number }[] = [];

  /** Takes an event; tells whether it begins a phase. */
  update(event: ProgressEvent, now: number): boolean {
    const begins = event.phase !== this.#event?.phase;
    if (begins) {
      this.#phaseBegan = now;
      this.#samples = [];
    }
    this.#event = event;
    if (event.doneBytes !== undefined) this.#sample(event.doneBytes, now);
    return begins;
  }

  /** What is known now; undefined before the first event. */
  snapshot(now: number): ProgressSnapshot | undefined {
    if (this.#event === undefined) return undefined;
    const rate = this.#rate(now);
    const { phase, doneBytes, totalBytes, detail } = this.#event;
    const rest = rate === undefined || totalBytes === undefined ? undefined : totalBytes - (doneBytes ?? 0);
    return {
      phase,
      elapsedMs: now - this.#phaseBegan,
      ...(doneBytes === undefined ? {} : { doneBytes }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(rate === undefined ? {} : { rate }),
      ...(rest === undefined || rest < 0 || rate === undefined || rate <= 0 ? {} : { restMs: (rest / rate) * 1000 }),
      ...(detail === undefined ? {} : { detail }),
    };
  }

  #sample(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    // Four samples a second are enough, and bound the memory however many events come.
    if (last !== undefined && now - last.at < 250) return;
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - (this.#samples[1]?.at ?? now) >= rateWindowMs) this.#samples.shift();
  }

  #rate(now: number): number | undefined {
    const [first] = this.#samples;
    const done = this.#event?.doneBytes;
    if (first === undefined || done === undefined || now - first.at < leastRateMs) return undefined;
    return ((done - first.bytes) / (now - first.at)) * 1000;
  }
}
