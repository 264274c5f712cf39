import type { ProgressEvent } from '../api/progress.ts';
import type { PasswordSource } from '../postgres/secret.ts';

/** Levels of the log, least urgent first. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** Takes one line of the operation's log; never a secret. */
export type Log = (level: LogLevel, message: string) => void;

/** What every engine operation gets from whoever runs it: command line, job process, agent or test. */
export interface OperationContext {
  /** Ends the operation. Nothing is written after it fires, except the removal of what was unfinished. */
  readonly signal: AbortSignal;
  readonly progress: (event: ProgressEvent) => void;
  readonly log: Log;
  readonly secrets: PasswordSource;
}
