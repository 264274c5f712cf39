import assert from 'node:assert/strict';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { planRestore } from '../../server/src/engine/restore/planRestore.ts';
import { runRestore } from '../../server/src/engine/restore/runRestore.ts';
import { verifyBackup } from '../../server/src/engine/verify/verifyBackup.ts';
import type { VerificationProblem } from '../../server/src/repository/backupRecord.ts';
import { findBackup, listBackups } from '../../server/src/repository/catalog.ts';
import type { Repository } from '../../server/src/repository/repository.ts';
import {
  RepositoryCopy,
  flipped,
  indexedFiles,
  longer,
  removed,
  replaced,
  truncatedTo,
} from '../support/damagedCopy.ts';
import { engineContext } from '../support/engineContext.ts';
import { Scene, assertCode, failure } from '../support/scene.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';
import { waitFor } from '../support/waitFor.ts';

/** A reader that waits for something that never comes must not look like one that is slow. */
const soon = { timeout: 30_000 };

describe('a backup that was damaged where it lies', () => {
  let scene: Scene;
  let copy: RepositoryCopy;
  let compressed: string;
  let plain: string;
  before(async () => {
    scene = await Scene.open({ major: 18 });
    // More files than readers hold in memory at a time.
    for (const name of ['a', 'b']) await scene.server.sql(`CREATE DATABASE ${name}`);
    compressed = (await scene.backup()).record.id;
    const { record } = await scene.backup({ compression: { method: 'none' } });
    assert.ok(record.fileCount > 1500, `${record.fileCount} files`);
    plain = record.id;
    copy = await RepositoryCopy.of(scene.repository);
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  /** Verifies, and returns what was found; the state must be broken from then on. */
  async function problemsOf(repository: Repository, id: string): Promise<readonly VerificationProblem[]> {
    const { verification } = await verifyBackup({ repository, instance: 'shop', id }, engineContext());
    assert.equal(verification.outcome, 'failed');
    assert.ok(verification.problemCount > 0);
    for (const { message } of verification.problems) assert.match(message, /^\S.{15,}\.$/);
    const { state, stateReason } = await findBackup(repository, 'shop', id);
    assert.equal(state, 'broken');
    assert.ok(stateReason?.startsWith(verification.problems[0]?.message ?? '?'));
    return verification.problems;
  }

  /** A restore of it must fail and leave nothing. */
  async function assertUnrestorable(repository: Repository, id: string): Promise<void> {
    await using directory = await temporaryDirectory('restore');
    const targetDirectory = join(directory.path, 'copy');
    const startResources = { serverBinaries: [], containerCommand: [] };
    const parameters = {
      repository,
      instance: 'shop',
      id,
      targetDirectory,
      tablespaceMapping: new Map(),
      startResources,
    };
    const plan = await planRestore(parameters, engineContext());
    const error = await failure(runRestore(plan, engineContext()));
    assertCode(error, 'restore.content-differs');
    await assert.rejects(lstat(targetDirectory), { code: 'ENOENT' });
  }

  const subjects = (problems: readonly VerificationProblem[]): string[] => [
    ...new Set(problems.map(({ subject }) => subject)),
  ];

  const damages: Record<string, Record<string, (content: Buffer) => Buffer | undefined>> = {
    'data/base.tar.zst': {
      'changed in its first third': flipped(1 / 6),
      'changed in its second third': flipped(1 / 2),
      'changed in its last third': flipped(5 / 6),
      'cut to a half': truncatedTo(0.5),
      'one byte short': (content) => content.subarray(0, -1),
      empty: truncatedTo(0),
      gone: removed,
    },
    'data/backup_manifest': {
      'changed in its first byte': flipped(0),
      'changed in its first file': flipped(100),
      'changed in its middle': flipped(0.5),
      'changed in its own checksum': flipped(-10),
      'cut to a half': truncatedTo(0.5),
      'longer than it was': longer,
      gone: removed,
    },
    'index.json': {
      'changed in its first byte': flipped(0),
      'changed in its first file': flipped(60),
      'changed in its middle': flipped(0.5),
      'no JSON in a line': replaced('"archive":0', '"archive";0'),
      'changed in its frames': replaced('\n[0,', '\n[1,'),
      'cut to a half': truncatedTo(0.5),
      gone: removed,
    },
  };
  for (const [name, kinds] of Object.entries(damages)) {
    for (const [kind, change] of Object.entries(kinds)) {
      it(`${name} is ${kind}`, soon, async () => {
        const damaged = (): Repository => copy.with(`shop/backups/${compressed}/${name}`, change);
        const problems = await problemsOf(damaged(), compressed);
        assert.deepEqual(subjects(problems), [name.replace('data/', '')]);
        await assertUnrestorable(damaged(), compressed);
      });
    }
  }

  it('the archive is longer than it was, which harms no restore', soon, async () => {
    const problems = await problemsOf(copy.with(`shop/backups/${compressed}/data/base.tar.zst`, longer), compressed);
    assert.deepEqual(subjects(problems), ['base.tar.zst']);
  });

  it('the manifest names another size of a file', soon, async () => {
    const change = replaced('"Size": 8192', '"Size": 8193');
    const repository = copy.with(`shop/backups/${compressed}/data/backup_manifest`, change);
    const [file, ...others] = subjects(await problemsOf(repository, compressed));
    assert.match(file ?? '', /^(base|global|pg_)/);
    assert.deepEqual(others, ['backup_manifest']);
  });

  it('index.json names another place of a file', soon, async () => {
    const [, , third] = await indexedFiles(scene.repository, 'shop', compressed);
    const change = replaced(`"offset":${third?.offset},`, `"offset":${Number(third?.offset) + 512},`);
    const repository = copy.with(`shop/backups/${compressed}/index.json`, change);
    assert.deepEqual(subjects(await problemsOf(repository, compressed)), [third?.path]);
  });

  const recordKey = (id: string): string => `shop/backups/${id}/backup.json`;

  it('backup.json is changed', async () => {
    for (const at of [0, 0.3, 0.6, 0.9, -3]) {
      const repository = copy.with(recordKey(compressed), flipped(at));
      const error = await failure(verifyBackup({ repository, instance: 'shop', id: compressed }, engineContext()));
      assertCode(error, 'repository.damaged');
      assert.match(error.message, new RegExp(`${compressed}/backup\\.json`));
      const damage: unknown[] = [];
      const left = await listBackups(repository, 'shop', { damaged: (told) => damage.push(told.details?.['key']) });
      assert.deepEqual(damage, [recordKey(compressed)]);
      assert.equal(left.length, 2);
    }
  });

  it('backup.json says something else, and is well written', soon, async () => {
    const fields = ['startLsn', 'endLsn', 'systemIdentifier', 'startTimeline', 'endTimeline'] as const;
    const { record } = await findBackup(scene.repository, 'shop', compressed);
    const lie = (field: (typeof fields)[number]): Repository => {
      const value = String(record[field]);
      const other = value.slice(0, -1) + (value.endsWith('1') ? '2' : '1');
      return copy.with(
        recordKey(compressed),
        replaced(
          `"${field}": ${JSON.stringify(record[field])}`,
          `"${field}": ${JSON.stringify(typeof record[field] === 'number' ? Number(other) : other)}`,
        ),
      );
    };
    for (const field of fields) {
      const problems = await problemsOf(lie(field), compressed);
      assert.ok(subjects(problems).includes('backup.json'), `${field}: ${JSON.stringify(problems)}`);
    }
  });

  describe('file by file', () => {
    const archive = (): string => `shop/backups/${plain}/data/base.tar`;

    it('a byte of a file is changed', soon, async () => {
      const path = await scene.server.value(`SELECT pg_relation_filepath('marked')`);
      const files = await indexedFiles(scene.repository, 'shop', plain);
      const { offset = 0 } = files.find((file) => file.path === path) ?? {};
      const damaged = (): Repository => copy.with(archive(), flipped(offset + 8000));
      const problems = await problemsOf(damaged(), plain);
      assert.deepEqual(subjects(problems), [path]);
      assert.ok(problems.some(({ code }) => code === 'file-changed'));
      await assertUnrestorable(damaged(), plain);
    });

    it('two files of the same size have changed places', soon, async () => {
      const files = await indexedFiles(scene.repository, 'shop', plain);
      const one = files.find(({ path, size }) => path.startsWith('base/') && size === 8192);
      const other = files.findLast(
        ({ path, size, checksum }) => path.startsWith('base/') && size === 8192 && checksum !== one?.checksum,
      );
      assert.ok(one !== undefined && other !== undefined);
      const swap = (content: Buffer): Buffer => {
        const first = Buffer.from(content.subarray(one.offset, one.offset + 8192));
        content.copy(content, one.offset, other.offset, other.offset + 8192);
        first.copy(content, other.offset);
        return content;
      };
      const problems = await problemsOf(copy.with(archive(), swap), plain);
      assert.deepEqual(subjects(problems).sort(), [one.path, other.path].sort());
      await assertUnrestorable(copy.with(archive(), swap), plain);
    });

    it('a file is named differently', soon, async () => {
      const damaged = (): Repository => copy.with(archive(), replaced('base/1/PG_VERSION', 'base/1/PG_VERSIOM'));
      assert.deepEqual(subjects(await problemsOf(damaged(), plain)), ['base.tar']);
      await assertUnrestorable(damaged(), plain);
    });

    for (const [what, at] of [
      ['the header of a page', 8192 * 3 + 9],
      ['a record', 100],
    ] as const) {
      it(`a WAL segment is changed in ${what}`, soon, async () => {
        const files = await indexedFiles(scene.repository, 'shop', plain);
        const segment = files.find(({ path }) => /^pg_wal\/[0-9A-F]{24}$/.test(path));
        assert.ok(segment !== undefined);
        const damaged = (): Repository => copy.with(archive(), flipped(segment.offset + at));
        const problems = await problemsOf(damaged(), plain);
        assert.ok(
          problems.every(({ subject }) => subject.startsWith('pg_wal')),
          JSON.stringify(problems),
        );
        assert.ok(subjects(problems).includes(segment.path));
        await assertUnrestorable(damaged(), plain);
      });
    }
  });

  it('and is whole again: a verification that passes says so', async () => {
    const id = compressed;
    const { verification } = await verifyBackup(
      { repository: scene.repository, instance: 'shop', id },
      engineContext(),
    );
    assert.equal(verification.outcome, 'passed');
    assert.equal((await findBackup(scene.repository, 'shop', id)).state, 'consistent');
    await waitFor(
      'no lock is left',
      async () => ![...(await scene.files()).keys()].some((key) => key.includes('locks')),
    );
  });
});
