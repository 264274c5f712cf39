import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { engineContext } from '../support/engineContext.ts';
import { Scene, failure, marker } from '../support/scene.ts';
import { StreamProxy, endAfter, endAt, flipAt, places, untouched } from '../support/streamProxy.ts';
import { waitFor } from '../support/waitFor.ts';
import type { ProgressEvent } from '../../server/src/api/progress.ts';
import type { OperationContext } from '../../server/src/engine/context.ts';

/** Slow enough that everything here happens in the middle of it. */
const slowly = { maxRateKb: 2048 };

/** A context whose `receiving` resolves once content of the backup has arrived. */
function watched(signal = new AbortController().signal): { context: OperationContext; receiving: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const progress = ({ phase, doneBytes = 0 }: ProgressEvent): void => {
    if (phase === 'receiving' && doneBytes > 0) resolve(undefined);
  };
  return { context: { ...engineContext(signal), progress }, receiving: promise };
}

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
      await scene.assertWorks();
    });

    /** Runs a slow backup and does something to it in the middle. */
    const during = (act: () => Promise<unknown>) => async (): Promise<unknown> => {
      const { context, receiving } = watched();
      const running = scene.backup(slowly, context);
      running.catch(() => undefined);
      await Promise.race([receiving, running]);
      await act();
      return running;
    };

    it('by cancelling while data arrives', async () => {
      const cancellation = new AbortController();
      let cancelledAt = 0;
      const { context, receiving } = watched(cancellation.signal);
      await scene.assertFails('operation.cancelled', async () => {
        const running = scene.backup(slowly, context);
        await Promise.race([receiving, running]);
        cancelledAt = performance.now();
        cancellation.abort();
        return running;
      });
      await scene.assertServerIsFree();
      assert.ok(performance.now() - cancelledAt < 3000, `${performance.now() - cancelledAt} ms`);
    });

    it('by cancelling while the server spreads its checkpoint', async () => {
      await scene.server.sql(`CREATE TABLE dirty_${major} AS SELECT n, repeat('x', 2000) FROM generate_series(1, 2000) AS n`);
      const cancellation = new AbortController();
      let cancelledAt = 0;
      await scene.assertFails('operation.cancelled', async () => {
        const running = scene.backup({ checkpoint: 'spread' }, engineContext(cancellation.signal));
        running.catch(() => undefined);
        await waitFor('the walsender waits for the checkpoint', async () =>
          (await scene.server.sql(`SELECT FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event LIKE 'Checkpoint%'`)).length > 0,
        );
        cancelledAt = performance.now();
        cancellation.abort();
        return running;
      });
      await scene.assertServerIsFree();
      assert.ok(performance.now() - cancelledAt < 3000, `${performance.now() - cancelledAt} ms`);
    });

    for (const mode of ['fast', 'immediate'] as const) {
      it(`by an ${mode} shutdown of the server`, async () => {
        const error = await scene.assertFails(
          ['backup.server-shutdown', ...(mode === 'immediate' ? (['backup.connection-lost'] as const) : [])],
          during(() => scene.server.stop(mode)),
        );
        assert.match(error.remedy, /start the backup again/i);
        await scene.server.start();
      });
    }

    it('by pg_terminate_backend', async () => {
      const error = await scene.assertFails(
        'backup.server-shutdown',
        during(() => scene.server.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_replication`)),
      );
      assert.match(error.message, /terminat|ended/);
    });

    it('by pg_cancel_backend', async () => {
      await scene.assertFails(
        'backup.cancelled-on-server',
        during(() => scene.server.sql(`SELECT pg_cancel_backend(pid) FROM pg_stat_replication WHERE state = 'backup'`)),
      );
    });
  });

  describe(`a backup of PostgreSQL ${major} over a network that fails`, () => {
    let scene: Scene;
    let proxy: StreamProxy;
    let streamBytes: number;
    const throughProxy = (): Promise<unknown> =>
      scene.backup(scene.parameters({}, { host: '127.0.0.1', port: proxy.port }));
    before(async () => {
      scene = await Scene.open({ major });
      proxy = await StreamProxy.open(scene.server);
      await throughProxy();
      streamBytes = proxy.streamedBytes;
      assert.ok(streamBytes > 20_000_000);
    });
    after(async () => {
      await proxy[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
    });
    afterEach(async () => {
      proxy.tamper = untouched;
      await scene.assertWorks();
    });

    for (const ending of ['close', 'reset'] as const) {
      for (const part of [0, 1e-6, 0.001, 0.3, 0.9]) {
        it(`is cut by a ${ending} after ${part * 100} % of the stream`, async () => {
          proxy.tamper = endAfter(Math.ceil(streamBytes * part), ending);
          const error = await scene.assertFails('backup.connection-lost', throughProxy);
          assert.match(error.remedy, /start the backup again/);
        });
      }

      it(`is cut by a ${ending} inside the manifest`, async () => {
        proxy.tamper = endAt(places.manifest, 20_000, ending);
        await scene.assertFails('backup.connection-lost', throughProxy);
      });

      it(`is cut by a ${ending} when only the last word is missing`, async () => {
        proxy.tamper = endAt(places.end, 0, ending);
        await scene.assertFails('backup.connection-lost', throughProxy);
      });
    }

    it('changes a byte of a file', async () => {
      const path = await scene.server.value(`SELECT pg_relation_filepath('marked')`);
      proxy.tamper = flipAt(places.text(marker), 5);
      const error = await scene.assertFails('backup.content-differs', throughProxy);
      assert.equal(error.details?.['subject'], path);
      assert.match(error.message, new RegExp(path));
    });

    it('changes a byte of a file name', async () => {
      proxy.tamper = flipAt(places.text('base/1/PG_VERSION'), 5);
      await scene.assertFails('tar.damaged', throughProxy);
    });

    it('changes a byte of the manifest', async () => {
      for (const offset of [3, 700, 30_000]) {
        proxy.tamper = flipAt(places.manifest, offset);
        await scene.assertFails(['manifest.damaged', 'backup.content-differs'], throughProxy);
      }
    });
  });
}
