import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { planDeletion } from '../../server/src/engine/delete/planDeletion.ts';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import { openRepository } from '../../server/src/repository/repository.ts';
import { engineContext } from '../support/engineContext.ts';
import { startServer } from '../support/postgresServer.ts';
import { canMount, SmallDisk } from '../support/smallDisk.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { TestRepository } from '../support/testRepository.ts';

const run = promisify(execFile);
const startResources = { serverBinaries: [], containerCommand: [] };

describe('after a disaster', () => {
  it(
    'a repository on a read-only disk is verified and restored from',
    { skip: canMount ? false : 'needs root to mount a disk' },
    async () => {
      await using server = await startServer({ major: 16 });
      await using own = await TestRepository.create();
      const { record } = await own.backup(server);
      await using disk = await SmallDisk.mount(64);
      const location = join(disk.path, 'repository');
      await cp(own.repository.location, location, { recursive: true });
      await run('mount', ['-o', 'remount,ro', disk.path]);

      const repository = await openRepository(location, { create: false });
      const context = engineContext();
      const { verification } = await verifyBackup({ repository, instance: own.instance }, context);
      assert.equal(verification.outcome, 'passed');
      assert.match(context.lines.map(({ message }) => message).join('\n'), /outcome is not recorded/);

      await using directory = await temporaryDirectory('restored');
      const targetDirectory = join(directory.path, 'data');
      const plan = await planRestore(
        { repository, instance: own.instance, targetDirectory, tablespaceMapping: new Map(), startResources },
        context,
      );
      assert.equal(plan.backup.id, record.id);
      await runRestore(plan, context);
      assert.ok((await stat(join(targetDirectory, 'global/pg_control'))).size > 0);
      await run('mount', ['-o', 'remount,rw', disk.path]);
    },
  );

  it('one unreadable commit record stops neither the next backup nor the deletion of another', async () => {
    await using server = await startServer({ major: 16 });
    await using own = await TestRepository.create();
    const damaged = await own.backup(server);
    const whole = await own.backup(server);
    await writeFile(join(own.dataFolder(damaged), '../backup.json'), '{ "format": 1, "id": ');
    const next = await own.backup(server);
    assert.equal(next.state, 'unproven');
    const plan = await planDeletion({ repository: own.repository, instance: own.instance, id: whole.record.id });
    assert.equal(plan.newestLeft?.record.id, next.record.id);
  });
});
