import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { appendFile, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { TestCertificates } from './certificates.ts';
import { serverEnvironment, superuser } from './dataDirectoryTemplate.ts';
import { endWithProcess } from './endWithProcess.ts';
import type { TestBinaries } from './postgresBinaries.ts';
import { childProcesses, isRunning, signalIfAlive } from './processes.ts';
import type { TemporaryDirectory } from './temporaryDirectory.ts';
import { giveToServer, spawnIdentity } from './unprivileged.ts';
import { waitFor } from './waitFor.ts';

/** A row of `TestServer.sql`, by column name. */
export type Row = Record<string, unknown>;

/** Lines of postgresql.conf by name; values are quoted as needed. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

/** How `stop` ends the server, as pg_ctl's modes. */
const stopSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

function settingLine(name: string, value: string | number | boolean): string {
  const text = typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
  return `${name} = '${text.replaceAll("'", "''")}'\n`;
}

/**
 * A PostgreSQL server of a test. `await using` ends it and removes its directory, whatever the test does; it does not
 * outlive the test process either.
 */
export class TestServer implements AsyncDisposable {
  readonly major: number;
  readonly binaries: TestBinaries;
  readonly port: number;
  readonly host = '127.0.0.1';
  readonly user: string = superuser.user;
  readonly password: string = superuser.password;
  /** Holds the data directory, the log and whatever else the server may write to. */
  readonly directory: string;
  readonly dataDirectory: string;
  /** Present when the server was started with `tls`. */
  readonly certificates: TestCertificates | undefined;
  #process: ChildProcess | undefined;
  readonly #home: TemporaryDirectory;
  readonly #withdraw: () => void;

  /** Use `startServer`. */
  constructor(
    binaries: TestBinaries,
    port: number,
    home: TemporaryDirectory,
    certificates: TestCertificates | undefined,
  ) {
    this.binaries = binaries;
    this.major = binaries.major;
    this.port = port;
    this.#home = home;
    this.directory = home.path;
    this.dataDirectory = join(home.path, 'data');
    this.certificates = certificates;
    this.#withdraw = endWithProcess(() => {
      if (this.pid !== undefined) signalIfAlive(this.pid, 'SIGKILL');
    });
  }

  /** The directory of the server's programs. */
  get bin(): string {
    return this.binaries.bin;
  }

  /** Process id of the postmaster; undefined while the server is down. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** A connection URL; the password is the superuser's unless told. */
  url(user = this.user, database = 'postgres', password = this.password): string {
    const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
    return `postgresql://${credentials}@${this.host}:${this.port}/${encodeURIComponent(database)}`;
  }

  /** Runs one or more statements on a connection of their own, as the superuser; resolves to the last one's rows. */
  async sql(text: string, database = 'postgres'): Promise<Row[]> {
    const client = await this.connect(database);
    try {
      // Several statements give several results, which the library's types do not say.
      const result = (await client.query(text)) as pg.QueryResult<Row> | pg.QueryResult<Row>[];
      return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
    } finally {
      await client.end();
    }
  }

  /** The first column of the first row, as text; for one value. */
  async value(text: string, database = 'postgres'): Promise<string> {
    const value = Object.values((await this.sql(text, database))[0] ?? {})[0];
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    if (value instanceof Date) return value.toISOString();
    throw new Error(`Not one plain value: ${text}`);
  }

  /** A connection of the superuser, which the caller ends. Its `error` events (the server died) are swallowed. */
  async connect(database = 'postgres'): Promise<pg.Client> {
    const { host, port, user, password } = this;
    const client = new pg.Client({ host, port, user, password, database, ssl: false });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  /**
   * Starts the server after `stop` or `kill`, and waits until it takes connections.
   *
   * @param options further arguments of `postgres`.
   */
  async start(options: readonly string[] = []): Promise<void> {
    if (this.#process !== undefined) throw new Error('The server runs already.');
    const log = await open(join(this.directory, 'server.log'), 'a', 0o644);
    const child = spawn(join(this.bin, 'postgres'), ['-D', this.dataDirectory, ...options], {
      ...spawnIdentity(),
      cwd: this.directory,
      env: serverEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
    });
    const spawnFailed = new Promise<never>((_, reject) => child.once('error', reject));
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    try {
      await Promise.race([this.#waitUntilReady(child), spawnFailed]);
    } finally {
      await log.close();
    }
  }

  /** Waits for the status line that the postmaster writes into postmaster.pid (line 8). */
  async #waitUntilReady(child: ChildProcess): Promise<void> {
    await waitFor(`the server in ${this.directory} takes connections`, async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`The server ended while it started:\n${await this.log()}`);
      }
      const lines = (await readFile(join(this.dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
      return lines[0] === String(child.pid) && ['ready', 'standby'].includes(lines[7]?.trim() ?? '');
    });
  }

  /** Shuts down as `pg_ctl stop` does; nothing happens when the server is down already. */
  async stop(mode: keyof typeof stopSignals = 'fast'): Promise<void> {
    await this.#end(stopSignals[mode], false);
  }

  /** The power cut: SIGKILL for the postmaster and all its processes, nothing written. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL', true);
  }

  async #end(signal: NodeJS.Signals, childrenToo: boolean): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const children = await childProcesses(child.pid);
    signalIfAlive(child.pid, signal);
    if (childrenToo) for (const each of children) signalIfAlive(each, signal);
    await ended;
    // A child that still holds the shared memory makes the next start fail.
    await waitFor('all processes of the server are gone', async () => {
      return !(await Promise.all(children.map(isRunning))).includes(true);
    });
  }

  async restart(mode: keyof typeof stopSignals = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Makes the server read its configuration. A connection made after this already meets the new one. */
  reload(): void {
    if (this.pid === undefined) throw new Error('The server is down.');
    process.kill(this.pid, 'SIGHUP');
  }

  /** Replaces pg_hba.conf and reloads. */
  async setHba(text: string): Promise<void> {
    await writeFile(join(this.dataDirectory, 'pg_hba.conf'), text);
    if (this.pid !== undefined) this.reload();
  }

  /** Adds lines to postgresql.conf, without a reload. */
  async addSettings(settings: Settings): Promise<void> {
    const lines = Object.entries(settings).map(([name, value]) => settingLine(name, value));
    await appendFile(join(this.dataDirectory, 'postgresql.conf'), lines.join(''));
  }

  /** Makes an empty directory that the server can write to: for a tablespace, an archive. */
  async makeDirectory(name: string): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(path, { mode: 0o700 });
    await giveToServer(path);
    return path;
  }

  /** Everything the server wrote to its log so far. */
  async log(): Promise<string> {
    return readFile(join(this.directory, 'server.log'), 'utf8').catch(() => '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A killed server leaves its shared memory behind; an immediate shutdown is as quick.
    if (this.#process !== undefined) await this.stop('immediate').catch(() => undefined);
    await this.kill();
    this.#withdraw();
    await this.#home[Symbol.asyncDispose]();
  }
}
