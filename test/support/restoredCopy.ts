import { execFile } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { planRestore, type RestoreParameters } from '../../server/src/engine/restore/planRestore.ts';
import type { RestorePlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import type { StartedCopy } from '../../server/src/engine/restore/startCopy.ts';
import { stopPostmaster } from '../../server/src/postgres/postmaster.ts';
import { isPostmasterOf, readPostmasterPid } from '../../server/src/postgres/postmasterPid.ts';
import { superuser } from './dataDirectoryTemplate.ts';
import { endWithProcess } from './endWithProcess.ts';
import { engineContext } from './engineContext.ts';
import { serverBinaries } from './postgresBinaries.ts';
import { signalIfAlive } from './processes.ts';
import { temporaryDirectory, type TemporaryDirectory } from './temporaryDirectory.ts';
import type { TestRepository } from './testRepository.ts';
import type { Row } from './testServer.ts';

/** What a test says of a restore; the rest is usual. */
export type RestoreWishes = Partial<Omit<RestoreParameters, 'repository' | 'instance'>>;

/** A directory whose `data` a backup is restored to; what runs there ends with the scope, or with the process. */
export class RestorePlace implements AsyncDisposable {
  readonly #home: TemporaryDirectory;
  readonly #withdraw: () => void;
  #pid: number | undefined;
  readonly #targets = new Set<string>();

  private constructor(home: TemporaryDirectory) {
    this.#home = home;
    this.#withdraw = endWithProcess(() => {
      if (this.#pid !== undefined) signalIfAlive(this.#pid, 'SIGKILL');
    });
  }

  static async create(): Promise<RestorePlace> {
    return new RestorePlace(await temporaryDirectory('restored', { forServer: true }));
  }

  /** Belongs to the account of PostgreSQL's processes. */
  get directory(): string {
    return this.#home.path;
  }

  get dataDirectory(): string {
    return join(this.#home.path, 'data');
  }

  /** Plans the restore of the newest backup to `dataDirectory`, unless the wishes name another place. */
  async plan(
    { repository, instance }: TestRepository,
    major: number,
    wishes: RestoreWishes = {},
  ): Promise<RestorePlan> {
    const binaries = await serverBinaries(major);
    const plan = await planRestore(
      {
        repository,
        instance,
        targetDirectory: this.dataDirectory,
        tablespaceMapping: new Map(),
        startResources: { serverBinaries: binaries === undefined ? [] : [binaries.bin], containerCommand: [] },
        ...wishes,
      },
      engineContext(),
    );
    this.#targets.add(plan.targetDirectory);
    return plan;
  }

  /** Restores and starts the newest backup. */
  async start(from: TestRepository, major: number, wishes: RestoreWishes = {}): Promise<RestoredCopy> {
    return this.run(await this.plan(from, major, { start: { promote: false }, ...wishes }));
  }

  /** Executes a plan with a start. */
  async run(plan: RestorePlan): Promise<RestoredCopy> {
    const { started } = await runRestore(plan, engineContext());
    if (started === undefined) throw new Error('The restore started nothing.');
    this.#pid = (await readPostmasterPid(plan.targetDirectory))?.pid;
    return new RestoredCopy(plan, started);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const options = { signal: new AbortController().signal, timeoutMs: 30_000 };
    for (const target of this.#targets) await stopPostmaster(target, 'immediate', options);
    this.#withdraw();
    await this.#home[Symbol.asyncDispose]();
  }
}

/** A restored copy that runs, asked over TCP with the original's password. */
export class RestoredCopy {
  readonly plan: RestorePlan;
  readonly started: StartedCopy;

  constructor(plan: RestorePlan, started: StartedCopy) {
    this.plan = plan;
    this.started = started;
  }

  /** A connection, which the caller ends. */
  async connect(database = 'postgres', changes: pg.ClientConfig = {}): Promise<pg.Client> {
    const { port } = this.started;
    const client = new pg.Client({ host: '127.0.0.1', port, ...superuser, database, ssl: false, ...changes });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /** The rows of one statement. */
  async sql(text: string, database = 'postgres'): Promise<Row[]> {
    const client = await this.connect(database);
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** The first column of the first row, as text. */
  async value(text: string, database = 'postgres'): Promise<string> {
    return String(Object.values((await this.sql(text, database))[0] ?? {})[0]);
  }

  /** Whether its postmaster runs. */
  async isRunning(): Promise<boolean> {
    const file = await readPostmasterPid(this.plan.targetDirectory);
    return file !== undefined && isPostmasterOf(file.pid, this.plan.targetDirectory);
  }

  /** Stops it as the user is told to. */
  async stopAsTold(): Promise<void> {
    await promisify(execFile)('sh', ['-c', this.started.stopCommand]);
  }
}

/** Mode bits and owner of everything below a directory and of itself, links left out; names as bytes in latin1. */
export async function modesBelow(directory: string): Promise<{ name: string; mode: string; uid: number }[]> {
  const found: { name: string; mode: string; uid: number }[] = [];
  const visit = async (path: Buffer): Promise<void> => {
    const status = await lstat(path);
    if (!status.isDirectory() && !status.isFile()) return;
    const kind = status.isDirectory() ? 'directory' : 'file';
    found.push({
      name: path.toString('latin1'),
      mode: `${kind} ${(status.mode & 0o7777).toString(8)}`,
      uid: status.uid,
    });
    if (!status.isDirectory()) return;
    for (const name of await readdir(path, { encoding: 'buffer' })) {
      await visit(Buffer.concat([path, Buffer.from('/'), name]));
    }
  };
  await visit(Buffer.from(directory));
  return found;
}
