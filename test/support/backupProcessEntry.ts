import { PointbackError, toPointbackError } from '../../server/src/api/errors.ts';
import { runBackup } from '../../server/src/engine/backup/runBackup.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import { openRepository } from '../../server/src/repository/repository.ts';
import { failOnCall } from '../faults/failOnCall.ts';
import { policyStore } from '../faults/policyStore.ts';
import { slowStore } from '../faults/slowStore.ts';
import type { BackupProcessNews, BackupProcessOrder } from './backupProcess.ts';
import { engineContext } from './engineContext.ts';

const never = new Promise<void>(() => undefined);

function tell(news: BackupProcessNews): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(news, undefined, undefined, () => {
      resolve();
    });
  });
}

async function run({ repository, instance, profile, password, hangAt, failOn }: BackupProcessOrder): Promise<void> {
  const opened = await openRepository(repository, { create: false });
  const failing = failOnCall(
    opened.store,
    failOn?.n ?? Infinity,
    () => new PointbackError('store.failed', { message: 'The disk of the repository gave up.' }),
    { calls: ['put', 'putIfAbsent', 'delete', 'sweep'], once: failOn?.once ?? false },
  );
  const slow = slowStore(failing, async (moment, key) => {
    if (moment !== hangAt?.moment || !key.endsWith(hangAt.key)) return;
    await tell({ kind: 'hangs' });
    await never;
  });
  try {
    const { record } = await runBackup(
      {
        repository: { ...opened, store: policyStore(slow) },
        instance,
        profile: { ...profile, password: new Secret(password) },
        checkpoint: 'fast',
        compression: { method: 'zstd', level: 1 },
      },
      engineContext(),
    );
    await tell({ kind: 'done', id: record.id, calls: failing.calls });
  } catch (error) {
    await tell({ kind: 'failed', error: toPointbackError(error).toJSON() });
  } finally {
    process.disconnect();
  }
}

process.once('message', (order: BackupProcessOrder) => {
  void run(order);
});
