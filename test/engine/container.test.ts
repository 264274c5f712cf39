import assert from 'node:assert/strict';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { chooseStartMethod } from '../../server/src/engine/restore/chooseStartMethod.ts';
import type { RestorePlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { contentsOf, fillAwkwardly, type AwkwardPlaces } from '../support/awkwardDatabase.ts';
import { shell } from '../support/byHand.ts';
import { engineContext } from '../support/engineContext.ts';
import { fakeRecord, storeFakeBackup } from '../support/fakeBackup.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace, RestoredCopy } from '../support/restoredCopy.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { unprivilegedUser } from '../support/unprivileged.ts';
import { waitFor } from '../support/waitFor.ts';

const program = fileURLToPath(new URL('../support/containerProgram.ts', import.meta.url));
const pathInside: Readonly<Record<number, string>> = {
  16: '/var/lib/postgresql/data',
  18: '/var/lib/postgresql/18/docker',
};

for (const major of [16, 18]) {
  describe(`PostgreSQL ${major} restored into a container`, () => {
    let server: TestServer;
    let backups: TestRepository;
    let places: AwkwardPlaces;
    let contents: Record<string, unknown>;
    let place: RestorePlace;
    let state: TemporaryDirectory;
    let command: string[];
    before(async () => {
      server = await startServer({ major });
      backups = await TestRepository.create();
      places = await fillAwkwardly(server);
      contents = await contentsOf(server);
      await backups.backup(server);
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await backups[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      place = await RestorePlace.create();
      state = await temporaryDirectory('containers');
      command = [process.execPath, program, state.path];
    });
    afterEach(async () => {
      await place[Symbol.asyncDispose]();
      await state[Symbol.asyncDispose]();
    });

    const calls = async (): Promise<string[][]> =>
      (await readFile(join(state.path, 'calls.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as string[]);

    /** A plan for a container, whatever servers this machine has. */
    async function planFor(image: string, promote: boolean): Promise<RestorePlan> {
      const mapping = new Map([[places.side, join(place.directory, 'side')]]);
      const plan = await place.plan(backups, major, { tablespaceMapping: mapping, start: { promote } });
      assert.ok(plan.start);
      return { ...plan, start: { ...plan.start, method: { kind: 'container', command, image } } };
    }

    for (const promote of [false, true]) {
      it(`answers on the published port, ${promote ? 'promoted' : 'paused'}`, async () => {
        const plan = await planFor(`postgres:${major}`, promote);
        const { started } = await runRestore(plan, engineContext());
        assert.ok(started);
        const copy = new RestoredCopy(plan, started);
        assert.deepEqual(await contentsOf(copy), contents);
        assert.equal(started.promoted, promote);
        assert.equal(await copy.value('SELECT pg_is_in_recovery()'), String(!promote));
        assert.equal(await copy.value('SHOW archive_mode'), 'off');
        await assert.rejects(copy.connect('postgres', { password: 'wrong' }), { code: '28P01' });
        // The host's paths do not exist inside: whatever names one must have been said on the command line.
        const strange = await copy.sql(
          `SELECT name, setting, source FROM pg_settings
            WHERE position('${place.directory}' IN setting) > 0 AND source NOT IN ('command line', 'override')`,
        );
        assert.deepEqual(strange, []);

        const inside = pathInside[major] ?? '';
        const [run, ...later] = await calls();
        const name = run?.[3] ?? '';
        assert.match(name, new RegExp(`^pointback-${plan.port}-[0-9a-f]{6}$`));
        const user = unprivilegedUser() ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
        assert.deepEqual(run, [
          ...['run', '--detach', '--name', name, '--user', `${user.uid}:${user.gid}`],
          ...['--publish', `127.0.0.1:${plan.port}:5432`, '--env', `PGDATA=${inside}`],
          ...['--volume', `${place.dataDirectory}:${inside}`],
          ...plan.tablespaces.flatMap(({ to }) => ['--volume', `${to}:${to}`]),
          ...[`postgres:${major}`, 'postgres', '-c', `data_directory=${inside}`],
          ...['-c', `hba_file=${inside}/pointback/pg_hba.conf`, '-c', `ident_file=${inside}/pointback/pg_ident.conf`],
          ...['-c', `unix_socket_directories=${inside}/pointback`, '-c', 'listen_addresses=*', '-c', 'port=5432'],
        ]);
        assert.ok(later.every(([word]) => word === 'inspect'));
        await shell(started.stopCommand);
        assert.deepEqual((await calls()).at(-1), ['rm', '--force', name]);
        assert.equal(await copy.isRunning(), false);
      });
    }

    // One major shows these.
    if (major !== 18) return;

    it('that ends at once is told of in its own words, and the directory stays', async () => {
      const plan = await planFor('postgres:13', false);
      await assert.rejects(runRestore(plan, engineContext()), (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'restored-server.failed');
        assert.match(error.message, /initialized by PostgreSQL version|unrecognized configuration parameter/);
        return true;
      });
      assert.ok((await stat(join(place.dataDirectory, 'PG_VERSION'))).isFile());
      assert.deepEqual((await calls()).at(-1)?.slice(0, 2), ['rm', '--force']);
    });

    it('that the engine refuses to run is told of in its words', async () => {
      await assert.rejects(runRestore(await planFor('postgres:99', false), engineContext()), {
        code: 'restored-server.failed',
        message: /manifest for postgres:99 not found/,
      });
    });

    it('that is cancelled while it starts is removed', async () => {
      const plan = await planFor('postgres:sleeping', false);
      const cancellation = new AbortController();
      const running = runRestore(plan, engineContext(cancellation.signal));
      running.catch(() => undefined);
      await waitFor('the container runs', async () =>
        (await calls().catch(() => [])).some(([word]) => word === 'inspect'),
      );
      cancellation.abort();
      await assert.rejects(running, { name: 'AbortError' });
      const [run, ...later] = await calls();
      assert.deepEqual(later.at(-1), ['rm', '--force', run?.[3]]);
    });
  });
}

describe('what a restored copy is started with', () => {
  const startResources = (...containerCommand: string[]) => ({ serverBinaries: [], containerCommand });

  it('is a container of the official image where there are no binaries', async () => {
    await using state = await temporaryDirectory('containers');
    const command = [process.execPath, program, state.path];
    assert.deepEqual(await chooseStartMethod(99, startResources(...command), engineContext()), {
      kind: 'container',
      command,
      image: 'postgres:99',
    });
  });

  for (const [what, command] of [
    ['no container program is named', []],
    ['the container program does not exist', ['/nowhere/docker']],
    ['the container engine does not answer', ['false']],
  ] as const) {
    it(`is nothing where ${what}: refused before anything is written`, async () => {
      await using backups = await TestRepository.create();
      const record = fakeRecord(1, { serverVersion: '99.1', serverVersionNumber: 990001 });
      await storeFakeBackup(backups.repository, backups.instance, record);
      await using place = await RestorePlace.create();
      await assert.rejects(
        place.plan(backups, 99, { start: { promote: false }, startResources: startResources(...command) }),
        { code: 'restore.no-server', message: /PostgreSQL 99/, remedy: /postgresql-99/ },
      );
      assert.deepEqual(await readdir(place.directory), []);
    });
  }
});
