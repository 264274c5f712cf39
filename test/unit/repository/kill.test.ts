import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { listBackups } from '../../../server/src/repository/catalog.ts';
import { backupRecordKey } from '../../../server/src/repository/layout.ts';
import { sweepUnfinished } from '../../../server/src/repository/removal.ts';
import type { Repository } from '../../../server/src/repository/repository.ts';
import { openRepository } from '../../../server/src/repository/repository.ts';
import { fakeContent, fakeKeys, fakeRecord } from '../../support/fakeBackup.ts';
import { seededRandom } from '../../support/randomBytes.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';
import { waitFor } from '../../support/waitFor.ts';

const { signal } = new AbortController();
/** Kills are tried until so many of them left something to clean up. */
const wanted = 3;
const mostRounds = 25;

/** The ids of the listed backups, each of which must be there to the last byte. */
async function requireTruthful(repository: Repository): Promise<string[]> {
  const entries = await listBackups(repository, 'shop');
  for (const { record } of entries) {
    const minute = (Date.parse(record.startedAt) - Date.UTC(2026, 10, 22, 11)) / 60_000;
    assert.deepEqual(record, fakeRecord(minute));
    for (const key of fakeKeys('shop', record)) {
      assert.ok((await repository.store.read(key)).equals(fakeContent(record, key)), key);
    }
  }
  return entries.map(({ record }) => record.id);
}

test('a process that is killed at any moment leaves every listed backup whole, and the next one cleans up', async () => {
  await using directory = await temporaryDirectory('kill');
  const random = seededRandom(20261122);
  let unfinished = 0;
  for (let round = 0; round < mostRounds && unfinished < wanted; round += 1) {
    const before =
      (await readdir(directory.path)).length === 0
        ? undefined
        : await openRepository(directory.path, { create: false });
    const known = before === undefined ? undefined : (await listBackups(before, 'shop'))[0]?.record.id;
    const child = fork(new URL('../../support/backupLife.ts', import.meta.url), [directory.path]);
    const exited = once(child, 'exit');
    // It must have got somewhere; then the moment of its death is left to chance.
    await waitFor('another backup was committed', async () => {
      const opened = await openRepository(directory.path, { create: false }).catch(() => undefined);
      if (opened === undefined) return false;
      return (await listBackups(opened, 'shop'))[0]?.record.id !== known;
    });
    await setTimeout(random() * 60);
    child.kill('SIGKILL');
    assert.deepEqual(await exited, [null, 'SIGKILL'], 'it was killed at work');
    const repository = await openRepository(directory.path, { create: false });
    const listed = await requireTruthful(repository);
    const swept = await sweepUnfinished(repository, 'shop', signal);
    if (swept.length > 0) unfinished += 1;
    assert.deepEqual(await requireTruthful(repository), listed);
    assert.deepEqual(await sweepUnfinished(repository, 'shop', signal), []);
    const keys: string[] = [];
    for await (const { key } of repository.store.list('shop')) keys.push(key);
    const expected = listed.flatMap((id) => [
      backupRecordKey('shop', id),
      ...fakeKeys('shop', { ...fakeRecord(1), id }),
    ]);
    assert.deepEqual(keys.toSorted(), expected.toSorted());
    const files = (await readdir(directory.path, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    assert.equal(files.length, keys.length + 1, 'no temporary file is left');
  }
  assert.equal(unfinished, wanted, `of ${mostRounds} kills only ${unfinished} left something unfinished`);
});
