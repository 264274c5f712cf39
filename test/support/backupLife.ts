import { listBackups } from '../../server/src/repository/catalog.ts';
import { removeBackup, sweepUnfinished } from '../../server/src/repository/removal.ts';
import { openRepository } from '../../server/src/repository/repository.ts';
import { fakeRecord, storeFakeBackup } from './fakeBackup.ts';

/** A process to be killed: `node backupLife.ts DIRECTORY` takes and removes backups for ever, keeping the newest three. */
const [directory = ''] = process.argv.slice(2);
const repository = await openRepository(directory, { create: true });
const { signal } = new AbortController();

for (;;) {
  await sweepUnfinished(repository, 'shop', signal);
  const entries = await listBackups(repository, 'shop');
  const newest = entries[0] === undefined ? 0 : minuteOf(entries[0].record.startedAt);
  await storeFakeBackup(repository, 'shop', fakeRecord(newest + 1));
  for (const { record } of entries.slice(2)) await removeBackup(repository, 'shop', record.id, signal);
}

/** `fakeRecord` counts minutes from 11:00 on. */
function minuteOf(startedAt: string): number {
  return (Date.parse(startedAt) - Date.UTC(2026, 10, 22, 11)) / 60_000;
}
