import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import type { CheckReport } from '../../../server/src/api/check.ts';
import { commands } from '../../../server/src/cli/commandTable.ts';
import { runCommandLine } from '../../../server/src/cli/runCommandLine.ts';
import { testEnvironment } from '../configuration/environment.ts';
import { FakeClock, FakeOutput } from './fakes.ts';
import { sampleHome, sampleIds } from './sampleHome.ts';
import type { SampleHome } from './sampleHome.ts';

let home: SampleHome;

before(async () => {
  home = await sampleHome();
});

after(async () => {
  await home[Symbol.asyncDispose]();
});

/** Runs the real commands in this process. */
async function pointback(words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const stdout = new FakeOutput();
  const stderr = new FakeOutput();
  const code = await runCommandLine(words, commands, {
    stdin: new PassThrough(),
    stdout,
    stderr,
    environment: testEnvironment({ currentDirectory: home.path, homeDirectory: home.path }),
    clock: new FakeClock(),
    signals: new EventEmitter(),
    exitNow: () => assert.fail('exited'),
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

interface Listed {
  readonly instances: readonly { readonly name: string }[];
  readonly problems: readonly { readonly code: string }[];
}

interface Failed {
  readonly error: { readonly code: string; readonly exitCode: number };
}

test('list for people, by the name and by the directory', async () => {
  for (const word of ['::1-5432', '%3A%3A1-5432', 'postgresql://[::1]']) {
    const { code, stdout } = await pointback(['list', word]);
    assert.equal(code, 0);
    assert.match(stdout, /^::1-5432 · PostgreSQL 18 · system 7550000000000000001 · 3 backups/);
    assert.match(stdout, /\n✗ 20261122T110052\.123Z-full: base\/1\/1259 differs\.\n$/);
  }
});

test('what is damaged is told beside the rest, with exit code 3', async () => {
  await home.repository.store.put('bad/instance.json', Buffer.from('{'));
  try {
    const { code, stdout } = await pointback(['list', '--json']);
    assert.equal(code, 3);
    const { instances, problems } = JSON.parse(stdout) as Listed;
    assert.deepEqual([instances.length, problems.map((problem) => problem.code)], [1, ['repository.damaged']]);
  } finally {
    await home.repository.store.delete('bad/instance.json');
  }
});

test('a failure has its exit code and is one JSON value', async () => {
  const cases: readonly (readonly [words: string[], code: string, exitCode: number])[] = [
    [['lsit'], 'usage.invalid', 2],
    [['list', '--zzz'], 'usage.invalid', 2],
    [['restore', 'x'], 'usage.invalid', 2],
    [['backup', 'x', '--compress', 'lz4'], 'usage.invalid', 2],
    [['backup', 'x', '--max-rate', '1k'], 'usage.invalid', 2],
    [['restore', 'x', '--target-directory', 'd', '--port', '1'], 'usage.invalid', 2],
    [['restore', 'x', '--target-directory', 'd', '--tablespace', 'a'], 'usage.invalid', 2],
    [['list', '--config', 'absent.json'], 'configuration.missing', 2],
    [['list', 'nobody'], 'instance.unknown', 2],
    [['backup', '::1-5432'], 'instance.not-configured', 2],
    [['check', 'postgresql://u:secret@h'], 'usage.password-in-argument', 2],
    [['backup', 'postgresql://u@127.0.0.1:1'], 'connection.refused', 1],
    [['delete', '::1-5432', sampleIds[1]], 'deletion.newest', 1],
    [['delete', '::1-5432', sampleIds[0]], 'deletion.unconfirmed', 2],
  ];
  await Promise.all(
    cases.map(async ([words, code, exitCode]) => {
      const run = await pointback(['--json', ...words]);
      const { error } = JSON.parse(run.stdout) as Failed;
      assert.equal(error.code, code, words.join(' '));
      assert.equal(run.code, exitCode, words.join(' '));
      assert.equal(error.exitCode, exitCode);
      assert.ok(!run.stderr.includes('secret'));
    }),
  );
});

test('a server that cannot be backed up is a finding of the check, with exit code 3', async () => {
  const { code, stdout } = await pointback(['check', 'postgresql://u@127.0.0.1:1', '--json']);
  assert.equal(code, 3);
  const { ok, findings } = JSON.parse(stdout) as CheckReport;
  assert.equal(ok, false);
  assert.ok(findings.some((finding) => finding.code === 'connection.refused'));
});

test('delete shows what is lost, and with --yes deletes it', async () => {
  const refused = await pointback(['delete', '::1-5432', '20261120']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^This deletes the backup 20261120T110052\.123Z-full of ::1-5432:\n/);
  const { code, stdout } = await pointback(['delete', '::1-5432', '20261120', '--yes', '--json']);
  assert.equal(code, 0);
  assert.equal((JSON.parse(stdout) as { deleted: { id: string } }).deleted.id, sampleIds[0]);
  assert.deepEqual((await readdir(join(home.path, 'repository/%3A%3A1-5432/backups'))).toSorted(), sampleIds.slice(1));
});
