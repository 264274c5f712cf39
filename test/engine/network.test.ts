import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Scene, marker } from '../support/scene.ts';
import { StreamProxy, endAfter, endAt, flipAt, places, untouched } from '../support/streamProxy.ts';

for (const major of [13, 18]) {
  describe(`a backup of PostgreSQL ${major} over a network`, () => {
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
      it(`that ends it by a ${ending}, wherever`, async () => {
        const cuts = [0, 1, 1e-3 * streamBytes, 0.5 * streamBytes].map((bytes) => endAfter(Math.floor(bytes), ending));
        for (const tamper of [...cuts, endAt(places.manifest, 20_000, ending), endAt(places.end, 0, ending)]) {
          proxy.tamper = tamper;
          const error = await scene.assertFails('backup.connection-lost', throughProxy);
          assert.match(error.remedy, /start the backup again/);
        }
      });
    }

    it('that changes a byte of a file', async () => {
      const path = await scene.server.value(`SELECT pg_relation_filepath('marked')`);
      proxy.tamper = flipAt(places.text(marker), 5);
      const error = await scene.assertFails('backup.content-differs', throughProxy);
      assert.equal(error.details?.['subject'], path);
      assert.match(error.message, new RegExp(path));
    });

    it('that changes a byte of a file name', async () => {
      proxy.tamper = flipAt(places.text('base/1/PG_VERSION'), 5);
      await scene.assertFails('tar.damaged', throughProxy);
    });

    it('that changes a byte of the manifest', async () => {
      for (const offset of [3, 700, 30_000]) {
        proxy.tamper = flipAt(places.manifest, offset);
        await scene.assertFails(['manifest.damaged', 'backup.content-differs'], throughProxy);
      }
    });

    it('that is a bad line: a word of the protocol is changed', async () => {
      proxy.tamper = flipAt(places.end, 0);
      await scene.assertFails(['protocol.broken', 'backup.connection-lost'], throughProxy);
    });
  });
}
