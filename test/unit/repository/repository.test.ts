import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { openRepository } from '../../../server/src/repository/repository.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';

const coded =
  (code: Parameters<typeof isPointbackError>[1]) =>
  (error: unknown): boolean =>
    isPointbackError(error, code);

test('a missing directory becomes a repository only when asked for, for its owner alone, and is found again', async () => {
  await using parent = await temporaryDirectory('repository');
  const directory = join(parent.path, 'some', 'backups');
  await assert.rejects(openRepository(directory, { create: false }), coded('repository.not-found'));
  assert.deepEqual(await readdir(parent.path), []);
  const created = await openRepository(directory, { create: true });
  assert.equal(created.location, directory);
  assert.match(created.id, /^[0-9a-f-]{36}$/);
  assert.equal((await openRepository(directory, { create: false })).id, created.id);
  assert.equal((await openRepository(directory, { create: true })).id, created.id);
  assert.deepEqual(await readdir(directory), ['repository.json']);
  if (process.platform === 'win32') return;
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, 'repository.json'))).mode & 0o777, 0o600);
});

test('several that create it at once get the same repository', async () => {
  await using parent = await temporaryDirectory('repository');
  const directory = join(parent.path, 'backups');
  const opened = await Promise.all(Array.from({ length: 8 }, () => openRepository(directory, { create: true })));
  assert.equal(new Set(opened.map(({ id }) => id)).size, 1);
});

test('a directory with other files does not become one; what a fresh disk has does not count', async () => {
  await using directory = await temporaryDirectory('repository');
  await mkdir(join(directory.path, 'lost+found'));
  await writeFile(join(directory.path, 'thesis.txt'), 'precious');
  await assert.rejects(openRepository(directory.path, { create: true }), (error) => {
    assert.ok(isPointbackError(error, 'repository.not-empty'));
    assert.match(error.message, /thesis\.txt/);
    return true;
  });
  await assert.rejects(openRepository(directory.path, { create: false }), coded('repository.not-found'));
  assert.deepEqual((await readdir(directory.path)).sort(), ['lost+found', 'thesis.txt']);
  await using fresh = await temporaryDirectory('repository');
  await mkdir(join(fresh.path, 'lost+found'));
  await openRepository(fresh.path, { create: true });
});

test('it opens through a symbolic link, and a file is none', async () => {
  await using directory = await temporaryDirectory('repository');
  const { id } = await openRepository(join(directory.path, 'real'), { create: true });
  await symlink(join(directory.path, 'real'), join(directory.path, 'link'));
  assert.equal((await openRepository(join(directory.path, 'link'), { create: false })).id, id);
  const file = join(directory.path, 'file');
  await writeFile(file, 'x');
  await assert.rejects(openRepository(file, { create: false }), coded('repository.not-found'));
  await assert.rejects(openRepository(join(file, 'below'), { create: false }), coded('repository.not-found'));
  await assert.rejects(openRepository(file, { create: true }), coded('repository.not-found'));
  await assert.rejects(openRepository(join(file, 'below'), { create: true }), coded('repository.not-found'));
});

test('a repository record that is damaged or newer is neither overwritten nor passed over', async () => {
  await using directory = await temporaryDirectory('repository');
  const record = join(directory.path, 'repository.json');
  for (const [content, code] of [
    ['{"format":1', 'repository.damaged'],
    ['', 'repository.damaged'],
    ['{"format":7}', 'repository.newer-format'],
  ] as const) {
    // prettier-ignore
    await writeFile(record, content);
    for (const create of [true, false]) await assert.rejects(openRepository(directory.path, { create }), coded(code));
    assert.equal(await readFile(record, 'utf8'), content);
  }
});
