import type { SerializedError } from '../api/errors.ts';
import type { ProgressEvent } from '../api/progress.ts';
import type { LogLevel } from '../engine/context.ts';
import type { PasswordRequest } from '../postgres/secret.ts';
import type { JobResult } from './jobOperations.ts';
import type { JobSpecification } from './jobSpecification.ts';

/** From whoever started the job to its process. */
export type ToJob =
  | { readonly kind: 'run'; readonly specification: JobSpecification }
  | { readonly kind: 'cancel' }
  /** The answer to `password-wanted`; null when there is none. The only message that carries a secret. */
  | { readonly kind: 'password'; readonly question: number; readonly value: string | null };

/** From the job's process to whoever started it. */
export type FromJob =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly event: ProgressEvent }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly kind: 'password-wanted'; readonly question: number; readonly request: PasswordRequest }
  | { readonly kind: 'done'; readonly result: JobResult }
  | { readonly kind: 'failed'; readonly error: SerializedError };
