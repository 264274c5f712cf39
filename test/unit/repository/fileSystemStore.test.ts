import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { isUnfinishedName } from '../../../server/src/repository/store/durableFiles.ts';
import { FileSystemStore } from '../../../server/src/repository/store/fileSystemStore.ts';
import { fileSystemError } from '../../../server/src/repository/store/storeErrors.ts';
import { objectStoreContract } from '../../contract/objectStore.ts';
import { randomBytesOf } from '../../support/randomBytes.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';
import { waitFor } from '../../support/waitFor.ts';

for (const hardLinks of [true, false]) {
  objectStoreContract(hardLinks ? 'file system' : 'file system without hard links', async () => {
    const directory = await temporaryDirectory('store');
    return {
      store: await FileSystemStore.open(directory.path, { hardLinks }),
      [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
    };
  });
}

const coded =
  (code: Parameters<typeof isPointbackError>[1]) =>
  (error: unknown): boolean =>
    isPointbackError(error, code);

/** Every name below a directory, directories with a final slash. */
async function tree(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1) + (entry.isDirectory() ? '/' : ''))
    .sort();
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield await Promise.resolve(Buffer.alloc(100_000));
}

describe('the file system store', () => {
  test('makes files and directories for their owner alone, and removes empty directories', async (context) => {
    if (process.platform === 'win32') {
      context.skip('Windows has no mode bits');
      return;
    }
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    await store.put('a/b/c/k', Buffer.from('x'));
    await store.putIfAbsent('a/b/l', Buffer.from('x'));
    assert.deepEqual(await tree(directory.path), ['a/', 'a/b/', 'a/b/c/', 'a/b/c/k', 'a/b/l']);
    for (const name of ['a', 'a/b', 'a/b/c'])
      assert.equal((await stat(join(directory.path, name))).mode & 0o777, 0o700);
    for (const name of ['a/b/c/k', 'a/b/l']) assert.equal((await stat(join(directory.path, name))).mode & 0o777, 0o600);
    await store.delete('a/b/c/k');
    assert.deepEqual(await tree(directory.path), ['a/', 'a/b/', 'a/b/l']);
    await store.delete('a/b/l');
    assert.deepEqual(await tree(directory.path), []);
  });

  test('leaves no file behind after a failure or an abort', async () => {
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield randomBytesOf(1_000_000, 1);
      await Promise.reject(new Error('connection lost'));
    };
    await assert.rejects(store.put('a/k', failing()), /connection lost/);
    assert.deepEqual(await tree(directory.path), ['a/']);
    const aborter = new AbortController();
    const put = store.put('a/k', endless(), { signal: aborter.signal });
    const unfinished = await waitFor(
      'the unfinished file is there',
      async () => (await readdir(join(directory.path, 'a')))[0],
    );
    assert.ok(isUnfinishedName(unfinished));
    assert.ok(unfinished.includes(`~${process.pid}~`));
    aborter.abort();
    await assert.rejects(put, { name: 'AbortError' });
    assert.deepEqual(await tree(directory.path), ['a/']);
    await store.sweep('');
    assert.deepEqual(await tree(directory.path), []);
  });

  test('what a killed process left is invisible, and swept where asked', async () => {
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    await store.put('a/done', Buffer.from('kept'));
    const child = fork(new URL('../../support/endlessPut.ts', import.meta.url), [directory.path, 'a/b/k']);
    await waitFor('bytes were written', async () =>
      (await tree(directory.path)).some((name) => name.startsWith('a/b/') && !name.endsWith('/')),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    const left = await readdir(join(directory.path, 'a/b'));
    assert.equal(left.length, 1);
    assert.ok(left.every(isUnfinishedName));
    const listed: string[] = [];
    for await (const { key } of store.list('')) listed.push(key);
    assert.deepEqual(listed, ['a/done']);
    await store.sweep('other');
    assert.deepEqual(await readdir(join(directory.path, 'a/b')), left);
    await store.sweep('a/b');
    assert.deepEqual(await tree(directory.path), ['a/', 'a/done']);
  });

  test('a small put survives a sweep by another process', async () => {
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    const written = new AbortController();
    const sweeping = (async (): Promise<void> => {
      while (!written.signal.aborted) await store.sweep('');
    })();
    try {
      for (let index = 0; index < 100; index += 1) {
        await store.put(`a/${index}`, Buffer.from('x'));
        assert.equal(await store.putIfAbsent(`b/${index}`, Buffer.from('x')), true);
      }
    } finally {
      written.abort();
      await sweeping;
    }
    assert.equal((await tree(directory.path)).length, 202);
  });

  test('a file named by someone else is no object', async () => {
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    await store.put('a/k', Buffer.from('x'));
    for (const name of ['my notes.txt', 'ümlaut', 'k~']) await writeFile(join(directory.path, 'a', name), 'x');
    await mkdir(join(directory.path, 'a', 'other files'));
    const listed: string[] = [];
    for await (const { key } of store.list('')) listed.push(key);
    assert.deepEqual(listed, ['a/k']);
    await store.sweep('');
    assert.equal((await readdir(join(directory.path, 'a'))).length, 5);
  });

  test('symbolic links are no objects, and lead nowhere out of the repository', async (context) => {
    if (process.platform === 'win32') {
      context.skip('creating links needs a privilege on Windows');
      return;
    }
    await using directory = await temporaryDirectory('store');
    await using elsewhere = await temporaryDirectory('elsewhere');
    await writeFile(join(elsewhere.path, 'k'), 'not yours');
    const store = await FileSystemStore.open(directory.path);
    await store.put('a/k', Buffer.from('x'));
    await symlink(join(elsewhere.path, 'k'), join(directory.path, 'a/link'));
    await symlink(elsewhere.path, join(directory.path, 'out'));
    await symlink(join(directory.path, 'a'), join(directory.path, 'within'));
    await symlink(join(directory.path, 'nowhere'), join(directory.path, 'dangling'));
    const listed: string[] = [];
    for await (const { key } of store.list('')) listed.push(key);
    assert.deepEqual(listed, ['a/k']);
    assert.equal(await store.stat('a/link'), undefined);
    await assert.rejects(store.read('a/link'), coded('store.missing'));
    await assert.rejects(store.read('out/k'), coded('store.outside'));
    await assert.rejects(store.stat('out/k'), coded('store.outside'));
    await assert.rejects(store.put('out/k', Buffer.from('y')), coded('store.outside'));
    await assert.rejects(store.put('out/new/k', Buffer.from('y')), coded('store.outside'));
    await assert.rejects(store.putIfAbsent('out/l', Buffer.from('y')), coded('store.outside'));
    await assert.rejects(store.delete('out/k'), coded('store.outside'));
    await assert.rejects(store.list('out')[Symbol.asyncIterator]().next(), coded('store.outside')); // prettier-ignore
    await assert.rejects(store.sweep('out'), coded('store.outside'));
    await assert.rejects(store.put('dangling/k', Buffer.from('y')), coded('store.failed'));
    assert.equal((await store.read('within/k')).toString(), 'x');
    await store.put('a/link', Buffer.from('an object now'));
    assert.equal(await readFile(join(elsewhere.path, 'k'), 'utf8'), 'not yours');
    assert.deepEqual(await readdir(elsewhere.path), ['k']);
    assert.equal((await store.read('a/link')).toString(), 'an object now');
  });

  test('a repository directory that vanished is not created anew', async () => {
    await using directory = await temporaryDirectory('store');
    const root = join(directory.path, 'mounted');
    await mkdir(root);
    const store = await FileSystemStore.open(root);
    await store.put('k', Buffer.from('x'));
    await rm(root, { recursive: true });
    await assert.rejects(store.put('k', Buffer.from('x')), coded('store.unreachable'));
    await assert.rejects(store.putIfAbsent('a/b/k', Buffer.from('x')), coded('store.unreachable'));
    assert.deepEqual(await readdir(directory.path), []);
  });

  test('a write that the file system takes only in part is never taken for the whole', async (context) => {
    if (process.platform === 'win32') {
      context.skip('Windows has no limit on the size of files');
      return;
    }
    await using directory = await temporaryDirectory('store');
    const program = new URL('../../support/putOnce.ts', import.meta.url).pathname;
    // 1000 blocks of 512 or 1024 bytes, depending on the shell; the body's one list of buffers is larger.
    const command = `ulimit -f 1000; exec "$0" "$1" "$2"`;
    const shell = spawn('sh', ['-c', command, process.execPath, program, directory.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = (await once(shell.stdout, 'data')) as [Buffer];
    assert.equal(output.toString(), 'store.too-large');
    assert.deepEqual(await tree(directory.path), ['a/']);
  });

  test('a put larger than the write-back interval comes back whole', async () => {
    await using directory = await temporaryDirectory('store');
    const store = await FileSystemStore.open(directory.path);
    const piece = randomBytesOf(8 * 1024 * 1024, 5);
    const pieces = 70;
    const body = async function* (): AsyncGenerator<readonly Uint8Array[]> {
      for (let index = 0; index < pieces; index += 1) {
        yield await Promise.resolve([piece.subarray(0, index), piece.subarray(index)]);
      }
    };
    await store.put('large', body());
    assert.equal((await store.stat('large'))?.size, pieces * piece.length);
    for (const index of [0, 31, 32, 33, 63, 64, 69]) {
      assert.ok((await store.read('large', { offset: index * piece.length, length: piece.length })).equals(piece));
    }
  });

  test('system errors become what the user can act on', () => {
    const cases: [string, 'read' | 'write' | 'delete' | 'list', Parameters<typeof isPointbackError>[1]][] = [
      ['ENOSPC', 'write', 'store.no-space'],
      ['EDQUOT', 'write', 'store.no-space'],
      ['EFBIG', 'write', 'store.too-large'],
      ['EACCES', 'write', 'store.not-writable'],
      ['EPERM', 'delete', 'store.not-writable'],
      ['EROFS', 'write', 'store.not-writable'],
      ['EACCES', 'read', 'store.not-readable'],
      ['EACCES', 'list', 'store.not-readable'],
      ['ENOENT', 'read', 'store.missing'],
      ['EIO', 'read', 'store.failed'],
      ['EMFILE', 'write', 'store.failed'],
    ];
    for (const [code, action, expected] of cases) {
      const cause = Object.assign(new Error(`${code}: whatever`), { code, syscall: 'x' });
      const error = fileSystemError(cause, action, 'a/k', '/repository/a/k');
      assert.ok(isPointbackError(error, expected), `${code} at ${action}: ${String(error)}`);
      assert.equal(error.cause, cause);
      assert.ok(error.message.includes('a/k'));
    }
    const other = new TypeError('a fault of ours');
    assert.equal(fileSystemError(other, 'write', 'k', '/k'), other);
  });
});
