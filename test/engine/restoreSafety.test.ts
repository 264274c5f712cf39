import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { link, lstat, mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { ProgressEvent } from '../../server/src/api/progress.ts';
import type { RestorePlan, StartPlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { startCopy } from '../../server/src/engine/restore/startCopy.ts';
import { startPostmaster, stopPostmaster } from '../../server/src/postgres/postmaster.ts';
import { readPostmasterPid } from '../../server/src/postgres/postmasterPid.ts';
import { contentsOf, fillAwkwardly, type AwkwardPlaces } from '../support/awkwardDatabase.ts';
import { pgCtl } from '../support/byHand.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { RestoredCopy, RestorePlace, modesBelow } from '../support/restoredCopy.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';
import type { TestServer } from '../support/testServer.ts';
import { spawnIdentity, unprivilegedUser } from '../support/unprivileged.ts';

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
    const first = await place.plan(backups, major, { targetDirectory: join(copies, 'a') });
    const cancellation = new AbortController();
    let second: Promise<RestorePlan> | undefined;
    const cancelled = restoreWith(
      first,
      'restoring',
      () => {
        second = place.plan(backups, major, { targetDirectory: join(copies, 'b') }).then(async (plan) => {
          await runRestore(plan, engineContext());
          return plan;
        });
        second.then(
          () => {
            cancellation.abort();
          },
          () => undefined,
        );
      },
      {
        ...engineContext(cancellation.signal),
        progress: () => undefined,
      },
    );
    await holdUntilAborted(cancelled, cancellation.signal);
    const plan = await second;
    assert.ok(plan);
    assert.equal(plan.owner?.uid, unprivilegedUser()?.uid);
    assert.deepEqual(await readdir(copies), ['b']);
    await pgCtl(server.binaries, plan.targetDirectory, 'start');
    const started = { port: plan.port, url: '', promoted: false, durationMs: 0, stopCommand: '' };
    assert.equal(await new RestoredCopy(plan, started).value('SELECT count(*)::int FROM aside'), '5000');
  });
});
