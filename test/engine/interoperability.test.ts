import assert from 'node:assert/strict';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BackupOutcome } from '../../server/src/engine/backup/runningBackup.ts';
import type { CompressionMethod } from '../../server/src/repository/backupRecord.ts';
import { contentsOf, fillAwkwardly, missingAwkwardFiles, type AwkwardPlaces } from '../support/awkwardDatabase.ts';
import { giveAwkwardFilesToServer, pgCtl, shell } from '../support/byHand.ts';
import { clientTool } from '../support/postgresBinaries.ts';
import { startServer } from '../support/postgresServer.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';

/** Unpacks `$1` (without its suffix) into the directory `$2`, as the manual says. */
const unpack: Readonly<Record<CompressionMethod, string>> = {
  zstd: 'unpack() { zstd -dcq "$1.tar.zst" | tar x -C "$2"; }',
  gzip: 'unpack() { tar xzf "$1.tar.gz" -C "$2"; }',
  none: 'unpack() { tar xf "$1.tar" -C "$2"; }',
};

/** The restore by hand: each archive to its place, the manifest beside, tablespaces linked when they are sent elsewhere. */
const restoreByHand = `
  mkdir -m 700 "$to" && unpack "$from/base" "$to" && cp "$from/backup_manifest" "$to"
  mkdir -p "$side" "$plain" && unpack "$from/$side_oid" "$side" && unpack "$from/$plain_oid" "$plain"
  ln -sfn "$side" "$to/pg_tblspc/$side_oid" && ln -sfn "$plain" "$to/pg_tblspc/$plain_oid"
`;

describe('a backup without Pointback', () => {
  for (const major of [13, 15, 18]) {
    describe(`of PostgreSQL ${major}`, () => {
      let server: TestServer;
      let backups: TestRepository;
      let places: AwkwardPlaces;
      let contents: Record<string, unknown>;
      const outcomes = new Map<CompressionMethod, BackupOutcome>();
      before(async () => {
        // Where the tools look into WAL, there is some.
        server = await startServer({ major, initdbArguments: ['--wal-segsize=1'], settings: { fsync: true } });
        backups = await TestRepository.create();
        places = await fillAwkwardly(server);
        contents = await contentsOf(server);
        for (const method of ['zstd', 'gzip', 'none'] as const) {
          outcomes.set(method, await backups.backup(server, { compression: { method } }));
        }
        // The copies take its port, and the places its tablespaces had.
        await server.stop();
      });
      after(async () => {
        await server[Symbol.asyncDispose]();
        await backups[Symbol.asyncDispose]();
      });

      /** What `restoreByHand` and the checks after it name. */
      function variables(method: CompressionMethod, to: string, side: string, plain: string): Record<string, string> {
        const outcome = outcomes.get(method);
        assert.ok(outcome);
        const oidOf = (place: string): string =>
          String(outcome.record.archives.find(({ location }) => location === place)?.tablespaceOid);
        const oids = { side_oid: oidOf(places.side), plain_oid: oidOf(places.plain) };
        return { from: backups.dataFolder(outcome), to, side, plain, ...oids };
      }

      async function assertComesUp(dataDirectory: string): Promise<void> {
        await pgCtl(server.binaries, dataDirectory, 'start');
        try {
          assert.equal(await server.value('SHOW data_directory'), dataDirectory);
          assert.deepEqual(await contentsOf(server), contents);
          assert.equal(await server.value('SELECT pg_is_in_recovery()'), 'false');
          await server.sql('CREATE TABLE fresh AS SELECT 1 AS one');
        } finally {
          await pgCtl(server.binaries, dataDirectory, 'stop');
        }
      }

      for (const method of ['zstd', 'gzip', 'none'] as const) {
        it(`unpacks from ${method}${major === 15 ? ', satisfies pg_verifybackup' : ''}, and comes up from its own files`, async () => {
          await using home = await temporaryDirectory('by-hand', { forServer: true });
          const to = join(home.path, 'data');
          const names = variables(method, to, join(home.path, 'side'), join(home.path, 'plain'));
          assert.equal(await shell(`${unpack[method]}\n${restoreByHand}`, names), '', 'no tool complains');
          assert.deepEqual(await missingAwkwardFiles(to), []);
          const pgVerifyBackup = await clientTool('pg_verifybackup', major);
          // Debian's 15 is part of the set-up; the WAL is parsed by its pg_waldump.
          assert.ok(pgVerifyBackup !== undefined || major !== 15);
          if (pgVerifyBackup !== undefined) {
            const said = await shell('"$pg_verifybackup" "$to"', { pg_verifybackup: pgVerifyBackup, to });
            assert.match(said, /backup successfully verified/);
          }
          // The map wins over the links: the server makes them anew from it.
          await shell(`printf '%s %s\\n' "$side_oid" "$side" "$plain_oid" "$plain" >"$to/tablespace_map"`, names);
          await giveAwkwardFilesToServer(home.path);
          await assertComesUp(to);
        });
      }

      it('comes up untouched where the tablespaces go to their old places', async () => {
        await using home = await temporaryDirectory('by-hand', { forServer: true });
        const to = join(home.path, 'data');
        for (const place of [places.side, places.plain]) await rename(place, `${place}.original`);
        try {
          const names = variables('zstd', to, places.side, places.plain);
          // No links: backup_label and tablespace_map are all the server needs.
          await shell(`${unpack.zstd}\n${restoreByHand}\nrm "$to/pg_tblspc/"*`, names);
          for (const place of [to, places.side, places.plain]) await giveAwkwardFilesToServer(place);
          await assertComesUp(to);
        } finally {
          for (const place of [places.side, places.plain]) {
            await shell('rm -r "$place"', { place });
            await rename(`${place}.original`, place);
          }
        }
      });

      // Only 15's tools are on every machine.
      if (major !== 15) return;
      it('fails pg_verifybackup when WAL is missing or a byte differs', async () => {
        const pgVerifyBackup = await clientTool('pg_verifybackup', major);
        assert.ok(pgVerifyBackup !== undefined);
        await using home = await temporaryDirectory('by-hand');
        const to = join(home.path, 'data');
        await mkdir(join(home.path, 'side'));
        const names = variables('none', to, join(home.path, 'side'), join(home.path, 'plain'));
        await shell(`${unpack.none}\n${restoreByHand}`, names);
        const verify = (): Promise<string> => shell('"$verify" "$to"', { verify: pgVerifyBackup, to });
        await shell('mkdir "$to/away" && mv "$to"/pg_wal/0* "$to/away" && rm -r "$to/away"', { to });
        await assert.rejects(verify(), /WAL parsing failed/);
        await shell('printf x >>"$to/PG_VERSION"', { to });
        await assert.rejects(verify(), /"PG_VERSION" has size/);
      });
    });
  }
});

/** Of PostgreSQL 18 or newer, which reads archives as they are: from POINTBACK_PG18_BIN, or installed. */
async function newPgVerifyBackup(): Promise<string | undefined> {
  const named = process.env['POINTBACK_PG18_BIN'];
  return named === undefined ? clientTool('pg_verifybackup', 18) : join(named, 'pg_verifybackup');
}

const pgVerifyBackup18 = await newPgVerifyBackup();
if (pgVerifyBackup18 !== undefined) {
  describe('the folder of a backup, as it is', () => {
    for (const method of ['zstd', 'gzip', 'none'] as const) {
      it(`satisfies pg_verifybackup --format=tar with ${method}`, { timeout: 60_000 }, async () => {
        await using server = await startServer({ major: 18 });
        await using backups = await TestRepository.create();
        await fillAwkwardly(server);
        const from = backups.dataFolder(await backups.backup(server, { compression: { method } }));
        const said = await shell('timeout 30 "$verify" --format=tar --no-parse-wal "$from"', {
          verify: pgVerifyBackup18,
          from,
        });
        assert.match(said, /backup successfully verified/);
      });
    }
  });
}
