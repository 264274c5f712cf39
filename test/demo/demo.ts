import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify, styleText } from 'node:util';
import pg from 'pg';
import { startServer } from '../support/postgresServer.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import type { TestServer } from '../support/testServer.ts';
import { unprivilegedUser } from '../support/unprivileged.ts';
import { createShop, digestQuery, shopSizes, shopTables, type ShopSize, type TableDigest } from './shopDatabase.ts';

/*
 * `npm run demo`: the main job for real. A PostgreSQL of its own, reached over TCP like any other; every step is the
 * command a user types.
 */

const execute = promisify(execFile);
const program = join(import.meta.dirname, '../../server/bin/pointback.mjs');
const role = { name: 'backup', password: 'backup-password' };

/** pg_hba.conf as the Docker image writes it, without the line that replication from elsewhere needs. */
const hbaOfTheDockerImage = 'local all all trust\nhost all all all scram-sha-256\n';

/** Runs pointback as a user would, its output shown. */
class Terminal {
  readonly #configuration: string;

  constructor(configuration: string) {
    this.#configuration = configuration;
  }

  /** Shows and runs a command; throws when it does not end with `expectedExit`. Returns seconds. */
  async run(commandLine: string, expectedExit = 0): Promise<number> {
    process.stdout.write(`\n${styleText('bold', `$ pointback ${commandLine}`)}\n`);
    const startedAt = performance.now();
    const child = spawn(process.execPath, [program, '--config', this.#configuration, ...commandLine.split(' ')], {
      stdio: 'inherit',
    });
    const exitCode = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (exitCode !== expectedExit) throw new Error(`pointback ${commandLine} ended with ${String(exitCode)}`);
    return (performance.now() - startedAt) / 1000;
  }

  /** The JSON a command prints. */
  async json<T>(commandLine: string): Promise<T> {
    const run = execute(process.execPath, [
      program,
      '--config',
      this.#configuration,
      '--json',
      ...commandLine.split(' '),
    ]);
    const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
    return JSON.parse(stdout) as T;
  }
}

function say(text: string): void {
  process.stdout.write(`\n${styleText('cyan', text)}\n`);
}

async function digests(port: number, server: TestServer): Promise<TableDigest[]> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: server.user,
    password: server.password,
    database: 'shop',
  });
  await client.connect();
  try {
    const found: TableDigest[] = [];
    for (const table of shopTables) {
      const { rows } = await client.query<{ rows: string; checksum: string }>(digestQuery(table));
      const [row] = rows;
      if (row === undefined) throw new Error(`${table} gave no digest`);
      found.push({ table, ...row });
    }
    return found;
  } finally {
    await client.end();
  }
}

interface CheckJson {
  readonly findings: readonly { readonly fix?: readonly { readonly kind: string; readonly text: string }[] }[];
}

interface ListJson {
  readonly instances: readonly {
    readonly backups: readonly { readonly tarBytes: number; readonly storedBytes: number }[];
  }[];
}

async function demo(size: ShopSize): Promise<void> {
  say(
    `Starting a PostgreSQL 18 with a shop of ${shopSizes[size].toLocaleString('en')} orders. We will reach it over TCP only.`,
  );
  await using work = await temporaryDirectory('demo', { forServer: true });
  await using server = await startServer({
    major: 18,
    name: 'demo-server',
    hba: hbaOfTheDockerImage,
    settings: { fsync: true },
  });
  await createShop(server, size);
  await server.sql(`CREATE ROLE ${role.name} LOGIN REPLICATION PASSWORD '${role.password}'`);
  await server.sql(`GRANT pg_read_all_settings TO ${role.name}`);

  const passwordFile = join(work.path, 'password');
  await writeFile(passwordFile, `${role.password}\n`, { mode: 0o600 });
  const configuration = join(work.path, 'pointback.json');
  const url = `postgresql://${role.name}@${server.host}:${server.port}/postgres`;
  await writeFile(
    configuration,
    JSON.stringify({
      repository: join(work.path, 'repository'),
      instances: { shop: { url, passwordFile } },
      serverBinaries: [server.bin],
    }),
  );
  const terminal = new Terminal(configuration);

  say('Can it be backed up? Its pg_hba.conf is the one of the Docker image, where `all` does not cover replication.');
  await terminal.run('check shop', 3);
  const { findings } = await terminal.json<CheckJson>('check shop');
  const line = findings.flatMap(({ fix = [] }) => fix).find(({ kind }) => kind === 'pg_hba-line')?.text;
  if (line === undefined) throw new Error('check named no pg_hba.conf line');
  say(`We add the line it names, "${line}", reload, and ask again.`);
  await server.setHba(`${hbaOfTheDockerImage}${line}\n`);
  await terminal.run('check shop');

  const original = await digests(server.port, server);
  say('A full backup over the streaming replication protocol, WAL included.');
  const backupSeconds = await terminal.run('backup shop --label demo');
  await terminal.run('list shop');
  say('Every byte read back and held against the manifest the server made.');
  const verifySeconds = await terminal.run('verify shop');
  await terminal.run('list shop');

  say('Restored into a new directory, and started beside the original.');
  const target = join(work.path, 'restored');
  const owner = unprivilegedUser()?.name;
  const port = await execute(process.execPath, ['-e', freePortProgram]).then(({ stdout }) => Number(stdout));
  const ownerOption = owner === undefined ? '' : ` --owner ${owner}`;
  const restoreSeconds = await terminal.run(
    `restore shop --target-directory ${target}${ownerOption} --start --port ${port}`,
  );
  try {
    const restored = await digests(port, server);
    say('The proof: the same rows in both.');
    for (const [index, digest] of original.entries()) {
      const other = restored[index];
      const same = other?.rows === digest.rows && other.checksum === digest.checksum;
      process.stdout.write(
        `  ${same ? '✓' : '✗'} ${digest.table.padEnd(10)} ${digest.rows.padStart(10)} rows  checksum ${digest.checksum}\n`,
      );
      if (!same) throw new Error(`${digest.table} differs: the restored one has ${other?.rows ?? 'no'} rows`);
    }
  } finally {
    await stopCopy(target);
  }
  const { instances } = await terminal.json<ListJson>('list shop');
  const record = instances[0]?.backups[0];
  if (record === undefined) throw new Error('list shows no backup');
  const rate = (seconds: number): string =>
    `${seconds.toFixed(1)} s, ${(record.tarBytes / 1e6 / seconds).toFixed(0)} MB/s`;
  say('Summary');
  process.stdout.write(
    [
      `  database   ${(record.tarBytes / 1e6).toFixed(0)} MB, stored in ${(record.storedBytes / 1e6).toFixed(0)} MB`,
      `  backup     ${rate(backupSeconds)}`,
      `  verify     ${rate(verifySeconds)}`,
      `  restore    ${rate(restoreSeconds)}, server start included`,
      '  result     every table of the restored server equals the original',
      '',
    ].join('\n'),
  );
}

const freePortProgram =
  "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })";

async function stopCopy(dataDirectory: string): Promise<void> {
  const { stopPostmaster } = await import('../../server/src/postgres/postmaster.ts');
  await stopPostmaster(dataDirectory, 'fast', { signal: new AbortController().signal, timeoutMs: 60_000 });
}

// On the disk, as a user's would be: tests prefer memory.
process.env['TMPDIR'] ??= tmpdir();

const { values } = parseArgs({ options: { size: { type: 'string', default: 'medium' } } });
if (!Object.hasOwn(shopSizes, values.size)) {
  process.stderr.write(`--size takes one of: ${Object.keys(shopSizes).join(', ')}\n`);
  process.exitCode = 2;
} else {
  await demo(values.size as ShopSize);
}
