import type { ConnectionProfile } from '../postgres/connectionProfile.ts';
import type { BackupParameters } from '../engine/backup/runningBackup.ts';
import type { RestoreParameters } from '../engine/restore/planRestore.ts';

/** A connection profile that can be written down: its secrets are asked for over IPC when they are needed. */
export type WrittenProfile = Omit<ConnectionProfile, 'password' | 'sslKeyPassword'>;

/** What a job process shall do: plain JSON, without secrets, so that it can be sent, listed and kept. */
export type JobSpecification =
  | ({
      readonly operation: 'backup';
      /** Directory of the repository. */
      readonly repository: string;
      readonly profile: WrittenProfile;
    } & Omit<BackupParameters, 'repository' | 'profile'>)
  | {
      readonly operation: 'verify';
      readonly repository: string;
      readonly instance: string;
      readonly id?: string;
    }
  | ({
      readonly operation: 'restore';
      readonly repository: string;
      /** Old location to new location. */
      readonly tablespaceMapping: Readonly<Record<string, string>>;
    } & Omit<RestoreParameters, 'repository' | 'tablespaceMapping'>);

/** The profile without its secrets. */
export function withoutSecrets(profile: ConnectionProfile): WrittenProfile {
  const { password, sslKeyPassword, ...written } = profile;
  return written;
}
