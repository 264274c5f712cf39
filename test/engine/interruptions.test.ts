import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Scene } from '../support/scene.ts';
import { waitFor } from '../support/waitFor.ts';
import { inTheMiddle, watchedContext, type WatchedContext } from '../support/watchedContext.ts';

/** Slow enough that everything here happens in the middle of it. */
const slowly = { maxRateKb: 2048 };

/** By then a cancelled backup must have ended, and the server be rid of us. Milliseconds. */
const promptly = 3000;

for (const major of [13, 18]) {
  describe(`a backup of PostgreSQL ${major} that is interrupted`, () => {
    let scene: Scene;
    before(async () => {
      scene = await Scene.open({ major, settings: { checkpoint_timeout: '30min' } });
    });
    after(async () => {
      await scene[Symbol.asyncDispose]();
    });
    afterEach(async () => {
      if (scene.server.pid === undefined) await scene.server.start();
      await scene.assertWorks();
    });

    const whileReceiving = (act: () => Promise<unknown>) => (): Promise<unknown> => {
      const context = watchedContext();
      return inTheMiddle(scene.backup(slowly, context), context.reached('receiving'), act);
    };

    /** Starts a backup and cancels it once it has come to `middle`; all must be over soon after. */
    async function assertCancels(
      start: (context: WatchedContext) => Promise<unknown>,
      middle: (context: WatchedContext) => Promise<unknown>,
    ): Promise<void> {
      const cancellation = new AbortController();
      const context = watchedContext(cancellation.signal);
      let cancelledAt = 0;
      await scene.assertFails('operation.cancelled', () =>
        inTheMiddle(start(context), middle(context), () => {
          cancelledAt = performance.now();
          cancellation.abort();
        }),
      );
      await scene.assertServerIsFree();
      const took = performance.now() - cancelledAt;
      assert.ok(took < promptly, `it took ${took} ms`);
    }

    it('by cancelling while data arrives', async () => {
      await assertCancels(
        (context) => scene.backup(slowly, context),
        (context) => context.reached('receiving'),
      );
    });

    it('by cancelling while the server spreads its checkpoint', async () => {
      await scene.server.sql(`CREATE TABLE dirty AS SELECT repeat('x', 2000) FROM generate_series(1, 2000)`);
      const waiting = `SELECT FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event LIKE 'Checkpoint%'`;
      await assertCancels(
        (context) => scene.backup({ checkpoint: 'spread' }, context),
        () => waitFor('the walsender waits', async () => (await scene.server.sql(waiting)).length > 0),
      );
    });

    it('by a fast shutdown of the server', async () => {
      const shutDown = whileReceiving(() => scene.server.stop('fast'));
      const error = await scene.assertFails('backup.server-shutdown', shutDown);
      assert.match(error.remedy, /Nothing was kept.*start the backup again/i);
    });

    it('by an immediate shutdown of the server', async () => {
      const shutDown = whileReceiving(() => scene.server.stop('immediate'));
      await scene.assertFails(['backup.server-shutdown', 'backup.connection-lost'], shutDown);
    });

    it('by a power cut of the server', async () => {
      const powerCut = whileReceiving(() => scene.server.kill());
      await scene.assertFails('backup.connection-lost', powerCut);
    });

    it('by pg_terminate_backend', async () => {
      const terminate = whileReceiving(() =>
        scene.server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE state = 'backup'`),
      );
      const error = await scene.assertFails('backup.server-shutdown', terminate);
      assert.match(error.message, /session/);
    });

    it('by pg_cancel_backend', async () => {
      const cancel = whileReceiving(() =>
        scene.server.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_replication WHERE state = 'backup'`),
      );
      await scene.assertFails('backup.cancelled-on-server', cancel);
    });
  });
}
