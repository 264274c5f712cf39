import { toPointbackError } from '../api/errors.ts';
import type { OperationContext } from '../engine/context.ts';
import { Secret, type PasswordSource } from '../postgres/secret.ts';
import type { FromJob, ToJob } from './jobMessages.ts';
import { runJobOperation } from './jobOperations.ts';
import type { JobSpecification } from './jobSpecification.ts';

/*
 * The entry of a job's process. It outlives whoever started it: when that one is gone the operation goes on, without
 * anybody to ask for passwords. The exit code is the operation's, for whoever finds the process later.
 */

const cancellation = new AbortController();

/** Resolves once the message is on its way, or nobody is there to get it. */
function tell(message: FromJob): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send !== undefined)
      process.send(message, undefined, undefined, () => {
        resolve();
      });
    else resolve();
  });
}

/** Asks whoever started the job, at every connection anew: the answer is kept nowhere. */
class AskedPasswords implements PasswordSource {
  readonly #waiting = new Map<number, (value: string | null) => void>();
  #questions = 0;

  password(request: Parameters<PasswordSource['password']>[0]): Promise<Secret | undefined> {
    if (!process.connected) return Promise.resolve(undefined);
    this.#questions += 1;
    const question = this.#questions;
    return new Promise((resolve) => {
      this.#waiting.set(question, (value) => {
        resolve(value === null ? undefined : new Secret(value));
      });
      void tell({ kind: 'password-wanted', question, request });
    });
  }

  answer(question: number, value: string | null): void {
    this.#waiting.get(question)?.(value);
    this.#waiting.delete(question);
  }

  nobodyLeft(): void {
    for (const question of [...this.#waiting.keys()]) this.answer(question, null);
  }
}

const passwords = new AskedPasswords();

async function run(specification: JobSpecification): Promise<void> {
  const context: OperationContext = {
    signal: cancellation.signal,
    progress: (event) => {
      void tell({ kind: 'progress', event });
    },
    log: (level, message) => {
      void tell({ kind: 'log', level, message });
    },
    secrets: passwords,
  };
  try {
    await tell({ kind: 'done', result: await runJobOperation(specification, context) });
  } catch (error) {
    const known = toPointbackError(error);
    await tell({ kind: 'failed', error: known.toJSON() });
    process.exitCode = known.exitCode;
  } finally {
    // The channel alone would keep the process alive.
    if (process.connected) process.disconnect();
  }
}

const cancel = (): void => {
  cancellation.abort();
};
process.once('SIGTERM', cancel);
process.once('SIGINT', cancel);
process.once('disconnect', () => {
  passwords.nobodyLeft();
});
process.on('message', (message: ToJob) => {
  switch (message.kind) {
    case 'run':
      void run(message.specification);
      return;
    case 'cancel':
      cancel();
      return;
    case 'password':
      passwords.answer(message.question, message.value);
  }
});
void tell({ kind: 'ready' });
