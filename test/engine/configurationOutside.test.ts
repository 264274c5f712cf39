import assert from 'node:assert/strict';
import { lstat, mkdir, readFile, readdir, rename, symlink, writeFile, appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import type { ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import { listBackups } from '../../server/src/repository/catalog.ts';
import { configurationKey } from '../../server/src/repository/layout.ts';
import { pgCtl } from '../support/byHand.ts';
import { RepositoryCopy, flipped, removed } from '../support/damagedCopy.ts';
import { engineContext } from '../support/engineContext.ts';
import { scramEverywhere, startServer } from '../support/postgresServer.ts';
import { RestorePlace, RestoredCopy } from '../support/restoredCopy.ts';
import { failure } from '../support/scene.ts';
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
      `effective_cache_size = '77MB'`,
      `log_line_prefix = 'prüfe '`,
      '',
    ].join('\n'),
  );
  await mkdir(join(outside, 'conf.d'));
  await writeFile(
    join(outside, 'conf.d', 'more.conf'),
    "maintenance_work_mem = '33MB'\nshared_preload_libraries = 'auto_explain'\n",
  );
  await writeFile(join(outside, 'conf.d', '.hidden.conf'), 'not even a setting');
  await writeFile(join(outside, 'conf.d', 'readme'), 'not even a setting');
  // A file that only includes another one.
  await writeFile(join(outside, 'conf.d', 'early.conf'), `include_if_exists '../none.conf'\ninclude '../deep.conf'\n`);
  await writeFile(
    join(outside, 'deep.conf'),
    `data_directory = '${server.dataDirectory}'\nmaintenance_work_mem = '22MB'\ntemp_buffers = '11MB'\neffective_cache_size = '66MB'\n`,
  );
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
      readonly files: (where: { outside: string; keepsUnused: boolean }) => readonly object[];
    }
    const mainFiles = (outside: string, captured: boolean): object[] =>
      configurationFiles.map((name) => ({ name, serverPath: join(outside, name), captured }));
    const password = new Secret('pw');
    const allFiles: Taker['files'] = ({ outside }) => [
      ...mainFiles(outside, true),
      ...['conf.d/early.conf', 'deep.conf', 'conf.d/more.conf'].map((path, index) => {
        return { name: `included-${index + 1}.conf`, serverPath: join(outside, path), captured: true };
      }),
    ];
    const takers: readonly Taker[] = [
      { who: 'a superuser, who may read the files', as: {}, files: allFiles },
      {
        who: 'a role that may see the settings only',
        as: { user: 'reader', password },
        files: ({ outside }) => mainFiles(outside, false),
      },
      {
        who: 'a plain replication role',
        as: { user: 'backup', password },
        files: ({ keepsUnused }) =>
          configurationFiles
            .slice(keepsUnused ? 1 : 0)
            .map((name) => ({ name, serverPath: undefined, captured: false })),
      },
    ];

    for (const { who, as, files } of takers) {
      it(`restores and starts the backup of ${who}, and leaves the original's files alone`, async () => {
        if (server.pid === undefined) await server.start(['-c', `config_file=${join(outside, 'postgresql.conf')}`]);
        const { record } = await backups.backup(server, {}, as);
        assert.deepEqual(
          record.configurationFiles.map(({ name, serverPath, captured }) => ({ name, serverPath, captured })),
          files({ outside, keepsUnused }),
        );
        for (const { captured, size, sha256 } of record.configurationFiles) {
          assert.equal(captured, size !== undefined && sha256 !== undefined);
        }
        // A server on the original's files would start without complaint now.
        await server.stop();
        const untouched = await stateOf(server.directory);

        await using place = await RestorePlace.create();
        const copy = await place.start(backups, major);
        assert.equal(await copy.value('SELECT count(*)::int FROM orders'), '1000');
        const captured = files === allFiles;
        assert.equal(await copy.value('SHOW work_mem'), captured ? '7MB' : keepsUnused ? '6MB' : '4MB');
        if (captured) {
          assert.equal(await copy.value('SHOW log_line_prefix'), 'prüfe ');
          assert.equal(await copy.value('SHOW shared_preload_libraries'), 'auto_explain');
          // Of settings said more than once the last one counts, as it does on the original.
          assert.equal(await copy.value('SHOW maintenance_work_mem'), '33MB');
          assert.equal(await copy.value('SHOW temp_buffers'), '11MB');
          assert.equal(await copy.value('SHOW effective_cache_size'), '77MB');
        }
        assert.equal(await copy.value('SHOW data_directory'), place.dataDirectory);
        assert.equal(await copy.value('SHOW hba_file'), join(place.dataDirectory, 'pointback/pg_hba.conf'));
        assert.equal(await copy.value('SHOW external_pid_file'), '');
        const warned = copy.plan.warnings.some((warning) => warning.includes('were not captured'));
        assert.equal(warned, !captured);
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
    assert.equal(await copy.value('SHOW work_mem'), '9MB');
    // What lies in the data directory still counts.
    assert.equal(await copy.value('SHOW maintenance_work_mem'), '35MB');
    await pgCtl(server.binaries, place.dataDirectory, 'stop');
    assert.deepEqual(await stateOf(server.directory), untouched);
    assert.match(await readFile(join(server.dataDirectory, 'postgresql.conf'), 'utf8'), /^data_directory/m);
  });
});

describe('a postgresql.conf inside the data directory that includes others from there', () => {
  let server: TestServer;
  let backups: TestRepository;
  const plainRole = { user: 'backup', password: new Secret('pw') };
  before(async () => {
    server = await startServer({ major: 18 });
    backups = await TestRepository.create();
    await server.sql("CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw'");
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await backups[Symbol.asyncDispose]();
  });

  /** Restores, starts by hand with nothing but the directory, and tells some settings. */
  async function settingsOfCopy(names: readonly string[]): Promise<{ values: string[]; warnings: readonly string[] }> {
    await server.stop();
    await using place = await RestorePlace.create();
    const plan = await place.plan(backups, 18);
    await runRestore(plan, engineContext());
    await pgCtl(server.binaries, place.dataDirectory, 'start');
    const copy = new RestoredCopy(plan, { port: plan.port, url: '', promoted: false, durationMs: 0, stopCommand: '' });
    assert.equal(await copy.value('SHOW data_directory'), place.dataDirectory);
    const values: string[] = [];
    for (const name of names) values.push(await copy.value(`SHOW ${name}`));
    await pgCtl(server.binaries, place.dataDirectory, 'stop');
    await server.start();
    return { values, warnings: plan.warnings };
  }

  it('needs nothing captured, and never leads the copy to the original', async () => {
    const near = join(server.dataDirectory, 'near');
    await mkdir(near);
    await writeFile(join(near, '1.conf'), "work_mem = '9MB'\ninclude 'deeper/2.conf'\n");
    await mkdir(join(near, 'deeper'));
    const lines = `data_directory = '${server.dataDirectory}'\nmaintenance_work_mem = '35MB'\n`;
    await writeFile(join(near, 'deeper/2.conf'), lines);
    await appendFile(join(server.dataDirectory, 'postgresql.conf'), "include_dir 'near'\n");
    await giveToServer(near);
    await server.restart();
    for (const role of [{}, plainRole]) {
      const { record } = await backups.backup(server, {}, role);
      assert.deepEqual(record.configurationFiles, []);
      const { values, warnings } = await settingsOfCopy(['work_mem', 'maintenance_work_mem']);
      assert.deepEqual(values, ['9MB', '35MB']);
      assert.deepEqual(warnings, []);
    }
  });

  it('tells a role that cannot capture what is included from outside', async () => {
    const outside = join(server.directory, 'outside.conf');
    await writeFile(outside, "temp_buffers = '12MB'\n");
    await appendFile(join(server.dataDirectory, 'postgresql.conf'), `include '${outside}'\n`);
    await server.restart();
    const { record } = await backups.backup(server, {}, plainRole);
    assert.deepEqual(record.configurationFiles, [{ name: 'included-1.conf', serverPath: outside, captured: false }]);
    const { values, warnings } = await settingsOfCopy(['work_mem', 'temp_buffers']);
    assert.deepEqual(values, ['9MB', '8MB']);
    assert.ok(warnings.some((warning) => warning.includes(outside)));
    // The superuser's backup has it.
    await backups.backup(server);
    const whole = await settingsOfCopy(['work_mem', 'maintenance_work_mem', 'temp_buffers']);
    assert.deepEqual(whole, { values: ['9MB', '35MB', '12MB'], warnings: [] });
  });

  it('is captured where it is a link, which base backups leave out', async () => {
    const elsewhere = join(server.directory, 'elsewhere');
    await mkdir(elsewhere);
    for (const name of ['postgresql.conf', 'pg_hba.conf']) {
      await rename(join(server.dataDirectory, name), join(elsewhere, name));
      await symlink(join(elsewhere, name), join(server.dataDirectory, name));
    }
    await giveToServer(elsewhere);
    await server.restart();
    const { record } = await backups.backup(server);
    const captured = record.configurationFiles.map(({ name, captured }) => `${name} ${captured}`);
    assert.deepEqual(captured.slice(0, 2), ['postgresql.conf true', 'pg_hba.conf true']);
    const { values, warnings } = await settingsOfCopy(['work_mem', 'maintenance_work_mem', 'temp_buffers']);
    assert.deepEqual({ values, warnings }, { values: ['9MB', '35MB', '12MB'], warnings: [] });

    // A role that may read nothing gets a backup whose plan says what is not in it.
    await backups.backup(server, {}, plainRole);
    const plain = await settingsOfCopy(['work_mem']);
    assert.deepEqual(plain.values, ['4MB']);
    assert.ok(plain.warnings.some((warning) => warning.includes('postgresql.conf, pg_hba.conf')));
  });

  it('is proved by verify, and a restore does without what is damaged of it', async () => {
    const { record } = await backups.backup(server);
    const copies = await RepositoryCopy.of(backups.repository);
    const key = configurationKey('shop', record.id, 'postgresql.conf');
    for (const [change, code] of [
      [removed, 'configuration-missing'],
      [flipped(0.5), 'configuration-changed'],
    ] as const) {
      const repository = copies.with(key, change);
      await using place = await RestorePlace.create();
      const plan = await place.plan(backups, 18);
      const logged: string[] = [];
      const context = { ...engineContext(), log: (_level: string, message: string) => logged.push(message) };
      await runRestore({ ...plan, repository }, context);
      assert.ok(logged.some((message) => message.includes('postgresql.conf')));
      assert.match(await readFile(join(place.dataDirectory, 'postgresql.conf'), 'utf8'), /^# Written by Pointback/);
      const { verification } = await verifyBackup({ repository, instance: 'shop', id: record.id }, engineContext());
      assert.deepEqual(
        verification.problems.map((problem) => [problem.code, problem.subject]),
        [[code, 'configuration/postgresql.conf']],
      );
    }
  });

  it('is backed up when SQL fails half way', async () => {
    // pg_settings is a view that the superuser may break.
    await server.sql('REVOKE SELECT ON pg_catalog.pg_settings FROM PUBLIC; REVOKE SELECT ON pg_roles FROM PUBLIC');
    const logged: string[] = [];
    const context = { ...engineContext(), log: (_level: string, message: string) => logged.push(message) };
    const { record } = await backups.backup(server, {}, plainRole, context);
    assert.equal(record.loginRole, 'backup');
    assert.ok(logged.some((message) => message.includes('the configuration files could not be asked for')));
    await server.sql('GRANT SELECT ON pg_catalog.pg_settings TO PUBLIC; GRANT SELECT ON pg_roles TO PUBLIC');
  });
});

describe('a tablespace inside the data directory', () => {
  it('is refused on 15, which leaves it out, and nothing is kept', async () => {
    await using server = await startServer({ major: 15 });
    await using backups = await TestRepository.create();
    await createInPlace(server);
    const { code, message } = await failure(backups.backup(server));
    assert.equal(code, 'backup.tablespace-not-sent');
    assert.match(message, /"inside"/);
    await server.sql("CREATE ROLE backup LOGIN REPLICATION PASSWORD 'pw'");
    const plain = await failure(backups.backup(server, {}, { user: 'backup', password: new Secret('pw') }));
    assert.equal(plain.code, 'backup.tablespace-not-sent');
    assert.deepEqual(await listBackups(backups.repository, 'shop'), []);
    await server.sql('DROP TABLE within');
    await server.sql('DROP TABLESPACE inside');
    await backups.backup(server);
  });

  it('is backed up and restored on 18', async () => {
    await using server = await startServer({ major: 18 });
    await using backups = await TestRepository.create();
    await createInPlace(server);
    await backups.backup(server);
    await using place = await RestorePlace.create();
    const copy = await place.start(backups, 18);
    assert.equal(await copy.value('SELECT count(*)::int FROM within'), '100');
    await copy.stopAsTold();
  });
});

async function createInPlace(server: TestServer): Promise<void> {
  const client = await server.connect();
  try {
    await client.query('SET allow_in_place_tablespaces = on');
    await client.query("CREATE TABLESPACE inside LOCATION ''");
    await client.query('CREATE TABLE within TABLESPACE inside AS SELECT generate_series(1, 100) AS n');
  } finally {
    await client.end();
  }
}
