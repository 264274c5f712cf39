import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ProgressEvent } from '../../server/src/api/progress.ts';
import type { JobSpecification } from '../../server/src/jobs/jobSpecification.ts';
import { withoutSecrets } from '../../server/src/jobs/jobSpecification.ts';
import { startJob, type JobListener } from '../../server/src/jobs/startJob.ts';
import type { ConnectionParts } from '../../server/src/postgres/connectionProfile.ts';
import { Secret, type PasswordRequest } from '../../server/src/postgres/secret.ts';
import type { OrphanOrder } from '../support/orphanJobEntry.ts';
import { isRunning, signalIfAlive } from '../support/processes.ts';
import { Scene, assertCode, failure } from '../support/scene.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { waitFor } from '../support/waitFor.ts';
import { inTheMiddle, watchedContext } from '../support/watchedContext.ts';

const password = 'open-sesame-4711';

/** A listener that answers with a password and remembers what it was asked and told. */
function listening(answer = password) {
  const asked: PasswordRequest[] = [];
  const events: ProgressEvent[] = [];
  const context = watchedContext();
  const listener: JobListener = {
    progress: (event) => {
      events.push(event);
      context.progress(event);
    },
    log: () => undefined,
    secrets: {
      password: (request) => {
        asked.push(request);
        return Promise.resolve(new Secret(answer));
      },
    },
  };
  return { listener, asked, events, receiving: () => context.reached('receiving') };
}

describe('a job in a process of its own', () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.open({ major: 18 });
    await scene.server.sql(`CREATE ROLE careful LOGIN REPLICATION PASSWORD '${password}'`);
    await scene.server.sql('CREATE ROLE trusted LOGIN REPLICATION');
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const backupJob = (
    changes: { readonly maxRateKb?: number } = {},
    connection: ConnectionParts = { user: 'careful' },
  ): JobSpecification => {
    const { profile, ...rest } = scene.parameters({}, connection);
    return {
      ...rest,
      ...changes,
      operation: 'backup',
      repository: scene.repository.location,
      profile: withoutSecrets(profile),
    };
  };

  it('takes a backup; the password comes over IPC, and is nowhere else', async () => {
    const { listener, asked, events, receiving } = listening();
    const job = startJob(backupJob({ maxRateKb: 16_384 }), listener);
    const result = await inTheMiddle(job.result, receiving(), async () => {
      assert.notEqual(job.processId, process.pid);
      for (const file of ['cmdline', 'environ']) {
        const text = await readFile(`/proc/${job.processId}/${file}`, 'latin1');
        assert.ok(text.length > 0);
        assert.ok(!text.includes(password), file);
      }
    });
    assert.ok(result.operation === 'backup');
    assert.equal((await scene.ids())[0], result.record.id);
    // Two for replication, one for SQL: a password is kept nowhere.
    assert.equal(asked.length, 3);
    assert.ok(asked.every(({ user, port }) => user === 'careful' && port === scene.server.port));
    const phases = [...new Set(events.map(({ phase }) => phase))];
    assert.deepEqual(phases, ['connecting', 'waiting for checkpoint', 'receiving', 'checking', 'finishing']);
    const done = events.map(({ doneBytes = 0 }) => doneBytes).filter((bytes) => bytes > 0);
    assert.ok(done.length > 5);
    assert.deepEqual(
      done,
      done.toSorted((one, other) => one - other),
    );
    await waitFor('its process is gone', async () => !(await isRunning(job.processId)));
    assert.ok(!JSON.stringify([result, events, asked]).includes(password));
    for (const path of (await scene.files()).keys()) {
      if (path.endsWith('.json'))
        assert.ok(!(await readFile(join(scene.repository.location, path), 'utf8')).includes(password));
    }
  });

  it('does not ask for a password that the server does not want, or that is in a file', async () => {
    const file = join(scene.server.directory, 'password');
    await writeFile(file, password, { mode: 0o600 });
    const { listener, asked } = listening();
    await startJob(backupJob({}, { user: 'careful', passwordFile: file }), listener).result;
    const hba = await readFile(join(scene.server.dataDirectory, 'pg_hba.conf'), 'utf8');
    await scene.server.setHba(`host all,replication trusted 127.0.0.1/32 trust\n${hba}`);
    await startJob(backupJob({}, { user: 'trusted' }), listener).result;
    await scene.server.setHba(hba);
    assert.deepEqual(asked, []);
  });

  it('tells when nobody has the password, or it is wrong', async () => {
    const missing = await failure(startJob(backupJob(), listening('').listener).result);
    assertCode(missing, 'authentication.password-missing');
    const refusing = { ...listening().listener, secrets: { password: () => Promise.reject(new Error('closed')) } };
    assertCode(await failure(startJob(backupJob(), refusing).result), 'authentication.password-missing');
    const wrong = await failure(startJob(backupJob(), listening('something-else-0815').listener).result);
    assertCode(wrong, 'authentication.password');
    assert.doesNotMatch(JSON.stringify([wrong, String(wrong.stack)]), /something-else-0815/);
    await scene.assertWorks();
  });

  it('verifies and restores', async () => {
    await using directory = await temporaryDirectory('restore');
    const targetDirectory = join(directory.path, 'copy');
    const { listener, asked, events } = listening();
    const common = { repository: scene.repository.location, instance: scene.instance };
    const verified = await startJob({ ...common, operation: 'verify' }, listener).result;
    assert.equal(verified.operation === 'verify' && verified.verification.outcome, 'passed');
    const [newest] = await scene.ids();
    const startResources = { serverBinaries: [], containerCommand: [] };
    const restored = await startJob(
      { ...common, operation: 'restore', targetDirectory, tablespaceMapping: {}, startResources },
      listener,
    ).result;
    assert.ok(restored.operation === 'restore' && restored.backup === newest);
    assert.ok((await lstat(join(targetDirectory, 'global/pg_control'))).isFile());
    assert.deepEqual(asked, []);
    assert.ok(events.some(({ phase, doneBytes = 0 }) => phase === 'verifying' && doneBytes > 0));
    assert.ok(events.some(({ phase, doneBytes = 0 }) => phase === 'restoring' && doneBytes > 0));
  });

  it('hands errors on with code, words, remedy and details', async () => {
    const { listener } = listening();
    const nowhere = { operation: 'verify', repository: '/nowhere/at/all', instance: 'shop' } as const;
    const error = await failure(startJob(nowhere, listener).result);
    assertCode(error, 'repository.not-found');
    assert.equal(error.exitCode, 2);
    assert.deepEqual(error.details, { path: '/nowhere/at/all' });
    const unknown = {
      operation: 'verify',
      repository: scene.repository.location,
      instance: 'shop',
      id: '2001',
    } as const;
    assertCode(await failure(startJob(unknown, listener).result), 'backup.unknown');
  });

  for (const how of ['cancel', 'SIGTERM', 'SIGINT'] as const) {
    it(`is ended by ${how}, in order`, async () => {
      const { listener, receiving } = listening();
      const job = startJob(backupJob({ maxRateKb: 2048 }), listener);
      await scene.assertFails('operation.cancelled', () =>
        inTheMiddle(job.result, receiving(), () => {
          if (how === 'cancel') job.cancel();
          else signalIfAlive(job.processId, how);
        }),
      );
      await waitFor('its process is gone', async () => !(await isRunning(job.processId)));
      await scene.assertServerIsFree();
    });
  }

  it('that dies is told of', async () => {
    const { listener, receiving } = listening();
    const job = startJob(backupJob({ maxRateKb: 2048 }), listener);
    const error = await failure(inTheMiddle(job.result, receiving(), () => signalIfAlive(job.processId, 'SIGKILL')));
    assertCode(error, 'job.died');
    assert.deepEqual(error.details, { code: null, signal: 'SIGKILL' });
    await scene.assertWorks();
  });

  it('goes on when the process that started it is gone', async () => {
    const ids = await scene.ids();
    const parent = fork(fileURLToPath(new URL('../support/orphanJobEntry.ts', import.meta.url)));
    const order: OrphanOrder = { specification: backupJob({ maxRateKb: 8192 }), password };
    parent.send(order);
    const [pid] = (await once(parent, 'message')) as [number];
    const [code] = (await once(parent, 'exit')) as [number];
    assert.equal(code, 0);
    assert.ok(await isRunning(pid));
    assert.deepEqual(await scene.ids(), ids);
    await waitFor('the orphan has ended', async () => !(await isRunning(pid)));
    assert.equal((await scene.ids()).length, ids.length + 1);
    await scene.assertWorks();
    assert.ok((await readdir(join(scene.repository.location, 'shop'))).length > 0);
  });
});
