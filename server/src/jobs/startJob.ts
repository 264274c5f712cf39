import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PointbackError } from '../api/errors.ts';
import type { ProgressEvent } from '../api/progress.ts';
import type { Log } from '../engine/context.ts';
import type { PasswordSource } from '../postgres/secret.ts';
import type { FromJob, ToJob } from './jobMessages.ts';
import type { JobResult } from './jobOperations.ts';
import type { JobSpecification } from './jobSpecification.ts';

/** Who listens to a job. */
export interface JobListener {
  readonly progress: (event: ProgressEvent) => void;
  readonly log: Log;
  /** Asked whenever the job connects and has no password of its own. */
  readonly secrets: PasswordSource;
}

/** A job in a process of its own. */
export interface RunningJob {
  readonly processId: number;
  /** Resolves with the result. Rejects with the operation's error, or `job.died` when the process ended without one. */
  readonly result: Promise<JobResult>;
  /** Asks the operation to end and clean up; `result` tells when it has. */
  cancel(): void;
}

/** Where the process's entry lies: beside this file in the sources, beside the bundle in a build. */
function jobEntry(): string {
  return fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? './jobProcess.ts' : './jobProcess.js', import.meta.url),
  );
}

/**
 * Runs an operation in a process of its own, which goes on when this one ends. Secrets reach it only when it asks, over
 * its IPC channel.
 */
export function startJob(specification: JobSpecification, listener: JobListener): RunningJob {
  const child = fork(jobEntry(), [], { detached: true, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const over = new AbortController();
  const send = (message: ToJob): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  let lastWords = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-2000);
  });
  const result = new Promise<JobResult>((resolve, reject) => {
    child.on('message', (message: FromJob) => {
      switch (message.kind) {
        case 'ready':
          send({ kind: 'run', specification });
          return;
        case 'progress':
          listener.progress(message.event);
          return;
        case 'log':
          listener.log(message.level, message.message);
          return;
        case 'password-wanted':
          listener.secrets.password(message.request, over.signal).then(
            (secret) => {
              send({ kind: 'password', question: message.question, value: secret?.reveal() ?? null });
            },
            () => {
              send({ kind: 'password', question: message.question, value: null });
            },
          );
          return;
        case 'done':
          resolve(message.result);
          return;
        case 'failed':
          reject(PointbackError.revive(message.error));
      }
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over.abort();
      reject(
        new PointbackError('job.died', {
          message: `The process of the ${specification.operation} ended ${signal === null ? `with code ${String(code)}` : `by ${signal}`} before it was done.`,
          cause: lastWords === '' ? undefined : new Error(lastWords),
          details: { code, signal },
        }),
      );
    });
  });
  return {
    processId: child.pid ?? 0,
    result,
    cancel: () => {
      send({ kind: 'cancel' });
    },
  };
}
