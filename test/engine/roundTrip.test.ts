import assert from 'node:assert/strict';
import { readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ChecksumAlgorithm } from '../../server/src/formats/checksum.ts';
import { parseLsn } from '../../server/src/formats/lsn.ts';
import type { BackupOutcome } from '../../server/src/engine/backup/runningBackup.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { openReplicationConnection } from '../../server/src/postgres/connect.ts';
import { connectionProfile } from '../../server/src/postgres/connectionProfile.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import type { Compression } from '../../server/src/repository/backupRecord.ts';
import { listBackups } from '../../server/src/repository/catalog.ts';
import {
  contentsOf,
  emptyDatabase,
  fillAwkwardly,
  missingAwkwardFiles,
  type AwkwardPlaces,
} from '../support/awkwardDatabase.ts';
import { CommitWriter } from '../support/commitWriter.ts';
import { superuser } from '../support/dataDirectoryTemplate.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace, modesBelow, type RestoredCopy } from '../support/restoredCopy.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { unprivilegedUser } from '../support/unprivileged.ts';

interface Kind {
  readonly major: number;
  readonly compression: Compression;
  readonly manifestChecksums: ChecksumAlgorithm;
  readonly dataChecksums: boolean;
  readonly groupAccess: boolean;
  /** MB. */
  readonly walSegment: number;
}

/** What differs between clusters and backups, spread over the majors. */
const kinds: readonly Kind[] = [
  {
    major: 13,
    compression: { method: 'gzip' },
    manifestChecksums: 'SHA256',
    dataChecksums: true,
    groupAccess: false,
    walSegment: 16,
  },
  {
    major: 15,
    compression: { method: 'none' },
    manifestChecksums: 'SHA224',
    dataChecksums: false,
    groupAccess: true,
    walSegment: 16,
  },
  {
    major: 16,
    compression: { method: 'zstd' },
    manifestChecksums: 'CRC32C',
    dataChecksums: true,
    groupAccess: false,
    walSegment: 1,
  },
  {
    major: 17,
    compression: { method: 'zstd', level: 1 },
    manifestChecksums: 'SHA512',
    dataChecksums: false,
    groupAccess: false,
    walSegment: 64,
  },
  {
    major: 18,
    compression: { method: 'zstd', level: 9 },
    manifestChecksums: 'SHA256',
    dataChecksums: true,
    groupAccess: false,
    walSegment: 16,
  },
];

function initdbArguments({ major, dataChecksums, groupAccess, walSegment }: Kind): string[] {
  const checksumsByDefault = major >= 18;
  return [
    ...(dataChecksums && !checksumsByDefault ? ['--data-checksums'] : []),
    ...(!dataChecksums && checksumsByDefault ? ['--no-data-checksums'] : []),
    ...(groupAccess ? ['--allow-group-access'] : []),
    ...(walSegment === 16 ? [] : [`--wal-segsize=${walSegment}`]),
  ];
}

/** Kilobytes a second: the backup takes a second or two, in which the writer goes on. */
const maxRateKb = 32 * 1024;

for (const kind of kinds) {
  const { major } = kind;
  const words = `${kind.compression.method}, ${kind.manifestChecksums}, ${kind.dataChecksums ? 'data checksums' : 'no data checksums'}`;
  describe(`PostgreSQL ${major}: ${words}, WAL segments of ${kind.walSegment} MB`, () => {
    let server: TestServer;
    let backups: TestRepository;
    let places: AwkwardPlaces;
    let contents: Record<string, unknown>;
    let outcome: BackupOutcome;
    let committedBefore: number;
    let committedAtEnd: number;

    before(async () => {
      server = await startServer({
        major,
        initdbArguments: initdbArguments(kind),
        settings: {
          archive_mode: true,
          archive_command: 'echo %f >> ../archived',
          max_connections: 120,
          checkpoint_timeout: '30min',
        },
      });
      backups = await TestRepository.create();
      places = await fillAwkwardly(server);
      contents = await contentsOf(server);
      const writer = await CommitWriter.start(server, 100);
      committedBefore = writer.acknowledged;
      outcome = await backups.backup(server, {
        compression: kind.compression,
        manifestChecksums: kind.manifestChecksums,
        label: `it's ${major}`,
        maxRateKb,
      });
      committedAtEnd = writer.committedAt(parseLsn(outcome.record.endLsn));
      await writer.stop();
      assert.ok(committedAtEnd > committedBefore, 'nothing was written during the backup');
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await backups[Symbol.asyncDispose]();
    });

    it('says in its record what it is', () => {
      const { record, state, problems } = outcome;
      assert.equal(state, 'unproven');
      assert.deepEqual(problems, []);
      assert.equal(record.serverVersion.split('.')[0], String(major));
      assert.equal(record.label, `it's ${major}`);
      assert.equal(record.from, 'primary');
      assert.equal(record.loginRole, superuser.user);
      assert.equal(record.dataChecksums, kind.dataChecksums);
      assert.equal(record.dataDirectoryMode, kind.groupAccess ? '0750' : '0700');
      assert.equal(record.walSegmentSize, kind.walSegment * 1024 ** 2);
      assert.equal(record.manifestChecksums, kind.manifestChecksums);
      assert.deepEqual(
        record.archives.map(({ location }) => location),
        [undefined, places.side, places.plain],
      );
      assert.equal(
        record.tarBytes,
        record.archives.reduce((sum, { tarBytes }) => sum + tarBytes, 0),
      );
      if (kind.walSegment === 1) assert.ok(record.walSegments.length > 1);
    });

    it('passes its verification, and is consistent from then on', async () => {
      const { verification } = await verifyBackup(backups, engineContext());
      assert.deepEqual(verification.problems, []);
      assert.equal(verification.outcome, 'passed');
      assert.equal((await listBackups(backups.repository, backups.instance))[0]?.state, 'consistent');
    });

    it('leaves neither slot nor session on the server', async () => {
      assert.equal(await server.value('SELECT count(*)::int FROM pg_replication_slots'), '0');
      assert.equal(await server.value('SELECT count(*)::int FROM pg_stat_replication'), '0');
    });

    describe('its copy, paused at the end of the backup', () => {
      let place: RestorePlace;
      let copy: RestoredCopy;
      before(async () => {
        place = await RestorePlace.create();
        const mapping = new Map([[places.side, join(place.directory, 'moved \\ "side"')]]);
        copy = await place.start(backups, major, { tablespaceMapping: mapping });
      });
      after(async () => {
        await place[Symbol.asyncDispose]();
      });

      it('holds what the tables held', async () => {
        assert.deepEqual(await contentsOf(copy), contents);
      });

      it('holds every commit up to the end of the backup, and no later one without those before', async () => {
        const [row] = await copy.sql('SELECT count(*)::int AS rows, max(number) AS last FROM commits');
        assert.equal(row?.['rows'], row?.['last']);
        assert.ok(Number(row?.['rows']) >= committedAtEnd, `${String(row?.['rows'])} of ${committedAtEnd}`);
      });

      it('has the empty database, and the unlogged table without rows', async () => {
        assert.equal(await copy.value('SELECT current_database()', emptyDatabase), emptyDatabase);
        // Unlogged tables cannot be read during recovery; the promoted copy counts their rows.
        assert.equal(await copy.value(`SELECT relpersistence FROM pg_class WHERE relname = 'fleeting'`), 'u');
      });

      it('has the files with awkward names', async () => {
        assert.deepEqual(await missingAwkwardFiles(place.dataDirectory), []);
      });

      it('is read-only and stays in recovery', async () => {
        assert.equal(copy.started.promoted, false);
        assert.ok(parseLsn(copy.started.reachedLsn ?? '0/0') >= parseLsn(outcome.record.endLsn));
        assert.equal(await copy.value('SELECT pg_is_in_recovery()'), 'true');
        await assert.rejects(copy.sql('CREATE TABLE fresh ()'), { code: '25006' });
      });

      it('is quarantined', async () => {
        const shown: Record<string, string> = {};
        for (const name of [
          ...['archive_mode', 'archive_command', 'listen_addresses', 'port', 'max_logical_replication_workers'],
          ...['ssl', 'primary_conninfo', 'synchronous_standby_names', 'shared_preload_libraries', 'max_connections'],
          ...['data_directory', 'recovery_target_action'],
        ]) {
          shown[name] = await copy.value(`SHOW ${name}`);
        }
        assert.deepEqual(shown, {
          archive_mode: 'off',
          archive_command: '(disabled)',
          listen_addresses: '127.0.0.1',
          port: String(copy.started.port),
          max_logical_replication_workers: '0',
          ssl: 'off',
          primary_conninfo: '',
          synchronous_standby_names: '',
          shared_preload_libraries: '',
          max_connections: '120',
          data_directory: place.dataDirectory,
          recovery_target_action: 'pause',
        });
      });

      it('lets nobody in without the password, and nobody replicate', async () => {
        await assert.rejects(copy.connect('postgres', { password: 'wrong' }), { code: '28P01' });
        const { port } = copy.started;
        const profile = connectionProfile(
          { host: '127.0.0.1', port, user: superuser.user, password: new Secret(superuser.password) },
          { HOME: place.directory },
        );
        await assert.rejects(openReplicationConnection(profile, engineContext()), { code: 'replication.no-hba-line' });
      });

      it('belongs to the account that runs it, with the modes of the original', async () => {
        const account = unprivilegedUser()?.uid ?? process.getuid?.();
        const [directory, file] = kind.groupAccess ? ['directory 750', 'file 640'] : ['directory 700', 'file 600'];
        const log = join(place.dataDirectory, 'pointback/server.log');
        for (const each of [place.dataDirectory, ...copy.plan.tablespaces.map(({ to }) => to)]) {
          const strange = (await modesBelow(each)).filter(
            ({ name, mode, uid }) =>
              uid !== account || !(name === log ? ['file 600'] : [directory, file]).includes(mode),
          );
          assert.deepEqual(strange, []);
        }
      });

      it('has its tablespaces where they were sent', async () => {
        const [side, plain] = copy.plan.tablespaces;
        assert.equal(side?.to, join(place.directory, 'moved \\ "side"'));
        assert.equal(plain?.to, `${place.dataDirectory}-tablespaces/${plain?.oid}`);
        for (const { oid, to } of copy.plan.tablespaces) {
          assert.equal(await readlink(join(place.dataDirectory, 'pg_tblspc', String(oid))), to);
          assert.equal(await copy.value(`SELECT pg_tablespace_location(${oid})`), to);
        }
        const path = await copy.value(`SELECT pg_relation_filepath('aside')`);
        assert.ok((await stat(join(place.dataDirectory, path))).size > 0);
      });

      it('stops as its user is told', async () => {
        await copy.stopAsTold();
        assert.equal(await copy.isRunning(), false);
      });
    });

    describe('its copy, promoted', () => {
      let place: RestorePlace;
      let copy: RestoredCopy;
      before(async () => {
        place = await RestorePlace.create();
        copy = await place.start(backups, major, { start: { promote: true } });
      });
      after(async () => {
        await place[Symbol.asyncDispose]();
      });

      it('takes writes on a timeline of its own, and archives nothing', async () => {
        assert.equal(copy.started.promoted, true);
        assert.equal(await copy.value('SELECT pg_is_in_recovery()'), 'false');
        await copy.sql(`INSERT INTO commits SELECT max(number) + 1, 'after' FROM commits`);
        await copy.sql('SELECT pg_switch_wal()');
        assert.equal(await copy.value('SELECT timeline_id FROM pg_control_checkpoint()'), '2');
        assert.equal(await copy.value('SHOW archive_mode'), 'off');
        const archived = await readFile(join(server.directory, 'archived'), 'utf8');
        assert.doesNotMatch(archived, /^00000002/m);
        await assert.rejects(stat(join(place.directory, 'archived')), { code: 'ENOENT' });
      });

      it('holds the same rows, the unlogged table none', async () => {
        assert.deepEqual(await contentsOf(copy), contents);
        assert.equal(await copy.value('SELECT count(*)::int FROM fleeting'), '0');
        assert.ok(Number(await copy.value(`SELECT nextval('numbers')`)) > 42);
      });

      it('has sound indexes', async () => {
        // Every row is found through the index, and nothing else.
        await copy.sql('REINDEX INDEX orders_word_idx');
        const client = await copy.connect();
        await client.query('SET enable_seqscan = off');
        const { rows } = await client.query<{ rows: number }>(
          `SELECT count(*)::int AS rows FROM commits WHERE number > 0`,
        );
        await client.end();
        assert.equal(rows[0]?.rows, Number(await copy.value('SELECT count(*)::int FROM commits')));
      });
    });

    it('left the original as it was', async () => {
      assert.deepEqual(await contentsOf(server), contents);
      assert.equal(await server.value('SHOW data_directory'), server.dataDirectory);
      assert.equal(
        await readlink(join(server.dataDirectory, 'pg_tblspc', String(outcome.record.archives[1]?.tablespaceOid))),
        places.side,
      );
    });
  });
}
