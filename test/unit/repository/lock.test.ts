import assert, { AssertionError } from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import { PointbackError, isPointbackError } from '../../../server/src/api/errors.ts';
import { lockKey } from '../../../server/src/repository/layout.ts';
import type { Lock, LockOptions } from '../../../server/src/repository/lock/exclusiveLock.ts';
import { acquireLock } from '../../../server/src/repository/lock/exclusiveLock.ts';
import type { LockHolder } from '../../../server/src/repository/lock/holder.ts';
import { seeHolder } from '../../../server/src/repository/lock/holder.ts';
import type { ObjectStore } from '../../../server/src/repository/store/objectStore.ts';
import { failOnCall } from '../../faults/failOnCall.ts';
import { slowStore } from '../../faults/slowStore.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { FakeMachine } from '../../support/fakeProcesses.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

const key = lockKey('shop', 'backup');

/** What an acquisition came to, once it has come to anything. */
interface Attempt {
  outcome: { lock: Lock } | { error: unknown } | undefined;
  readonly seen: (LockHolder | undefined)[];
}

function setting(): {
  clock: FakeClock;
  machine: FakeMachine;
  store: MemoryStore;
  attempt: (pid: number, options?: Partial<LockOptions> & { store?: ObjectStore }) => Attempt;
  holder: () => Promise<LockHolder | undefined>;
} {
  const clock = new FakeClock();
  const machine = new FakeMachine();
  const store = new MemoryStore();
  return {
    clock,
    machine,
    store,
    attempt: (pid, options = {}) => {
      const attempt: Attempt = { outcome: undefined, seen: [] };
      acquireLock(options.store ?? store, key, {
        purpose: 'backup',
        signal: new AbortController().signal,
        clock,
        processes: machine.process(pid),
        waiting: (holder) => attempt.seen.push(holder),
        ...options,
      }).then(
        (lock) => (attempt.outcome = { lock }),
        (error: unknown) => (attempt.outcome = { error }),
      );
      return attempt;
    },
    holder: async () => (await seeHolder(store, key, undefined))?.holder,
  };
}

function lockOf({ outcome }: Attempt): Lock {
  if (outcome !== undefined && 'lock' in outcome) return outcome.lock;
  throw new AssertionError({ message: 'the lock was not acquired', actual: outcome });
}

function errorOf({ outcome }: Attempt): unknown {
  if (outcome !== undefined && 'error' in outcome) return outcome.error;
  throw new AssertionError({ message: 'the attempt did not fail', actual: outcome });
}

const isCoded = (error: unknown, code: 'lock.held' | 'lock.lost'): boolean => isPointbackError(error, code);

describe('an exclusive lock', () => {
  test('tells who holds it, beats every 5 seconds and is gone after its release', async () => {
    const { clock, attempt, holder, store } = setting();
    const owner = attempt(100);
    await clock.advance(0);
    const first = await holder();
    assert.ok(first !== undefined);
    assert.deepEqual(
      [first.host, first.pid, first.purpose, first.since, first.beat],
      ['db1', 100, 'backup', '2026-11-22T11:00:00.000Z', 0],
    );
    await clock.advance(16_000);
    assert.equal((await holder())?.beat, 3);
    assert.equal((await holder())?.token, first.token);
    await lockOf(owner).confirm();
    await lockOf(owner).release();
    assert.equal(store.objects.size, 0);
    await clock.advance(60_000);
    assert.equal(store.objects.size, 0, 'nothing is written after the release');
    assert.equal(lockOf(owner).signal.aborted, false);
  });

  test('refuses a second owner as soon as the first beats, naming the first', async () => {
    const { clock, attempt } = setting();
    const owner = attempt(100);
    await clock.advance(2_000);
    const second = attempt(200);
    await clock.advance(2_000);
    assert.equal(second.outcome, undefined, 'one look cannot tell a living owner from a dead one');
    assert.equal(second.seen[0]?.pid, 100);
    await clock.advance(3_000);
    const error = errorOf(second);
    assert.ok(isPointbackError(error, 'lock.held'));
    assert.match(error.message, /backup, process 100 on db1, since 2026-11-22T11:00:00\.000Z/);
    assert.match(error.remedy, /stop process 100 on db1/);
    await lockOf(owner).confirm();
    await lockOf(owner).release();
  });

  test('is free at once after a release while others watch', async () => {
    const { clock, attempt } = setting();
    const owner = attempt(100);
    await clock.advance(1_000);
    const second = attempt(200);
    await clock.advance(1_500);
    await lockOf(owner).release();
    await clock.advance(1_000);
    await lockOf(second).confirm();
    assert.ok(lockOf(second));
    await lockOf(second).release();
  });

  test('of a process that certainly ended is taken over at once', async () => {
    const { clock, machine, attempt, holder, store } = setting();
    attempt(100, { store: killed(store) });
    await clock.advance(0);
    machine.kill(100);
    const next = attempt(200);
    await clock.advance(0);
    assert.ok(lockOf(next));
    assert.equal((await holder())?.pid, 200);
    assert.deepEqual([...store.objects.keys()], [key], 'no claim is left');
    await lockOf(next).release();
  });

  test('of a process elsewhere is taken over when unchanged for 30 seconds, not before', async () => {
    const { clock, machine, attempt, holder, store } = setting();
    attempt(100, { store: killed(store), processes: new FakeMachine('db2').process(100) });
    await clock.advance(0);
    machine.kill(100);
    const next = attempt(200);
    await clock.advance(29_000);
    assert.equal(next.outcome, undefined);
    await clock.advance(2_000);
    assert.ok(lockOf(next));
    assert.equal((await holder())?.pid, 200);
    await lockOf(next).release();
  });

  test('that cannot be read is respected until it is stale', async () => {
    const { clock, attempt, store } = setting();
    await store.put(key, Buffer.from('{"format":1,"tok'));
    const next = attempt(200);
    await clock.advance(29_000);
    assert.equal(next.outcome, undefined);
    assert.deepEqual(next.seen[0], undefined);
    await clock.advance(2_000);
    assert.ok(lockOf(next));
    await lockOf(next).release();
    assert.equal(store.objects.size, 0);
  });

  test('survives a clock that was set, or a long sleep, when nobody has touched it', async () => {
    const { clock, attempt, store, holder } = setting();
    const owner = attempt(100);
    await clock.advance(6_000);
    clock.suspend(3_600_000);
    await clock.advance(1_000);
    assert.equal(lockOf(owner).signal.aborted, false);
    assert.ok(((await holder())?.beat ?? 0) >= 2, 'it was renewed at once');
    clock.suspend(3_600_000);
    // Both at once: the beat and whoever is about to commit.
    await Promise.all([lockOf(owner).confirm(), lockOf(owner).confirm(), clock.advance(5_000)]);
    assert.deepEqual([...store.objects.keys()], [key], 'no claim is left');
    await clock.advance(60_000);
    await lockOf(owner).confirm();
    await lockOf(owner).release();
    assert.equal(store.objects.size, 0);
  });

  test('is lost after a long sleep when somebody has claimed it or taken it over, before anything is written', async () => {
    for (const claimed of [true, false]) {
      const { clock, attempt, store, holder } = setting();
      const owner = attempt(100);
      await clock.advance(6_000);
      const mine = await holder();
      const place = claimed ? key.replace('.json', `.claims/${mine?.token ?? ''}.json`) : key;
      await store.put(place, Buffer.from(JSON.stringify({ ...mine, token: crypto.randomUUID(), pid: 300 })));
      const before = [...store.objects];
      clock.suspend(26_000);
      // By the watch alone; and then a commit learns it.
      await clock.advance(1_000);
      assert.ok(isCoded(lockOf(owner).signal.reason, 'lock.lost'));
      await assert.rejects(
        async () => lockOf(owner).confirm(),
        (error) => isCoded(error, 'lock.lost'),
      );
      await clock.advance(10_000);
      await lockOf(owner).release();
      assert.deepEqual([...store.objects], before, 'a lost lock is not ours to remove');
    }
  });

  test('survives a sleep of the machine that was short enough', async () => {
    const { clock, attempt } = setting();
    const owner = attempt(100);
    await clock.advance(6_000);
    clock.suspend(15_000);
    await clock.advance(60_000);
    await lockOf(owner).confirm();
    assert.equal(lockOf(owner).signal.aborted, false);
    await lockOf(owner).release();
  });

  test('is lost when another token stands there, and its release then removes nothing', async () => {
    const { clock, attempt, store, holder } = setting();
    const owner = attempt(100);
    await clock.advance(1_000);
    const mine = await holder();
    const other = { ...mine, token: crypto.randomUUID(), pid: 300, purpose: 'expiry' };
    await store.put(key, Buffer.from(JSON.stringify(other)));
    const fired = Promise.withResolvers<undefined>();
    lockOf(owner).signal.addEventListener('abort', () => {
      fired.resolve(undefined);
    });
    await clock.advance(6_000);
    await fired.promise;
    const reason: unknown = lockOf(owner).signal.reason;
    assert.ok(isPointbackError(reason, 'lock.lost'));
    assert.match(reason.message, /process 300 on db1 took it over for its expiry/);
    await lockOf(owner).release();
    assert.equal((await holder())?.pid, 300);
  });

  test('is lost when its file was removed', async () => {
    const { clock, attempt, store } = setting();
    const owner = attempt(100);
    await clock.advance(1_000);
    await store.delete(key);
    await assert.rejects(
      async () => lockOf(owner).confirm(),
      (error) => isCoded(error, 'lock.lost'),
    );
    await lockOf(owner).release();
    await clock.advance(60_000);
    assert.equal(store.objects.size, 0, 'a lost lock does not come back');
  });

  test('outlives a store that fails for a while, and is lost when it fails for longer', async () => {
    for (const { failing, lost } of [
      { failing: 18_000, lost: false },
      { failing: 30_000, lost: true },
    ]) {
      const { clock, attempt, store } = setting();
      let broken = false;
      const failure = new PointbackError('store.failed', { message: 'input/output error' });
      const flaky = slowStore(store, () => (broken ? Promise.reject(failure) : Promise.resolve()));
      const owner = attempt(100, { store: flaky });
      await clock.advance(6_000);
      broken = true;
      await clock.advance(failing);
      broken = false;
      await clock.advance(10_000);
      assert.equal(lockOf(owner).signal.aborted, lost);
      await lockOf(owner).release();
    }
  });

  test('is lost in time while the store hangs', async () => {
    const { clock, attempt, store } = setting();
    let hanging = false;
    const owner = attempt(100, {
      store: slowStore(store, () => (hanging ? new Promise(() => undefined) : Promise.resolve())),
    });
    await clock.advance(6_000);
    hanging = true;
    await clock.advance(27_000);
    assert.ok(isCoded(lockOf(owner).signal.reason, 'lock.lost'));
  });

  test('counts from when a beat was sent, not from when its answer came', async () => {
    const { clock, attempt, store } = setting();
    let gate = Promise.resolve<undefined>(undefined);
    const owner = attempt(100, {
      store: slowStore(store, (call) => (call === 'put answered' ? gate : Promise.resolve())),
    });
    await clock.advance(4_000);
    const answer = Promise.withResolvers<undefined>();
    gate = answer.promise;
    await clock.advance(16_000);
    answer.resolve(undefined);
    gate = new Promise(() => undefined);
    await clock.advance(9_000);
    assert.equal(lockOf(owner).signal.aborted, false);
    // Sent at 5 s: others may take the lock at 35 s, so it is lost at 30 s.
    await clock.advance(3_000);
    assert.ok(isCoded(lockOf(owner).signal.reason, 'lock.lost'));
  });

  test('a beat that hung and comes back late writes nothing', async () => {
    const { clock, attempt, store } = setting();
    const gate = Promise.withResolvers<undefined>();
    let hanging = false;
    const owner = attempt(100, {
      store: slowStore(store, (call) => (hanging && call === 'put' ? gate.promise : Promise.resolve())),
    });
    await clock.advance(1_000);
    hanging = true;
    await clock.advance(31_000);
    assert.ok(isCoded(lockOf(owner).signal.reason, 'lock.lost'));
    const before = store.objects.get(key);
    gate.resolve(undefined);
    await clock.advance(1_000);
    assert.equal(store.objects.get(key), before);
  });

  test('a claim of a process that died on its way to take over does not block the next', async () => {
    const { clock, machine, attempt, store } = setting();
    attempt(100, { store: killed(store) });
    await clock.advance(0);
    machine.kill(100);
    // The second one dies right after its claim.
    const calls = failOnCall(store, 1, () => new Error('killed'), { calls: ['put'] });
    const dying = slowStore(calls, (call) => (call === 'delete' ? new Promise(() => undefined) : Promise.resolve()));
    attempt(200, { store: dying });
    await clock.advance(0);
    assert.equal(store.objects.size, 2, 'the lock and the claim are there');
    machine.kill(200);
    const third = attempt(300);
    await clock.advance(0);
    assert.ok(lockOf(third));
    assert.deepEqual([...store.objects.keys()], [key]);
    await lockOf(third).release();
  });

  test('a claim of a process that hangs elsewhere is replaced after 30 seconds', async () => {
    const { clock, machine, attempt, store } = setting();
    attempt(100, { store: killed(store) });
    await clock.advance(0);
    machine.kill(100);
    const gate = Promise.withResolvers<undefined>();
    const hanging = attempt(200, {
      store: slowStore(store, (call) => (call === 'put' ? gate.promise : Promise.resolve())),
    });
    await clock.advance(0);
    assert.equal(store.objects.size, 2);
    const third = attempt(300);
    await clock.advance(29_000);
    assert.equal(third.outcome, undefined);
    await clock.advance(2_000);
    assert.ok(lockOf(third));
    assert.equal(hanging.outcome, undefined);
    await lockOf(third).release();
  });

  test('a take-over that was stopped before its last step gives way to the one that replaced it', async () => {
    const { clock, machine, attempt, store, holder } = setting();
    attempt(100, { store: killed(store) });
    await clock.advance(0);
    machine.kill(100);
    const gate = Promise.withResolvers<undefined>();
    // After its claim it reads the lock, its own claim, and looks for a claim on that: the last thing before it writes.
    let answersAfterClaim = -1;
    const stopped = attempt(200, {
      store: slowStore(store, (call, at) => {
        if (call === 'putIfAbsent answered' && at.includes('.claims/')) answersAfterClaim = 0;
        else if (call === 'read answered' && answersAfterClaim >= 0) answersAfterClaim += 1;
        return answersAfterClaim === 3 ? gate.promise : Promise.resolve();
      }),
    });
    await clock.advance(0);
    const third = attempt(300);
    await clock.advance(31_000);
    await lockOf(third).confirm();
    gate.resolve(undefined);
    await clock.advance(10_000);
    assert.ok(isCoded(errorOf(stopped), 'lock.held'));
    await lockOf(third).confirm();
    assert.equal((await holder())?.pid, 300);
    await lockOf(third).release();
    assert.equal(store.objects.size, 0);
  });

  test('waiting ends with the signal, and leaves nothing behind', async () => {
    const { clock, attempt, store } = setting();
    const owner = attempt(100);
    await clock.advance(1_000);
    const aborter = new AbortController();
    const second = attempt(200, { signal: aborter.signal });
    await clock.advance(1_500);
    const reason = new Error('cancelled');
    aborter.abort(reason);
    await clock.advance(0);
    assert.equal(errorOf(second), reason);
    assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
    assert.equal(store.objects.size, 1);
    await lockOf(owner).release();
  });

  test('a lock whose storing failed after it was stored is retracted', async () => {
    const { clock, attempt, store } = setting();
    const failing = slowStore(store, (call, at) =>
      call === 'putIfAbsent'
        ? store.put(at, heldBytes).then(() => Promise.reject(new Error('the answer was lost')))
        : Promise.resolve(),
    );
    let heldBytes = Buffer.alloc(0);
    const original = failing.putIfAbsent.bind(failing);
    failing.putIfAbsent = (at, bytes, options) => {
      heldBytes = Buffer.from(bytes);
      return original(at, bytes, options);
    };
    const owner = attempt(100, { store: failing });
    await clock.advance(0);
    assert.match(String(errorOf(owner)), /the answer was lost/);
    assert.equal(store.objects.size, 0);
  });
});

/** What a killed process has of the store: its first write arrives, and then it never does anything again. */
function killed(store: ObjectStore): ObjectStore {
  return slowStore(store, (call) => (call === 'putIfAbsent' ? Promise.resolve() : new Promise(() => undefined)));
}
