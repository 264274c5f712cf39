import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { RestoredFiles } from '../../../server/src/engine/restore/restoredFiles.ts';
import { filePathFromText } from '../../../server/src/formats/filePath.ts';
import type { TarEntry } from '../../../server/src/formats/tar.ts';
import { temporaryDirectory } from '../../support/temporaryDirectory.ts';

const openFilesNow = async (): Promise<number> => (await readdir('/proc/self/fd').catch(() => [])).length;

function restoreInto(targetDirectory: string): RestoredFiles {
  return new RestoredFiles({
    plan: { targetDirectory, tablespaces: [] },
    directoryMode: 0o700,
    fileMode: 0o600,
    withheld: new Set(),
  });
}

function addFile(files: RestoredFiles, name: string, content: string): void {
  const path = filePathFromText(name);
  const entry: TarEntry = {
    path,
    type: 'file',
    size: content.length,
    mode: 0o600,
    mtime: 0,
    linkName: '',
    contentOffset: 0,
  };
  const sink = files.member(path, entry);
  if (content !== '') sink?.content(Buffer.from(content));
  sink?.end();
}

describe('RestoredFiles', () => {
  it('opens only some of thousands of files that come at once', async () => {
    await using directory = await temporaryDirectory('files');
    const files = restoreInto(directory.path);
    const before = await openFilesNow();
    for (let n = 0; n < 5000; n += 1) addFile(files, `f${n}`, n % 2 === 0 ? '' : String(n));
    let most = 0;
    const finished = files.finish().then(() => true);
    while (!(await Promise.race([finished, new Promise((resolve) => setImmediate(resolve, false))]))) {
      most = Math.max(most, await openFilesNow());
    }
    assert.ok(most - before < 200, `${most - before} files were open at once`);
    assert.equal((await readdir(directory.path)).length, 5000);
    assert.equal(await readFile(join(directory.path, 'f4999'), 'utf8'), '4999');
    assert.equal((await stat(join(directory.path, 'f0'))).size, 0);
  });

  it('never overwrites', async () => {
    await using directory = await temporaryDirectory('files');
    const files = restoreInto(directory.path);
    addFile(files, 'same', 'first');
    addFile(files, 'same', 'second');
    await assert.rejects(files.finish(), (error) => isPointbackError(error, 'restore.write-failed'));
    assert.equal(await readFile(join(directory.path, 'same'), 'utf8'), 'first');
  });

  for (const name of ['../outside', '/etc/passwd', 'a/../../b', 'base//1']) {
    it(`refuses a member named ${name}`, async () => {
      await using directory = await temporaryDirectory('files');
      assert.throws(
        () => {
          addFile(restoreInto(directory.path), name, 'x');
        },
        (error) => isPointbackError(error, 'backup.damaged'),
      );
    });
  }
});
