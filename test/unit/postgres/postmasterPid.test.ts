import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPostmasterOf, parsePostmasterPid, readPostmasterPid } from '../../../server/src/postgres/postmasterPid.ts';

/** As PostgreSQL 18 writes it; the status is padded with blanks. */
const complete = '4711\n/srv/pg data\n1763820000\n5433\n/run/postgresql\n127.0.0.1\n  5433001         3\nready   \n';

test('a running server', () => {
  assert.deepEqual(parsePostmasterPid(complete), { pid: 4711, dataDirectory: '/srv/pg data', status: 'ready' });
});

for (const status of ['starting', 'stopping', 'ready', 'standby'] as const) {
  test(`the status ${status}`, () => {
    assert.equal(parsePostmasterPid(complete.replace('ready   ', status.padEnd(8)))?.status, status);
  });
}

test('every beginning of the file is read without a status that is not there', () => {
  for (let length = 0; length < complete.length; length++) {
    const parsed = parsePostmasterPid(complete.slice(0, length));
    const hasStatus = length >= complete.indexOf('ready') + 'ready'.length;
    assert.equal(parsed?.status, hasStatus ? 'ready' : undefined, `${length} bytes`);
  }
});

test('what is no process id is refused', () => {
  for (const pid of ['', '0', '-1', 'x', '1.5']) {
    assert.equal(parsePostmasterPid(complete.replace('4711', pid)), undefined, pid);
  }
});

test('a directory without the file has no server; a path that cannot be read is an error', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pointback-'));
  try {
    assert.equal(await readPostmasterPid(directory), undefined);
    await mkdir(join(directory, 'postmaster.pid'));
    await assert.rejects(readPostmasterPid(directory), { code: 'EISDIR' });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a process that is no postmaster is never taken for one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pointback-'));
  try {
    await writeFile(join(directory, 'postmaster.pid'), complete);
    assert.equal(await isPostmasterOf(process.pid, directory), false);
    assert.equal(await isPostmasterOf(2 ** 22 + 1, directory), false);
  } finally {
    await rm(directory, { recursive: true });
  }
});
