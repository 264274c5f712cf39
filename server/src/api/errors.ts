import { errorTable } from './errorTable.ts';

/** The stable identity of an error: a key of the error table, a heading of `docs/errors.md`. */
export type ErrorCode = keyof typeof errorTable;

/** What an error may carry beyond its code. */
export interface ErrorFacts {
  /** What happened, in the words of the user's situation: a sentence without trailing detail dumps. */
  readonly message: string;
  /** What to do next, when it can be said more precisely than the table's general remedy. */
  readonly remedy?: string;
  /** The underlying error, for logs. Never shown as the message. */
  readonly cause?: unknown;
  /** Facts a program may want (`--json`, buttons): plain JSON, no secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** How an error travels: over IPC, in `--json` output, in job records. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly exitCode: number;
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * The only kind of error the user is meant to see. Its code decides the exit code and the manual page; its message says
 * what happened and its remedy what to do next.
 */
export class PointbackError extends Error {
  override readonly name = 'PointbackError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly details: ErrorFacts['details'];

  constructor(code: ErrorCode, facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.remedy = facts.remedy ?? errorTable[code].remedy;
    this.details = facts.details;
  }

  /** The exit code of the command line for this error (1 failed, 2 usage, 3 done but found problems). */
  get exitCode(): number {
    return errorTable[this.code].exitCode;
  }

  /** A plain value for IPC and `--json`, without stack and cause. */
  toJSON(): SerializedError {
    return {
      code: this.code,
      message: this.message,
      remedy: this.remedy,
      exitCode: this.exitCode,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  /** The error a peer process serialized with `toJSON`. */
  static revive(serialized: SerializedError): PointbackError {
    return new PointbackError(serialized.code, {
      message: serialized.message,
      remedy: serialized.remedy,
      ...(serialized.details === undefined ? {} : { details: serialized.details }),
    });
  }
}

/** Whether `error` is a PointbackError, of the given code when one is named. */
export function isPointbackError(error: unknown, code?: ErrorCode): error is PointbackError {
  return error instanceof PointbackError && (code === undefined || error.code === code);
}

/**
 * The one place where anything thrown becomes what a user sees. Whatever is not a PointbackError is a fault of ours and
 * says so; an AbortError is a cancellation.
 */
export function toPointbackError(error: unknown): PointbackError {
  if (error instanceof PointbackError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new PointbackError('operation.cancelled', { message: 'The operation was cancelled.', cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new PointbackError('internal.unexpected', { message: `Something unexpected happened: ${text}`, cause: error });
}
