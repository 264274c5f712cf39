import { execFile } from 'node:child_process';
import { mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { clientTool } from '../support/postgresBinaries.ts';
import { startServer } from '../support/postgresServer.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import type { TestServer } from '../support/testServer.ts';
import { measure, median, type Measurement } from './measuredCommand.ts';

/*
 * `npm run bench`: full backup and restore against the official tools, on one database, in one run, in turn. Both sides
 * sync what they write. Prints medians and ratios; a ratio above 1 means that Pointback is faster.
 */

const execute = promisify(execFile);
const program = join(import.meta.dirname, '../../server/bin/pointback.mjs');
/** Debian's server has zstd, and its pg_basebackup is the one on most machines. */
const major = 15;
const rowsPerGigabyte = 7_600_000;

/** Fills the database with rows that compress about threefold: words, numbers, timestamps, some randomness. */
async function fill(server: TestServer, gigabytes: number): Promise<number> {
  await server.sql(
    `CREATE TABLE ledger (id bigint, at timestamptz, amount numeric, customer text, note text);
     INSERT INTO ledger SELECT n, timestamptz '2020-01-01' + n * interval '7 seconds', (random() * 100000)::numeric(12, 2),
         'customer ' || (random() * 100000)::int,
         left(md5(random()::text), 12 + (random() * 8)::int) || ' ordered and paid, to be shipped on day ' || n % 365
       FROM generate_series(1, ${Math.round(gigabytes * rowsPerGigabyte)}) n;
     CHECKPOINT;`,
  );
  return Number(await server.value('SELECT sum(pg_database_size(oid))::text FROM pg_database'));
}

interface Contender {
  readonly name: string;
  readonly run: () => Promise<Measurement>;
}

/**
 * Writes and removes a file as large as the database. On a virtual machine a run finds memory for the page cache quick or slow
 * to get, depending on what the run before it left: after this all find it alike.
 */
async function levelMemory(bytes: number): Promise<void> {
  const path = join(tmpdir(), `pointback-bench-${process.pid}`);
  const block = Buffer.alloc(64 * 1024);
  const file = await open(path, 'w');
  for (let written = 0; written < bytes; written += block.length) await file.write(block);
  await file.close();
  await rm(path);
}

/** Runs the contenders in turn, `rounds` times, and prints their medians and the ratio of the first to the others. */
async function compare(title: string, bytes: number, rounds: number, contenders: readonly Contender[]): Promise<void> {
  const measured = new Map<string, Measurement[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      await levelMemory(bytes);
      measured.get(contender.name)?.push(await contender.run());
    }
  }
  process.stdout.write(`\n${title}\n`);
  const [ours = Number.NaN] = contenders.map(({ name }) =>
    median((measured.get(name) ?? []).map(({ seconds }) => seconds)),
  );
  for (const { name } of contenders) {
    const runs = measured.get(name) ?? [];
    const seconds = median(runs.map((run) => run.seconds));
    const all = runs.map((run) => run.seconds.toFixed(1)).join(' ');
    const memory = Math.max(...runs.map(({ peakMemory }) => peakMemory));
    process.stdout.write(
      `  ${name.padEnd(42)} ${seconds.toFixed(2).padStart(7)} s  ${(bytes / 1e6 / seconds).toFixed(0).padStart(5)} MB/s  ` +
        `ratio ${(seconds / ours).toFixed(2)}  peak ${(memory / 1e6).toFixed(0).padStart(4)} MB  [${all}]\n`,
    );
  }
}

async function bench(gigabytes: number, rounds: number): Promise<void> {
  // What is measured is what users run.
  await execute(process.execPath, [join(import.meta.dirname, '../../esbuild.mjs')]);
  const pgBasebackup = await clientTool('pg_basebackup', major);
  if (pgBasebackup === undefined) {
    process.stdout.write(`skipped: this machine has no pg_basebackup ${major} (Debian's postgresql-${major})\n`);
    return;
  }
  await using work = await temporaryDirectory('bench');
  await using server = await startServer({
    major,
    source: 'debian',
    name: 'bench',
    settings: { shared_buffers: '256MB', max_wal_size: '8GB', autovacuum: false },
  });
  const bytes = await fill(server, gigabytes);
  process.stdout.write(`PostgreSQL ${major}, ${(bytes / 1e9).toFixed(2)} GB, medians of ${rounds}, alternating\n`);

  const environment = { ...process.env, PGPASSWORD: server.password };
  const configuration = join(work.path, 'pointback.json');
  await writeFile(
    configuration,
    JSON.stringify({
      instances: { bench: { url: `postgresql://${server.user}@${server.host}:${server.port}/postgres` } },
    }),
  );
  const ours = (repository: string, ...words: string[]): Promise<Measurement> =>
    measure(process.execPath, [program, '--config', configuration, '--repository', repository, ...words], {
      env: environment,
    });
  const connection = ['-h', server.host, '-p', String(server.port), '-U', server.user];

  for (const [method, theirs] of [
    ['none', []],
    ['zstd:3', ['--compress=client-zstd:3']],
  ] as const) {
    const basebackup = (...extra: string[]): Contender => ({
      name: ['pg_basebackup -Ft', ...theirs, ...extra].join(' '),
      run: async () => {
        const directory = join(work.path, 'pg_basebackup');
        const words = [...connection, '-Ft', '-X', 'fetch', '-c', 'fast', '-D', directory, ...theirs, ...extra];
        const measurement = await measure(pgBasebackup, words, { env: environment });
        await rm(directory, { recursive: true });
        return measurement;
      },
    });
    await compare(`full backup, compression ${method}`, bytes, rounds, [
      {
        name: 'pointback backup',
        run: async () => {
          const repository = join(work.path, 'repository');
          const measurement = await ours(repository, 'backup', 'bench', '--compress', method);
          await rm(repository, { recursive: true });
          return measurement;
        },
      },
      basebackup(),
      // The checksum Pointback asks of the server, which costs the server more than the usual CRC-32C.
      ...(method === 'none' ? [basebackup('--manifest-checksums=SHA256')] : []),
    ]);
  }

  const repository = join(work.path, 'kept');
  await ours(repository, 'backup', 'bench');
  const backups = join(repository, 'bench/backups');
  const archive = join(backups, (await readdir(backups))[0] ?? '', 'data/base.tar.zst');
  const target = join(work.path, 'restored');
  const byHand = (name: string, afterwards: string): Contender => ({
    name,
    run: async () => {
      await mkdir(target);
      const measurement = await measure('sh', ['-c', `zstd -dc '${archive}' | tar -x -C '${target}' ${afterwards}`]);
      await rm(target, { recursive: true });
      return measurement;
    },
  });
  await compare('restore, zstd:3', bytes, rounds, [
    {
      name: 'pointback restore (checked and synced)',
      run: async () => {
        const measurement = await ours(repository, 'restore', 'bench', '--target-directory', target);
        await rm(target, { recursive: true });
        return measurement;
      },
    },
    byHand('zstd -dc | tar -x, synced', `&& sync -f '${target}'`),
    byHand('zstd -dc | tar -x, not synced', ''),
  ]);
  const { stdout } = await execute('nproc').catch(() => ({ stdout: '?' }));
  process.stdout.write(`\nmachine: ${stdout.trim()} cores\n`);
}

// On the disk, as a user's would be: tests prefer memory.
process.env['TMPDIR'] ??= tmpdir();

const { values } = parseArgs({
  options: { gigabytes: { type: 'string', default: '2' }, rounds: { type: 'string', default: '5' } },
});
await bench(Number(values.gigabytes), Number(values.rounds));
