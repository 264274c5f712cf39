import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toPointbackError } from '../../server/src/api/errors.ts';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import type { RestorePlan } from '../../server/src/engine/restore/restorePlan.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { engineContext } from '../support/engineContext.ts';
import { Scene, assertCode, failure, filesBelow, openBelow } from '../support/scene.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporaryDirectory.ts';
import { inTheMiddle, watchedContext } from '../support/watchedContext.ts';

describe('a restore into', () => {
  let scene: Scene;
  let directory: TemporaryDirectory;
  before(async () => {
    scene = await Scene.open({ major: 18 });
    directory = await temporaryDirectory('targets');
  });
  after(async () => {
    await directory[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  });
  const below = (name: string): string => join(directory.path, name);
  const plan = (targetDirectory: string): Promise<RestorePlan> =>
    planRestore(
      {
        repository: scene.repository,
        instance: scene.instance,
        targetDirectory,
        tablespaceMapping: new Map(),
        startResources: { serverBinaries: [], containerCommand: [] },
      },
      engineContext(),
    );

  it('a directory that is not empty is refused', async () => {
    await mkdir(below('full'));
    await writeFile(below('full/PG_VERSION'), '18');
    const error = await failure(plan(below('full')));
    assertCode(error, 'restore.target-not-empty');
    assert.match(error.message, /is not empty: it holds PG_VERSION/);
    assert.deepEqual([...(await filesBelow(below('full'))).keys()], ['PG_VERSION']);
  });

  it('a file is refused', async () => {
    await writeFile(below('file'), 'precious');
    const error = await failure(plan(below('file')));
    assertCode(error, 'restore.target-not-empty');
    assert.match(error.message, /is a file/);
  });

  it('a directory below a file is refused', async () => {
    const error = await failure(plan(below('file/copy')));
    assertCode(error, 'restore.target-not-empty');
  });

  it('the repository is refused, also through a link', async () => {
    await symlink(scene.repository.location, below('link-to-repository'));
    await mkdir(join(scene.repository.location, 'empty'));
    await symlink(join(scene.repository.location, 'empty'), below('link-to-empty'));
    for (const target of [
      join(scene.repository.location, 'copy'),
      join(scene.repository.location, 'empty'),
      join(scene.repository.location, 'shop/backups/copy'),
      `${scene.repository.location}/../repository/copy`,
      below('link-to-repository/copy'),
      below('link-to-empty'),
      below('link-to-empty/a/b'),
    ]) {
      assertCode(await failure(plan(target)), 'restore.target-inside-repository');
    }
    // Beside it is not inside.
    assert.ok(await plan(`${scene.repository.location}-copy`));
  });

  it('a link to an empty directory goes where it leads', async () => {
    await mkdir(below('elsewhere'));
    await symlink(below('elsewhere'), below('link'));
    await runRestore(await plan(below('link')), engineContext());
    assert.ok((await lstat(below('link'))).isSymbolicLink());
    assert.ok((await readdir(below('elsewhere'))).includes('PG_VERSION'));
  });

  it('a link to nowhere is refused', async () => {
    await symlink(below('nowhere'), below('dangling'));
    assertCode(await failure(plan(below('dangling'))), 'restore.target-not-empty');
  });

  it('what another restore is filling is refused, and harms nobody', async () => {
    const target = below('twice');
    const first = await plan(target);
    const late = await plan(target);
    const context = watchedContext();
    await inTheMiddle(runRestore(first, context), context.reached('restoring'), async () => {
      assertCode(await failure(plan(target)), 'restore.target-not-empty');
      assertCode(await failure(runRestore(late, engineContext())), 'restore.target-not-empty');
    });
    assert.ok((await readdir(target)).includes('PG_VERSION'));
  });

  it('one directory, twice at the same moment: one wins and is whole', async () => {
    const target = below('race');
    const plans = [await plan(target), await plan(target)];
    const outcomes = await Promise.allSettled(plans.map((each) => runRestore(each, engineContext())));
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(lost.length, 1);
    assertCode(toPointbackError(lost[0]?.reason), 'restore.target-not-empty');
    assert.ok((await lstat(join(target, 'global/pg_control'))).isFile());
  });

  it('a directory is cancelled, and leaves nothing', async () => {
    await mkdir(below('there'));
    for (const target of [below('there'), below('new/deeper')]) {
      const cancellation = new AbortController();
      const context = watchedContext(cancellation.signal);
      const running = runRestore(await plan(target), context);
      const error = await failure(
        inTheMiddle(running, context.reached('restoring'), () => {
          cancellation.abort();
        }),
      );
      assertCode(error, 'operation.cancelled');
    }
    assert.deepEqual(await readdir(below('there')), []);
    await assert.rejects(lstat(below('new')), { code: 'ENOENT' });
    assert.deepEqual(await openBelow(directory.path), []);
    assert.deepEqual((await readdir(join(scene.repository.location, 'shop'))).sort(), ['backups', 'instance.json']);
  });
});
