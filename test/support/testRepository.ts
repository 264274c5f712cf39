import { join } from 'node:path';
import { runBackup } from '../../server/src/engine/backup/runBackup.ts';
import type { BackupOutcome, BackupParameters } from '../../server/src/engine/backup/runningBackup.ts';
import type { OperationContext } from '../../server/src/engine/context.ts';
import { connectionProfile, type ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import { openRepository, type Repository } from '../../server/src/repository/repository.ts';
import { policyStore } from '../faults/policyStore.ts';
import { engineContext } from './engineContext.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporaryDirectory.ts';
import type { TestServer } from './testServer.ts';

/** A repository of a test's own; every engine call on it goes through the policy store. */
export class TestRepository implements AsyncDisposable {
  readonly repository: Repository;
  readonly instance = 'shop';
  readonly #directory: TemporaryDirectory;

  private constructor(repository: Repository, directory: TemporaryDirectory) {
    this.repository = repository;
    this.#directory = directory;
  }

  static async create(): Promise<TestRepository> {
    const directory = await temporaryDirectory('repository');
    const opened = await openRepository(join(directory.path, 'repository'), { create: true });
    return new TestRepository({ ...opened, store: policyStore(opened.store) }, directory);
  }

  /** Backs a server up as its superuser, unless `connection` says otherwise, as fast as it goes. */
  backup(
    server: TestServer,
    changes: Partial<BackupParameters> = {},
    connection: ConnectionParts = {},
    context: OperationContext = engineContext(),
  ): Promise<BackupOutcome> {
    const { host, port, user, password } = server;
    return runBackup(
      {
        repository: this.repository,
        instance: this.instance,
        profile: connectionProfile(
          { host, port, user, password: new Secret(password), ...connection },
          { HOME: server.directory },
        ),
        checkpoint: 'fast',
        compression: { method: 'zstd', level: 1 },
        ...changes,
      },
      context,
    );
  }

  /** The folder of a backup's archives and manifest. */
  dataFolder({ record }: BackupOutcome): string {
    return join(this.repository.location, this.instance, 'backups', record.id, 'data');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}
