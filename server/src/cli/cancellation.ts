import { PointbackError } from '../api/errors.ts';

/** Signals that ask a process to end; SIGHUP comes when a terminal closes, SIGBREAK is Windows' Ctrl-Break. */
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const;

/** A process' signals, or a test's. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

/** How a command line is cancelled. */
export interface Cancellation {
  /** Fires at the first Ctrl-C or SIGTERM, with `operation.cancelled` as its reason. */
  readonly signal: AbortSignal;
  /** Does what Ctrl-C does. */
  readonly interrupt: () => void;
  readonly dispose: () => void;
}

/**
 * Turns the signals that end a process into a cancellation: the first fires the AbortSignal and calls `announce`, the second
 * calls `exitNow`.
 */
export function listenForCancellation(
  source: SignalSource,
  { announce, exitNow }: { readonly announce: () => void; readonly exitNow: () => void },
): Cancellation {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) {
      exitNow();
      return;
    }
    // First, so that a prompt has closed its line before anything is written.
    controller.abort(new PointbackError('operation.cancelled', { message: 'The operation was cancelled.' }));
    announce();
  };
  for (const ending of endings) source.on(ending, interrupt);
  return {
    signal: controller.signal,
    interrupt,
    dispose: () => {
      for (const ending of endings) source.off(ending, interrupt);
    },
  };
}
