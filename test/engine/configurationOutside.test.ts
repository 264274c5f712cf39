import assert from 'node:assert/strict';
import { lstat, mkdir, readFile, readdir, rename, writeFile, appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import type { ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import { pgCtl } from '../support/byHand.ts';
import { engineContext } from '../support/engineContext.ts';
import { scramEverywhere, startServer } from '../support/postgresServer.ts';
import { RestorePlace, RestoredCopy } from '../support/restoredCopy.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { giveToServer } from '../support/unprivileged.ts';

const configurationFiles = ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf'] as const;

/** Every file below a directory with what changes when somebody writes to it. */
async function stateOf(directory: string): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { size, mtimeNs, mode, uid } = await lstat(path, { bigint: true });
    state[path] = `${size} ${mtimeNs} ${mode} ${uid}`;
  }
  return state;
}

/** As on Debian: PGDATA holds the data, another directory the configuration, which names PGDATA. */
async function moveConfigurationOut(server: TestServer, keepUnused: boolean): Promise<string> {
  await server.stop();
  const outside = join(server.directory, 'etc');
  await mkdir(outside);
  for (const name of configurationFiles) await rename(join(server.dataDirectory, name), join(outside, name));
  // In containers the file that initdb made often stays where it was, out of use.
  if (keepUnused) await writeFile(join(server.dataDirectory, 'postgresql.conf'), "work_mem = '6MB'\n");
  await appendFile(
    join(outside, 'postgresql.conf'),
    [
      `data_directory = '${server.dataDirectory}'`,
      `  HBA_FILE='${outside}/pg_hba.conf'	# where it is`,
      `ident_file '${outside}/pg_ident.conf'`,
      `external_pid_file = '${server.directory}/main.pid'`,
      `include_dir 'conf.d'`,
      '# not a setting: data_directory',
      `work_mem = '7MB'`,
      `log_line_prefix = 'prüfe '`,
      '',
    ].join('\n'),
  );
  await mkdir(join(outside, 'conf.d'));
  await writeFile(join(outside, 'conf.d', 'more.conf'), "maintenance_work_mem = '33MB'\n");
  await giveToServer(outside);
  await server.start(['-c', `config_file=${join(outside, 'postgresql.conf')}`]);
  return outside;
}

for (const [major, keepsUnused] of [
  [15, false],
  [18, true],
] as const) {
  describe(`PostgreSQL ${major} with its configuration outside the data directory${keepsUnused ? ', an unused one inside' : ''}`, () => {
    let server: TestServer;
    let backups: TestRepository;
    let outside: string;
    before(async () => {
      server = await startServer({ major });
      backups = await TestRepository.create();
      await server.sql(`
        CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw';
        CREATE ROLE reader LOGIN REPLICATION PASSWORD 'pw' IN ROLE pg_read_all_settings;
        CREATE TABLE orders AS SELECT generate_series(1, 1000) AS n;
      `);
      outside = await moveConfigurationOut(server, keepsUnused);
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await backups[Symbol.asyncDispose]();
    });

    interface Taker {
      readonly who: string;
      readonly as: ConnectionParts;
      readonly captured: readonly boolean[];
    }
    const password = new Secret('pw');
    const takers: readonly Taker[] = [
      { who: 'a superuser, who may read the files', as: {}, captured: [true, true, true] },
      {
        who: 'a role that may see the settings only',
        as: { user: 'reader', password },
        captured: [false, false, false],
      },
      { who: 'a plain replication role', as: { user: 'backup', password }, captured: [] },
    ];

    for (const { who, as, captured } of takers) {
      it(`restores and starts the backup of ${who}, and leaves the original's files alone`, async () => {
        if (server.pid === undefined) await server.start(['-c', `config_file=${join(outside, 'postgresql.conf')}`]);
        const { record } = await backups.backup(server, {}, as);
        assert.deepEqual(
          record.configurationFiles,
          configurationFiles
            .map((name, index) => ({ name, serverPath: join(outside, name), captured: captured[index] ?? false }))
            .slice(0, captured.length),
        );
        // A server on the original's files would start without complaint now.
        await server.stop();
        const untouched = await stateOf(server.directory);

        await using place = await RestorePlace.create();
        const copy = await place.start(backups, major);
        assert.equal(await copy.value('SELECT count(*)::int FROM orders'), '1000');
        assert.equal(await copy.value('SHOW work_mem'), captured.includes(true) ? '7MB' : keepsUnused ? '6MB' : '4MB');
        if (captured.includes(true)) assert.equal(await copy.value('SHOW log_line_prefix'), 'prüfe ');
        assert.equal(await copy.value('SHOW data_directory'), place.dataDirectory);
        assert.equal(await copy.value('SHOW hba_file'), join(place.dataDirectory, 'pointback/pg_hba.conf'));
        assert.equal(await copy.value('SHOW external_pid_file'), '');
        const warned = copy.plan.warnings.some((warning) => warning.includes('were not captured'));
        assert.equal(warned, captured.includes(false));
        await copy.stopAsTold();

        // And with what lies in the directory alone, as after a restart of the machine.
        await pgCtl(server.binaries, place.dataDirectory, 'start');
        assert.equal(await copy.value('SHOW data_directory'), place.dataDirectory);
        assert.equal(await copy.value('SHOW config_file'), join(place.dataDirectory, 'postgresql.conf'));
        await pgCtl(server.binaries, place.dataDirectory, 'stop');
        assert.deepEqual(await stateOf(server.directory), untouched);
      });
    }
  });
}

describe('a postgresql.conf inside the data directory that leads out of it', () => {
  it('leads nowhere in the copy, however it is started', async () => {
    await using server = await startServer({ major: 16, hba: scramEverywhere });
    const extra = join(server.directory, 'extra.conf');
    await writeFile(extra, `Data_Directory = '${server.dataDirectory}'\nwork_mem = '9MB'\n`);
    await server.addSettings({
      data_directory: server.dataDirectory,
      external_pid_file: join(server.directory, 'pid'),
    });
    await appendFile(join(server.dataDirectory, 'postgresql.conf'), `include '${extra}'\n`);
    await writeFile(join(server.dataDirectory, 'near.conf'), "maintenance_work_mem = '35MB'\n");
    await appendFile(join(server.dataDirectory, 'postgresql.conf'), "include 'near.conf'\n");
    await giveToServer(server.dataDirectory);
    await server.restart();
    assert.equal(await server.value('SHOW work_mem'), '9MB');
    await server.sql("ALTER SYSTEM SET log_line_prefix = 'größe '");
    await using backups = await TestRepository.create();
    await backups.backup(server);
    await server.stop();
    const untouched = await stateOf(server.directory);

    await using place = await RestorePlace.create();
    const plan = await place.plan(backups, 16);
    await runRestore(plan, engineContext());
    await pgCtl(server.binaries, place.dataDirectory, 'start');
    const copy = new RestoredCopy(plan, { port: plan.port, url: '', promoted: false, durationMs: 0, stopCommand: '' });
    assert.equal(await copy.value('SHOW data_directory'), place.dataDirectory);
    assert.equal(await copy.value('SHOW log_line_prefix'), 'größe ');
    // What lies in the data directory still counts.
    assert.equal(await copy.value('SHOW maintenance_work_mem'), '35MB');
    await pgCtl(server.binaries, place.dataDirectory, 'stop');
    assert.deepEqual(await stateOf(server.directory), untouched);
    assert.match(await readFile(join(server.dataDirectory, 'postgresql.conf'), 'utf8'), /^data_directory/m);
  });
});
