import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { lockKey } from '../../../server/src/repository/layout.ts';
import { acquireLock } from '../../../server/src/repository/lock/exclusiveLock.ts';
import { seeHolder } from '../../../server/src/repository/lock/holder.ts';
import { FileSystemStore } from '../../../server/src/repository/store/fileSystemStore.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';
import { waitFor } from '../../support/waitFor.ts';

const key = lockKey('shop', 'backup');
const options = { purpose: 'backup', signal: new AbortController().signal };

/** A process that is gone when its scope ends. */
async function lockingProcess(directory: string): Promise<AsyncDisposable & { child: ChildProcess }> {
  const child = fork(new URL('../../support/lockingProcess.ts', import.meta.url), [directory]);
  const exited = once(child, 'exit');
  await once(child, 'message');
  return {
    child,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function acquire(child: ChildProcess): Promise<unknown> {
  const answer = once(child, 'message');
  child.send('acquire');
  return ((await answer) as unknown[])[0];
}

test('a lock of another process is respected while that lives and taken over when it was killed', async () => {
  await using directory = await temporaryDirectory('lock');
  const store = await FileSystemStore.open(directory.path);
  {
    await using other = await lockingProcess(directory.path);
    assert.equal(await acquire(other.child), 'held');
    await assert.rejects(acquireLock(store, key, options), (error) => {
      assert.ok(isPointbackError(error, 'lock.held'));
      assert.equal(error.details?.['pid'], other.child.pid);
      return true;
    });
  }
  const lock = await acquireLock(store, key, {
    ...options,
    waiting: () => assert.fail('a process that certainly ended is not waited for'),
  });
  await lock.confirm();
  await lock.release();
  assert.equal(await seeHolder(store, key, undefined), undefined);
});

test('a lock whose process id now belongs to another process is taken over at once', async (context) => {
  if (process.platform !== 'linux') {
    context.skip('only Linux tells when a process started');
    return;
  }
  await using directory = await temporaryDirectory('lock');
  const store = await FileSystemStore.open(directory.path);
  const first = await acquireLock(store, key, options);
  const holder = (await seeHolder(store, key, undefined))?.holder;
  await first.release();
  assert.ok(holder?.processStart !== undefined);
  await store.put(key, Buffer.from(JSON.stringify({ ...holder, token: crypto.randomUUID(), processStart: '1' })));
  const lock = await acquireLock(store, key, {
    ...options,
    waiting: () => assert.fail('a reused process id is not waited for'),
  });
  await lock.release();
});

test('a lock of a process that was killed but not waited for by its parent is taken over at once', async (context) => {
  if (process.platform !== 'linux') {
    context.skip('only Linux tells a process that was not waited for from a living one');
    return;
  }
  await using directory = await temporaryDirectory('lock');
  const store = await FileSystemStore.open(directory.path);
  const first = await acquireLock(store, key, options);
  const holder = (await seeHolder(store, key, undefined))?.holder;
  await first.release();
  // The shell becomes a program that never waits for the child it inherits.
  const parent = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const statusOf = (): Promise<string> => readFile(`/proc/${pid}/stat`, 'utf8');
    await waitFor('the child is a zombie', async () => (await statusOf()).includes(') Z '));
    const processStart = (await statusOf()).split(' ')[21];
    await store.put(key, Buffer.from(JSON.stringify({ ...holder, token: crypto.randomUUID(), pid, processStart })));
    const lock = await acquireLock(store, key, {
      ...options,
      waiting: () => assert.fail('a process that has ended is not waited for'),
    });
    await lock.release();
  } finally {
    parent.kill('SIGKILL');
  }
});

test('of several processes exactly one takes over the lock of one that was killed', async () => {
  await using directory = await temporaryDirectory('lock');
  const store = await FileSystemStore.open(directory.path);
  await using disposables = new AsyncDisposableStack();
  const contenders: ChildProcess[] = [];
  for (let index = 0; index < 4; index += 1) {
    contenders.push(disposables.use(await lockingProcess(directory.path)).child);
  }
  {
    await using killed = await lockingProcess(directory.path);
    assert.equal(await acquire(killed.child), 'held');
  }
  const answers = await Promise.all(contenders.map(acquire));
  assert.deepEqual(answers.toSorted(), ['held', 'lock.held', 'lock.held', 'lock.held']);
  const owner = contenders[answers.indexOf('held')];
  assert.equal((await seeHolder(store, key, undefined))?.holder?.pid, owner?.pid);
});
