import assert from 'node:assert/strict';
import { readdir, readlink, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { inspect } from 'node:util';
import { toPointbackError, type ErrorCode, type PointbackError } from '../../server/src/api/errors.ts';
import type { OperationContext } from '../../server/src/engine/context.ts';
import { runBackup } from '../../server/src/engine/backup/runBackup.ts';
import type { BackupOutcome, BackupParameters } from '../../server/src/engine/backup/runningBackup.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { withoutSecrets } from '../../server/src/jobs/jobSpecification.ts';
import type { ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import { listBackups } from '../../server/src/repository/catalog.ts';
import { openRepository, type Repository } from '../../server/src/repository/repository.ts';
import { policyStore } from '../faults/policyStore.ts';
import type { BackupProcessOrder } from './backupProcess.ts';
import { profileOf } from './checking.ts';
import { engineContext } from './engineContext.ts';
import { startServer, type ServerOptions } from './postgresServer.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporaryDirectory.ts';
import type { TestServer } from './testServer.ts';
import { waitFor } from './waitFor.ts';

/** A row of the marker table; its text is found in the table's file and nowhere before it in a backup. */
export const marker = 'POINTBACK-MARKER-6f1d0c';

const setUp = `
CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw';
CREATE TABLE marked AS SELECT '${marker}'::text AS word;
`;

/** Every file below a directory with its size, relative to it; a missing directory has none. */
export async function filesBelow(directory: string): Promise<Map<string, number>> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = new Map<string, number>();
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size !== undefined) files.set(relative(directory, path), size);
  }
  return new Map([...files].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Files below a directory that this process has not closed. Only Linux can tell; elsewhere none. */
export async function openBelow(directory: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const paths = await Promise.all(descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return paths.filter((path) => path.startsWith(`${directory}/`));
}

/** A server with one backup of it in a repository, for tests of what happens when the next one fails. */
export class Scene implements AsyncDisposable {
  readonly server: TestServer;
  /** Every engine call goes through the policy store. */
  readonly repository: Repository;
  readonly instance = 'shop';
  readonly #directory: TemporaryDirectory;

  private constructor(server: TestServer, repository: Repository, directory: TemporaryDirectory) {
    this.server = server;
    this.repository = repository;
    this.#directory = directory;
  }

  /** @param disk where the repository goes; the usual temporary place unless told. */
  static async open(options: ServerOptions, disk?: string): Promise<Scene> {
    const server = await startServer(options);
    await server.sql(setUp);
    const directory = await temporaryDirectory('repository');
    const opened = await openRepository(join(disk ?? directory.path, 'repository'), { create: true });
    const scene = new Scene(server, { ...opened, store: policyStore(opened.store) }, directory);
    await scene.backup();
    return scene;
  }

  /** Parameters of a backup by the role `backup`, as fast as it goes unless told. */
  parameters(changes: Partial<BackupParameters> = {}, connection: ConnectionParts = {}): BackupParameters {
    return {
      repository: this.repository,
      instance: this.instance,
      profile: profileOf(this.server, { database: 'postgres', ...connection }),
      checkpoint: 'fast',
      compression: { method: 'zstd', level: 1 },
      ...changes,
    };
  }

  backup(changes: Partial<BackupParameters> = {}, context: OperationContext = engineContext()): Promise<BackupOutcome> {
    return runBackup(this.parameters(changes), context);
  }

  /** What a backup in a process of its own is told. */
  order(): BackupProcessOrder {
    const { repository, instance } = this;
    const profile = withoutSecrets(this.parameters().profile);
    return { repository: repository.location, instance, profile, password: 'pw' };
  }

  /** Ids of the backups, newest first. */
  async ids(): Promise<string[]> {
    return (await listBackups(this.repository, this.instance)).map(({ record }) => record.id);
  }

  /** Every file of the repository with its size, locks and unfinished ones included. */
  files(): Promise<Map<string, number>> {
    return filesBelow(this.repository.location);
  }

  /** The server serves nobody any more: no walsender, no slot. */
  async assertServerIsFree(): Promise<void> {
    await waitFor('the server has neither walsenders nor slots left', async () => {
      const [row] = await this.server.sql(
        'SELECT (SELECT count(*) FROM pg_stat_replication)::int + (SELECT count(*) FROM pg_replication_slots)::int AS left',
      );
      return row?.['left'] === 0;
    });
  }

  /**
   * Runs what must fail with one of the codes, and makes sure that it left the repository as it was, file by file, with
   * no lock. Resolves to the error, whose words the caller may look at.
   */
  async assertFails(codes: ErrorCode | readonly ErrorCode[], run: () => Promise<unknown>): Promise<PointbackError> {
    const before = await this.files();
    const error = await failure(run());
    assertCode(error, codes);
    assert.deepEqual(await this.files(), before);
    assert.deepEqual(await openBelow(this.repository.location), []);
    return error;
  }

  /** What every failure must leave behind: a free server, the newest backup valid, and the next backup possible. */
  async assertWorks(): Promise<BackupOutcome> {
    await this.assertServerIsFree();
    const { verification } = await verifyBackup(this, engineContext());
    assert.deepEqual(verification.problems, []);
    const idsBefore = await this.ids();
    const outcome = await this.backup();
    assert.deepEqual(await this.ids(), [outcome.record.id, ...idsBefore]);
    await this.assertServerIsFree();
    await this.assertOnlyCommitted();
    assert.deepEqual(await openBelow(this.repository.location), []);
    return outcome;
  }

  /** There is nothing in the repository but whole backups and what describes them. */
  async assertOnlyCommitted(): Promise<void> {
    const known = new Set(await this.ids());
    const strange = [...(await this.files()).keys()].filter((path) => {
      const [, id] = /^shop\/backups\/([^/]+)\//.exec(path) ?? [];
      return id === undefined ? !['repository.json', 'shop/instance.json'].includes(path) : !known.has(id);
    });
    assert.deepEqual(strange, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** What a promise is rejected with, as the user would be told of it. */
export async function failure(promise: Promise<unknown>): Promise<PointbackError> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    return toPointbackError(error);
  }
  throw new assert.AssertionError({ message: `It succeeded: ${inspect(result).slice(0, 500)}` });
}

/** One of the codes, a whole sentence, and what to do next. */
export function assertCode(error: PointbackError, codes: ErrorCode | readonly ErrorCode[]): void {
  const wanted: readonly string[] = typeof codes === 'string' ? [codes] : codes;
  assert.ok(
    wanted.includes(error.code),
    `${error.code}, not ${wanted.join(' or ')}: ${error.stack ?? ''}\n${String(error.cause)}`,
  );
  assert.match(error.message, /^\S.{15,}$/s);
  assert.match(error.remedy, /.{15,}/s);
  assert.doesNotMatch(JSON.stringify(error), /\bpw\b|\[object|undefined/);
}
