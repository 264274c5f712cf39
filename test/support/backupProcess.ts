import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SerializedError } from '../../server/src/api/errors.ts';
import type { WrittenProfile } from '../../server/src/jobs/jobSpecification.ts';
import { signalIfAlive } from './processes.ts';

/** A backup in a process of its own whose store misbehaves; plain JSON. */
export interface BackupProcessOrder {
  readonly repository: string;
  readonly instance: string;
  readonly profile: WrittenProfile;
  readonly password: string;
  /** The call that never comes back: `moment` as `slowStore` names it, and what the key ends with. */
  readonly hangAt?: { readonly moment: string; readonly key: string };
  /** The changing call, from 1, that fails, and all later ones unless `once`. */
  readonly failOn?: { readonly n: number; readonly once: boolean };
}

/** What the process tells. */
export type BackupProcessNews =
  | { readonly kind: 'hangs' }
  | { readonly kind: 'done'; readonly id: string; readonly calls: number }
  | { readonly kind: 'failed'; readonly error: SerializedError };

/** A running process. */
export interface BackupProcess {
  /** The next thing it tells. Rejects when it ends without a word. */
  readonly news: Promise<BackupProcessNews>;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
}

/** Takes a backup in a process of its own, under the policy store, with a store that hangs or fails as ordered. */
export function startBackupProcess(order: BackupProcessOrder): BackupProcess {
  const child = fork(fileURLToPath(new URL('./backupProcessEntry.ts', import.meta.url)), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  child.send(order);
  return {
    news: new Promise((resolve, reject) => {
      child.once('message', (news: BackupProcessNews) => {
        resolve(news);
      });
      child.once('error', reject);
      void gone.then(() => {
        reject(new Error('The process ended without a word.'));
      });
    }),
    kill: async () => {
      if (child.pid !== undefined) signalIfAlive(child.pid, 'SIGKILL');
      await gone;
    },
  };
}
