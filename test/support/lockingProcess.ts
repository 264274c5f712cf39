import { toPointbackError } from '../../server/src/api/errors.ts';
import { lockKey } from '../../server/src/repository/layout.ts';
import { acquireLock } from '../../server/src/repository/lock/exclusiveLock.ts';
import { FileSystemStore } from '../../server/src/repository/store/fileSystemStore.ts';

/** A forked process that tries to lock when told `acquire`, answers `held` or an error's code, and holds on until killed. */
const [directory = ''] = process.argv.slice(2);
const timings = { beatMs: 100, lateMs: 2_000, staleMs: 3_000, pollMs: 20 };
const store = await FileSystemStore.open(directory);

process.on('message', (message) => {
  if (message === 'acquire') void acquire();
});
process.send?.('ready');

async function acquire(): Promise<void> {
  try {
    const lock = await acquireLock(store, lockKey('shop', 'backup'), {
      purpose: 'backup',
      signal: new AbortController().signal,
      timings,
    });
    await lock.confirm();
    process.send?.('held');
  } catch (error) {
    process.send?.(toPointbackError(error).code);
  }
}
