import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { startJob } from '../../server/src/jobs/startJob.ts';
import { withoutSecrets } from '../../server/src/jobs/jobSpecification.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import { startBackupProcess } from '../support/backupProcess.ts';
import { signalIfAlive } from '../support/processes.ts';
import { Scene, failure } from '../support/scene.ts';
import { StreamProxy, endAt, places, untouched } from '../support/streamProxy.ts';
import { waitFor } from '../support/waitFor.ts';
import { inTheMiddle, watchedContext } from '../support/watchedContext.ts';

describe('a process that is killed while it takes a backup', () => {
  let scene: Scene;
  let proxy: StreamProxy;
  before(async () => {
    scene = await Scene.open({ major: 18 });
    proxy = await StreamProxy.open(scene.server);
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  });
  afterEach(() => {
    proxy.tamper = untouched;
  });

  /** Kills between start and end; the next backup must sweep what is left, at once. */
  async function assertSwept(kill: () => Promise<void>): Promise<void> {
    const ids = await scene.ids();
    const before = await scene.files();
    await kill();
    assert.deepEqual(await scene.ids(), ids);
    const left = [...(await scene.files()).keys()].filter((path) => !before.has(path));
    assert.ok(left.includes('shop/locks/backup.json'), left.join(', '));
    const startedAt = performance.now();
    await scene.assertWorks();
    assert.ok(performance.now() - startedAt < 20_000, 'a dead owner is not waited for');
  }

  /** A job whose middle is `middle`, and the kill of its process. */
  async function killJob(middle: (receiving: Promise<void>) => Promise<unknown>, maxRateKb?: number): Promise<void> {
    const context = watchedContext();
    const { profile, ...rest } = scene.parameters({}, { host: '127.0.0.1', port: proxy.port });
    const job = startJob(
      {
        ...rest,
        operation: 'backup',
        repository: scene.repository.location,
        profile: withoutSecrets(profile),
        ...(maxRateKb === undefined ? {} : { maxRateKb }),
      },
      { ...context, secrets: { password: () => Promise.resolve(new Secret('pw')) } },
    );
    const error = await failure(
      inTheMiddle(job.result, middle(context.reached('receiving')), () => signalIfAlive(job.processId, 'SIGKILL')),
    );
    assert.equal(error.code, 'job.died');
    assert.match(error.message, /SIGKILL/);
  }

  it('while data arrives', async () => {
    await assertSwept(() => killJob((receiving) => receiving, 2048));
  });

  it('in the middle of the manifest', async () => {
    proxy.tamper = endAt(places.manifest, 20_000, 'hold');
    await assertSwept(() => killJob(() => waitFor('the manifest is half there', () => proxy.holding)));
  });

  const moments = [
    { what: 'when its lock is new', moment: 'putIfAbsent answered', key: 'locks/backup.json' },
    { what: 'when its archive is whole', moment: 'put answered', key: 'data/base.tar.zst' },
    { what: 'when its manifest is whole', moment: 'put answered', key: 'data/backup_manifest' },
    { what: 'right before the commit', moment: 'putIfAbsent', key: '-full/backup.json' },
  ];
  for (const { what, ...hangAt } of moments) {
    it(what, async () => {
      await assertSwept(async () => {
        const child = startBackupProcess({ ...scene.order(), hangAt });
        assert.deepEqual(await child.news, { kind: 'hangs' });
        await child.kill();
      });
    });
  }

  it('right after the commit, which then stands', async () => {
    const ids = await scene.ids();
    const child = startBackupProcess({
      ...scene.order(),
      hangAt: { moment: 'putIfAbsent answered', key: '-full/backup.json' },
    });
    assert.deepEqual(await child.news, { kind: 'hangs' });
    await child.kill();
    assert.equal((await scene.ids()).length, ids.length + 1);
    await scene.assertWorks();
  });
});

describe('two backups of one instance at once', () => {
  it('are refused: the second one is told who holds the lock', async () => {
    await using scene = await Scene.open({ major: 18 });
    const context = watchedContext();
    const first = scene.backup({ maxRateKb: 5000 }, context);
    await inTheMiddle(first, context.reached('receiving'), async () => {
      const startedAt = performance.now();
      const error = await failure(scene.backup());
      assert.equal(error.code, 'lock.held');
      assert.match(error.message, new RegExp(`backup, process ${process.pid} on .*, since 20`));
      assert.match(error.remedy, /Wait until that is done, or stop process/);
      assert.equal(error.details?.['pid'], process.pid);
      const took = performance.now() - startedAt;
      assert.ok(took < 10_000, `it took ${took} ms`);
    });
    assert.equal((await scene.ids()).length, 2);
    await scene.assertWorks();
  });
});
