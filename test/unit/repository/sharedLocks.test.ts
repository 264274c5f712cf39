import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { sharedLockPrefix } from '../../../server/src/repository/layout.ts';
import type { Lock } from '../../../server/src/repository/lock/exclusiveLock.ts';
import type { LockHolder } from '../../../server/src/repository/lock/holder.ts';
import { acquireSharedLock, readersOf, sharedLocks } from '../../../server/src/repository/lock/sharedLocks.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { FakeMachine } from '../../support/fakeProcesses.ts';
import { MemoryStore } from '../../support/memoryStore.ts';
import { slowStore } from '../../faults/slowStore.ts';

const { signal } = new AbortController();
const full = '20261122T110000.000Z-full';
const other = '20261122T110100.000Z-full';

function setting(): {
  clock: FakeClock;
  machine: FakeMachine;
  store: MemoryStore;
  read: (pid: number, options?: { backup?: string; killed?: boolean; host?: string }) => Promise<Lock>;
  living: (backup?: string) => { found: LockHolder[] | undefined };
} {
  const clock = new FakeClock();
  const machine = new FakeMachine();
  const store = new MemoryStore();
  return {
    clock,
    machine,
    store,
    read: (pid, { backup, killed = false, host = 'db1' } = {}) =>
      acquireSharedLock(
        killed
          ? slowStore(store, (call) =>
              call.startsWith('putIfAbsent') ? Promise.resolve() : new Promise(() => undefined),
            )
          : store,
        'shop',
        {
          purpose: 'restore',
          signal,
          clock,
          processes: host === 'db1' ? machine.process(pid) : new FakeMachine(host).process(pid),
          ...(backup === undefined ? {} : { backup }),
        },
      ),
    living: (backup) => {
      const result: { found: LockHolder[] | undefined } = { found: undefined };
      const options = { signal, clock, processes: machine.process(1), ...(backup === undefined ? {} : { backup }) };
      void sharedLocks(store, 'shop', options).then((found) => (result.found = found));
      return result;
    },
  };
}

const pids = (holders: readonly LockHolder[] | undefined): number[] | undefined =>
  holders?.map(({ pid }) => pid).sort((a, b) => a - b);

describe('shared locks', () => {
  test('are held by several at once, seen as soon as they beat, and gone after their release', async () => {
    const { clock, store, read, living } = setting();
    const readers = [await read(10), await read(11)];
    const before = living();
    await clock.advance(7_000);
    assert.deepEqual(pids(before.found), [10, 11]);
    for (const reader of readers) {
      await reader.confirm();
      await reader.release();
    }
    assert.equal(store.objects.size, 0);
    const after = living();
    await clock.advance(0);
    assert.deepEqual(after.found, [], 'without readers nobody waits');
  });

  test('of dead processes are removed at once', async () => {
    const { clock, machine, store, read, living } = setting();
    await read(10, { killed: true });
    machine.kill(10);
    const result = living();
    await clock.advance(0);
    assert.deepEqual(result.found, []);
    assert.equal(store.objects.size, 0);
  });

  test('of processes that vanished elsewhere are removed after 30 seconds, the living beside them stay', async () => {
    const { clock, store, read, living } = setting();
    await read(10, { killed: true, host: 'db2' });
    const alive = await read(11);
    const result = living();
    await clock.advance(29_000);
    assert.equal(result.found, undefined);
    await clock.advance(3_000);
    assert.deepEqual(pids(result.found), [11]);
    assert.equal(store.objects.size, 1);
    await alive.confirm();
    await alive.release();
  });

  test('that were removed as stale are lost to their owner', async () => {
    const { clock, store, read } = setting();
    const lock = await read(10);
    for (const key of store.objects.keys()) await store.delete(key);
    await clock.advance(7_000);
    assert.ok(isPointbackError(lock.signal.reason, 'lock.lost'));
  });

  test('of one backup do not concern another; those of no backup concern all', async () => {
    const { clock, store, read, living } = setting();
    const locks = [await read(10, { backup: full }), await read(11, { backup: other }), await read(12)];
    const result = living(full);
    await clock.advance(7_000);
    assert.deepEqual(pids(result.found), [10, 12]);
    const readers = await readersOf(store, 'shop', other, signal);
    assert.deepEqual(readers.map(({ holder }) => holder?.pid).sort(), [11, 12]);
    for (const lock of locks) await lock.release();
  });

  test('that cannot be read are respected until they are stale', async () => {
    const { clock, store, living } = setting();
    await store.put(`${sharedLockPrefix('shop')}/torn.json`, Buffer.from('{'));
    assert.equal((await readersOf(store, 'shop', full, signal)).length, 1);
    const result = living(full);
    await clock.advance(29_000);
    assert.equal(result.found, undefined);
    await clock.advance(2_000);
    assert.deepEqual(result.found, []);
  });
});
