import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { lockKey } from '../../../server/src/repository/layout.ts';
import { acquireLock } from '../../../server/src/repository/lock/exclusiveLock.ts';
import { seeHolder } from '../../../server/src/repository/lock/holder.ts';
import { slowStore } from '../../faults/slowStore.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { FakeMachine } from '../../support/fakeProcesses.ts';
import { Interleaver } from '../../support/interleaver.ts';
import { MemoryStore } from '../../support/memoryStore.ts';
import { seededRandom } from '../../support/randomBytes.ts';

const key = lockKey('shop', 'backup');
const { signal } = new AbortController();

/** A lock that a process left when it was killed. */
async function abandonedLock(store: MemoryStore, clock: FakeClock, machine: FakeMachine): Promise<void> {
  const firstWriteOnly = slowStore(store, (call) =>
    call.startsWith('putIfAbsent') ? Promise.resolve() : new Promise(() => undefined),
  );
  await acquireLock(firstWriteOnly, key, { purpose: 'backup', signal, clock, processes: machine.process(1) });
  machine.kill(1);
}

test('of several observers exactly one takes over a lock whose owner was killed', async () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const clock = new FakeClock();
    const machine = new FakeMachine();
    const store = new MemoryStore();
    await abandonedLock(store, clock, machine);
    const interleaver = new Interleaver(clock, seededRandom(seed));
    const owners: number[] = [];
    const refused: number[] = [];
    // Some see at once that the owner is dead, the others have to wait until the lock is stale.
    for (const [pid, host] of [
      [10, 'db1'],
      [11, 'db1'],
      [12, 'db1'],
      [13, 'db2'],
      [14, 'db2'],
    ] as const) {
      // prettier-ignore
      const processes = host === 'db1' ? machine.process(pid) : new FakeMachine(host).process(pid);
      acquireLock(slowStore(store, interleaver.turn), key, { purpose: 'backup', signal, clock, processes }).then(
        () => owners.push(pid),
        (error: unknown) => {
          assert.ok(isPointbackError(error, 'lock.held'), String(error));
          refused.push(pid);
        },
      );
    }
    await interleaver.run(() => owners.length + refused.length === 5);
    assert.equal(owners.length, 1, `seed ${seed}: ${owners.join(', ')} all became owners`);
    assert.equal((await seeHolder(store, key, undefined))?.holder?.pid, owners[0], `seed ${seed}`);
  }
});

test('with processes that stop for up to a minute anywhere, nobody commits after the next owner has', async () => {
  let sessions = 0;
  let losses = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const clock = new FakeClock();
    const machine = new FakeMachine();
    const store = new MemoryStore();
    await abandonedLock(store, clock, machine);
    const interleaver = new Interleaver(clock, seededRandom(seed), 0.06);
    const commits: string[] = [];
    let running = 4;
    for (let pid = 10; pid < 14; pid += 1) {
      const processes = new FakeMachine(`host${pid % 2}`).process(pid);
      const work = async (): Promise<void> => {
        for (let round = 0; round < 6; round += 1) {
          const session = `${pid}:${round}`;
          try {
            const contended = slowStore(store, interleaver.turn);
            const lock = await acquireLock(contended, key, { purpose: 'backup', signal, clock, processes });
            sessions += 1;
            for (let commit = 0; commit < 4; commit += 1) {
              await lock.confirm();
              commits.push(session);
              await clock.sleep(3_000, { signal: lock.signal });
            }
            await lock.release();
          } catch (error) {
            assert.ok(isPointbackError(error, 'lock.held') || isPointbackError(error, 'lock.lost'), String(error));
            if (error.code === 'lock.lost') losses += 1;
            await clock.sleep(4_000, { signal });
          }
        }
      };
      void work().then(() => (running -= 1));
    }
    await interleaver.run(() => running === 0);
    const ownersInTurn = commits.filter((session, index) => session !== commits[index - 1]);
    assert.equal(new Set(ownersInTurn).size, ownersInTurn.length, `seed ${seed}: ${ownersInTurn.join(' ')}`);
    assert.ok(ownersInTurn.length > 1, `seed ${seed}: the lock changes hands`);
  }
  // A test in which nobody ever lost a lock would prove nothing.
  assert.ok(losses > 20, `${losses} of ${sessions} sessions lost the lock`);
});
