import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { chmod, link, mkdir, readFile, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { ProgressEvent } from '../../server/src/api/progress.ts';
import type { RestorePlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { startCopy } from '../../server/src/engine/restore/startCopy.ts';
import { readPostmasterPid } from '../../server/src/postgres/postmasterPid.ts';
import { contentsOf, fillAwkwardly, type AwkwardPlaces } from '../support/awkwardDatabase.ts';
import { pgCtl } from '../support/byHand.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestoredCopy, RestorePlace, modesBelow } from '../support/restoredCopy.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { giveToServer, spawnIdentity, unprivilegedUser } from '../support/unprivileged.ts';

const major = 17;
const notRoot = process.getuid?.() === 0 ? false : 'only root restores for another user';

/** What the account that will own the copy does meanwhile; its exit status. */
function asOwner(command: string, ...words: string[]): number | null {
  return spawnSync('sh', ['-c', command, 'sh', ...words], { ...spawnIdentity(), cwd: '/', stdio: 'ignore' }).status;
}

describe('restores that others get in the way of', () => {
  let server: TestServer;
  let backups: TestRepository;
  let places: AwkwardPlaces;
  let contents: Record<string, unknown>;
  let place: RestorePlace;
  let precious: TemporaryDirectory;
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
    precious = await temporaryDirectory('precious');
    await writeFile(join(precious.path, 'secret'), 'secret', { mode: 0o600 });
  });
  afterEach(async () => {
    await place[Symbol.asyncDispose]();
    await precious[Symbol.asyncDispose]();
  });

  /** Restores, and does something once in a phase. */
  async function restoreWith(
    plan: RestorePlan,
    phase: string,
    act: () => void,
    context = engineContext(),
  ): Promise<void> {
    let done = false;
    await runRestore(plan, {
      ...context,
      progress: (event: ProgressEvent) => {
        if (done || event.phase !== phase) return;
        done = true;
        act();
      },
    });
    assert.ok(done, `there was no phase ${phase}`);
  }

  const untouched = async (): Promise<void> => {
    assert.deepEqual(await readdir(precious.path), ['secret']);
    assert.equal(await readFile(join(precious.path, 'secret'), 'utf8'), 'secret');
    assert.deepEqual(
      (await modesBelow(precious.path)).map(({ uid }) => uid),
      [0, 0],
    );
  };

  describe('by root for an owner who is not trusted', { skip: notRoot }, () => {
    it('let nobody in before they are complete', async () => {
      const side = join(place.directory, 'side');
      const plan = await place.plan(backups, major, { tablespaceMapping: new Map([[places.side, side]]) });
      const secret = join(precious.path, 'secret');
      const refused: (number | null)[] = [];
      await restoreWith(plan, 'restoring', () => {
        // The name that a file of Pointback's own once had while it was written.
        refused.push(asOwner('ln -s "$1" "$2"', secret, `${plan.targetDirectory}/postgresql.auto.conf.pointback-new`));
        for (const directory of [plan.targetDirectory, side]) refused.push(asOwner('ls "$1"/.', directory));
      });
      assert.ok(
        refused.every((status) => status !== 0),
        String(refused),
      );
      await untouched();
      for (const directory of [plan.targetDirectory, side]) {
        const strangers = (await modesBelow(directory)).filter(({ uid }) => uid !== unprivilegedUser()?.uid);
        assert.deepEqual(strangers, []);
      }
      assert.deepEqual(
        (await readdir(side)).filter((name) => !name.startsWith('PG_')),
        [],
      );
    });

    it('write nothing through a link put in the place of the directory', async () => {
      const plan = await place.plan(backups, major);
      const restoring = restoreWith(plan, 'restoring', () => {
        const swap = 'mv "$1" "$1.away" && ln -s "$2" "$1"';
        assert.equal(asOwner(swap, plan.targetDirectory, precious.path), 0);
      });
      await assert.rejects(restoring, { code: 'restore.write-failed', message: /moved or replaced/ });
      await untouched();
      assert.deepEqual(await readdir(`${plan.targetDirectory}.away`), []);
    });

    for (const kind of ['a link to a file', 'a link in the place of its folder', 'another name of a file', 'a pipe']) {
      it(`do not start with a log that is ${kind}`, { timeout: 60_000 }, async () => {
        const plan = await place.plan(backups, major, { start: { promote: false } });
        const { start, ...rest } = plan;
        assert.ok(start);
        await runRestore(rest, engineContext());
        const folder = join(plan.targetDirectory, 'pointback');
        const log = join(folder, 'server.log');
        const secret = join(precious.path, 'secret');
        if (kind === 'a link to a file') await symlink(secret, log);
        else if (kind === 'another name of a file') await link(secret, log);
        else if (kind === 'a pipe') assert.equal(asOwner('mkfifo "$1"', log), 0);
        else {
          await rename(folder, `${folder}.away`);
          await symlink(precious.path, folder);
        }
        await assert.rejects(startCopy(plan, start, engineContext()), { code: 'restored-server.failed' });
        await untouched();
        assert.equal(await readPostmasterPid(plan.targetDirectory), undefined);
      });
    }
  });

  it('leave what another restore made beside them', async () => {
    const copies = join(place.directory, 'copies');
    const plan = await place.plan(backups, major, { targetDirectory: join(copies, 'a') });
    const cancellation = new AbortController();
    const cancelled = restoreWith(
      plan,
      'syncing',
      () => {
        if (notRoot === false) assert.equal(statSync(copies).uid, unprivilegedUser()?.uid);
        mkdirSync(join(copies, 'b'));
        writeFileSync(join(copies, 'b', 'PG_VERSION'), `${major}`);
        cancellation.abort();
      },
      engineContext(cancellation.signal),
    );
    await assert.rejects(cancelled, { name: 'AbortError' });
    assert.deepEqual(await readdir(copies), ['b']);
    assert.equal(await readFile(join(copies, 'b', 'PG_VERSION'), 'utf8'), `${major}`);
  });

  it('give a tablespace directory to one of two, and leave nothing of the other', async () => {
    const side = join(place.directory, 'side');
    await mkdir(side, { mode: 0o755 });
    const names = ['one', 'two'];
    const plans = await Promise.all(
      names.map((name) =>
        place.plan(backups, major, {
          targetDirectory: join(place.directory, name),
          tablespaceMapping: new Map([[places.side, side]]),
          ...(notRoot === false ? { owner: unprivilegedUser()?.name ?? '' } : {}),
        }),
      ),
    );
    const results = await Promise.allSettled(plans.map((plan) => runRestore(plan, engineContext())));
    const refused = results.filter((result) => result.status === 'rejected');
    assert.deepEqual(
      refused.map(({ reason }) => (reason as { code?: string }).code),
      ['restore.target-not-empty'],
    );
    const won = plans[results.findIndex(({ status }) => status === 'fulfilled')];
    assert.ok(won);
    const left = (await readdir(place.directory)).filter((name) => !name.endsWith('.log'));
    const winner = basename(won.targetDirectory);
    assert.deepEqual(left.sort(), [winner, `${winner}-tablespaces`, 'side'].sort());
    await pgCtl(server.binaries, won.targetDirectory, 'start');
    const started = { port: won.port, url: '', promoted: false, durationMs: 0, stopCommand: '' };
    assert.deepEqual(await contentsOf(new RestoredCopy(won, started)), contents);
  });

  it('give an existing directory back as it was', async () => {
    await mkdir(place.dataDirectory);
    await chmod(place.dataDirectory, 0o755);
    await giveToServer(place.directory);
    const before = await stat(place.dataDirectory);
    const cancellation = new AbortController();
    const plan = await place.plan(backups, major);
    const act = (): void => {
      cancellation.abort();
    };
    await assert.rejects(restoreWith(plan, 'syncing', act, engineContext(cancellation.signal)), { name: 'AbortError' });
    const { uid, gid, mode } = await stat(place.dataDirectory);
    assert.deepEqual({ uid, gid, mode }, { uid: before.uid, gid: before.gid, mode: before.mode });
  });

  describe('when the copy is not what was wanted', () => {
    const wrong: readonly [string, (plan: RestorePlan) => RestorePlan, { readonly code: string }][] = [
      [
        'it has not reached the end of the backup',
        (plan) => ({ ...plan, backup: { ...plan.backup, endLsn: 'FFFF/0' } }),
        { code: 'restored-server.short' },
      ],
      [
        'it lets nobody in',
        (plan) => ({ ...plan, backup: { ...plan.backup, loginRole: 'nobody-of-that-name' } }),
        { code: 'authentication.refused' },
      ],
    ];
    for (const [why, change, error] of wrong) {
      it(`leave no server and no socket directory behind: ${why}`, async () => {
        const targetDirectory = join(place.directory, 'long'.repeat(25), 'data');
        const { start, ...rest } = await place.plan(backups, major, { targetDirectory, start: { promote: false } });
        assert.ok(start);
        await runRestore(rest, engineContext());
        const temporary = process.env['TMPDIR'];
        process.env['TMPDIR'] = place.directory;
        try {
          await assert.rejects(startCopy(change(rest), start, engineContext()), error);
        } finally {
          if (temporary === undefined) delete process.env['TMPDIR'];
          else process.env['TMPDIR'] = temporary;
        }
        assert.match(await readFile(join(targetDirectory, 'pointback/server.log'), 'utf8'), /ready to accept/);
        assert.equal(await readPostmasterPid(targetDirectory), undefined);
        assert.deepEqual(
          (await readdir(place.directory)).filter((name) => name.startsWith('pointback-')),
          [],
        );
      });
    }

    it('tell at once that it promoted itself, since it could not pause', { timeout: 120_000 }, async () => {
      await using overflowing = await TestRepository.create();
      const client = await server.connect();
      try {
        // More than 64 subtransactions of one transaction: a standby must wait for its end before it lets anybody in.
        await client.query('BEGIN');
        await client.query('CREATE TABLE deep (n int)');
        for (let n = 0; n < 80; n++) await client.query(`SAVEPOINT s${n}; INSERT INTO deep VALUES (${n})`);
        await overflowing.backup(server);
      } finally {
        await client.end();
      }
      const context = engineContext();
      const plan = await place.plan(overflowing, major, { start: { promote: false } });
      const { started } = await runRestore(plan, context);
      assert.ok(started);
      assert.equal(started.promoted, true);
      assert.ok(
        context.lines.some(({ level, message }) => level === 'warning' && message.includes('promoted the copy')),
      );
      const copy = new RestoredCopy(plan, started);
      assert.equal(await copy.value('SELECT pg_is_in_recovery()'), 'false');
      assert.equal(await copy.value('SHOW archive_mode'), 'off');
      assert.deepEqual(await contentsOf(copy), contents);
    });
  });
});
