import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { contentsOf, fillAwkwardly, type AwkwardPlaces } from '../support/awkwardDatabase.ts';
import { pgCtl } from '../support/byHand.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestorePlace, RestoredCopy, modesBelow } from '../support/restoredCopy.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { giveToServer, unprivilegedUser } from '../support/unprivileged.ts';

const major = 17;

describe('the place a backup is restored to', () => {
  let server: TestServer;
  let backups: TestRepository;
  let places: AwkwardPlaces;
  let contents: Record<string, unknown>;
  let place: RestorePlace;
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
  });
  afterEach(async () => {
    await place[Symbol.asyncDispose]();
  });

  it('may be an empty directory, whose mode becomes what PostgreSQL demands', async () => {
    const side = join(place.directory, 'side');
    for (const path of [place.dataDirectory, side]) await mkdir(path, { mode: 0o755 });
    await giveToServer(place.directory);
    const copy = await place.start(backups, major, { tablespaceMapping: new Map([[places.side, side]]) });
    assert.deepEqual(await contentsOf(copy), contents);
    for (const path of [place.dataDirectory, side]) assert.equal((await modesBelow(path))[0]?.mode, 'directory 700');
  });

  it('may have any name', async () => {
    const targetDirectory = join(place.directory, `it's, "my" \\ $HOME;é`, 'data');
    const copy = await place.start(backups, major, { targetDirectory });
    assert.deepEqual(await contentsOf(copy), contents);
    await copy.stopAsTold();
    assert.equal(await copy.isRunning(), false);
  });

  it('may have a longer name than a socket can', async () => {
    const targetDirectory = join(place.directory, 'long'.repeat(25), 'data');
    const plan = await place.plan(backups, major, { targetDirectory, start: { promote: false } });
    // The socket goes to the system's temporary directory, which is this one for the moment.
    const temporary = process.env['TMPDIR'];
    process.env['TMPDIR'] = place.directory;
    const copy = await place.run(plan);
    if (temporary === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = temporary;
    assert.deepEqual(await contentsOf(copy), contents);
    await copy.stopAsTold();
    // Without a socket from then on, and with the password as before.
    await pgCtl(server.binaries, targetDirectory, 'start');
    assert.equal(await copy.value('SHOW unix_socket_directories'), '');
  });

  it('belongs to the user named, who may be a number', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root can give files away');
      return;
    }
    const name = unprivilegedUser()?.name ?? '';
    const named = await place.plan(backups, major, { owner: name, targetDirectory: '/restored' });
    assert.equal(named.owner?.uid, unprivilegedUser()?.uid);
    const numbered = await place.plan(backups, major, { owner: '54321' });
    assert.deepEqual(numbered.owner, { uid: 54321, gid: 54321, name: '54321' });
    await runRestore(numbered, engineContext());
    assert.ok((await modesBelow(place.dataDirectory)).every(({ uid }) => uid === 54321));
    await assert.rejects(place.plan(backups, major, { owner: 'nobody-of-that-name', targetDirectory: '/restored' }), {
      code: 'restore.owner-unknown',
    });
  });

  it('must not hold anything', async () => {
    const side = join(place.directory, 'side');
    await mkdir(side);
    await writeFile(join(side, 'precious'), 'precious');
    await assert.rejects(place.plan(backups, major, { targetDirectory: side }), {
      code: 'restore.target-not-empty',
      message: /holds precious/,
    });
    await assert.rejects(place.plan(backups, major, { targetDirectory: join(side, 'precious') }), {
      code: 'restore.target-not-empty',
    });
    await assert.rejects(place.plan(backups, major, { tablespaceMapping: new Map([[places.side, side]]) }), {
      code: 'restore.target-not-empty',
    });
    assert.deepEqual(await readdir(place.directory), ['side']);
  });

  it('must not have got anything since the plan was made, and keeps what it got', async () => {
    const oid = await oidOf('plain');
    for (const suffix of ['', `-tablespaces/${oid}`]) {
      const path = place.dataDirectory + suffix;
      const plan = await place.plan(backups, major);
      await mkdir(path, { recursive: true });
      await writeFile(join(path, 'precious'), 'precious');
      await assert.rejects(runRestore(plan, engineContext()), { code: 'restore.target-not-empty' });
      assert.deepEqual(await readdir(path), ['precious']);
      assert.equal(await readFile(join(path, 'precious'), 'utf8'), 'precious');
      await place[Symbol.asyncDispose]();
      place = await RestorePlace.create();
    }
  });

  const oidOf = async (tablespace: string): Promise<number> =>
    Number(await server.value(`SELECT oid::int FROM pg_tablespace WHERE spcname = '${tablespace}'`));

  it('goes to one of two restores at the same time', async () => {
    const plans = await Promise.all([place.plan(backups, major), place.plan(backups, major)]);
    const results = await Promise.allSettled(plans.map((plan) => runRestore(plan, engineContext())));
    const refused = results.find((result) => result.status === 'rejected');
    assert.equal((refused?.reason as { code?: string } | undefined)?.code, 'restore.target-not-empty');
    const won = plans[results.findIndex(({ status }) => status === 'fulfilled')];
    assert.ok(won);
    await pgCtl(server.binaries, place.dataDirectory, 'start');
    const started = { port: won.port, url: '', promoted: false, durationMs: 0, stopCommand: '' };
    assert.deepEqual(await contentsOf(new RestoredCopy(won, started)), contents);
  });

  it('must lie outside the repository', async () => {
    for (const targetDirectory of [
      join(backups.repository.location, 'copy'),
      join(backups.repository.location, 'shop', 'backups', 'copy'),
    ]) {
      await assert.rejects(place.plan(backups, major, { targetDirectory }), {
        code: 'restore.target-inside-repository',
      });
    }
    const link = join(place.directory, 'link');
    await symlink(backups.repository.location, link);
    await assert.rejects(place.plan(backups, major, { targetDirectory: join(link, 'copy') }), {
      code: 'restore.target-inside-repository',
    });
  });

  it('gives every tablespace a directory of its own', async () => {
    const mappings: readonly (readonly [string, string])[][] = [
      [['/not/a/tablespace', '/elsewhere']],
      [[places.side, place.dataDirectory]],
      [[places.side, join(place.dataDirectory, 'side')]],
      [
        [places.side, join(place.directory, 'both')],
        [places.plain, join(place.directory, 'both')],
      ],
      [
        [places.side, join(place.directory, 'both')],
        [places.plain, join(place.directory, 'both', 'plain')],
      ],
      // Where the original's own files are.
      [[places.side, places.side]],
    ];
    for (const mapping of mappings) {
      await assert.rejects(place.plan(backups, major, { tablespaceMapping: new Map(mapping) }), (error: unknown) =>
        ['restore.tablespace-mapping', 'restore.target-not-empty'].includes((error as { code: string }).code),
      );
    }
    assert.deepEqual(await readdir(place.directory), []);
    await assert.rejects(stat(place.dataDirectory), { code: 'ENOENT' });
  });

  it('is left as it was when the restore is cancelled', async () => {
    await mkdir(place.dataDirectory);
    await giveToServer(place.directory);
    const cancellation = new AbortController();
    const context = engineContext(cancellation.signal);
    const plan = await place.plan(backups, major);
    const running = runRestore(plan, {
      ...context,
      progress: ({ phase }) => {
        // Everything is written by then, the files with awkward names included.
        if (phase === 'syncing') cancellation.abort();
      },
    });
    await assert.rejects(running, { name: 'AbortError' });
    assert.deepEqual(await readdir(place.directory), ['data']);
    assert.deepEqual(await readdir(place.dataDirectory), []);
  });
});
