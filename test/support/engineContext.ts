import type { ProgressEvent } from '../../server/src/api/progress.ts';
import type { LogLevel, OperationContext } from '../../server/src/engine/context.ts';

/** A context that remembers what an operation told. */
export interface RecordingContext extends OperationContext {
  readonly events: readonly ProgressEvent[];
  readonly lines: readonly { readonly level: LogLevel; readonly message: string }[];
}

/** What an engine operation gets from a test; nobody is there to ask for a password. */
export function engineContext(signal = new AbortController().signal): RecordingContext {
  const events: ProgressEvent[] = [];
  const lines: { level: LogLevel; message: string }[] = [];
  return {
    signal,
    events,
    lines,
    progress: (event) => {
      events.push(event);
    },
    log: (level, message) => {
      lines.push({ level, message });
    },
    secrets: { password: () => Promise.resolve(undefined) },
  };
}
