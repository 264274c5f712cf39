import type { Phase, ProgressEvent } from '../../server/src/api/progress.ts';
import type { OperationContext } from '../../server/src/engine/context.ts';
import { engineContext } from './engineContext.ts';

/** A context that tells when an operation has come to a phase, and in it to its first byte where it counts bytes. */
export interface WatchedContext extends OperationContext {
  /** Resolves at the first event of that phase with bytes done; `bytes` false: at its first event. */
  reached(phase: Phase, bytes?: boolean): Promise<void>;
}

interface Wait {
  readonly phase: Phase;
  readonly bytes: boolean;
  readonly resolve: () => void;
}

/** What an operation gets from a test that wants to act in the middle of it. */
export function watchedContext(signal?: AbortSignal): WatchedContext {
  const seen: ProgressEvent[] = [];
  const waits: Wait[] = [];
  const fits = ({ phase, bytes }: Omit<Wait, 'resolve'>, event: ProgressEvent): boolean =>
    event.phase === phase && (!bytes || (event.doneBytes ?? 0) > 0);
  return {
    ...engineContext(signal),
    progress: (event) => {
      seen.push(event);
      for (const wait of waits) if (fits(wait, event)) wait.resolve();
    },
    reached: (phase, bytes = true) =>
      new Promise((resolve) => {
        if (seen.some((event) => fits({ phase, bytes }, event))) resolve();
        else waits.push({ phase, bytes, resolve });
      }),
  };
}

/** Runs an operation and does something in the middle of it; resolves to, or rejects with, what the operation does. */
export async function inTheMiddle<T>(running: Promise<T>, middle: Promise<unknown>, act: () => unknown): Promise<T> {
  running.catch(() => undefined);
  const ended = await Promise.race([middle.then(() => false), running.then(() => true)]);
  if (ended) throw new Error('It ended before its middle was seen.');
  await act();
  return running;
}
