import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { filePathFromBytes, filePathFromText } from '../../../server/src/formats/filePath.ts';
import type { IndexArchive, IndexFile } from '../../../server/src/repository/backupIndex.ts';
import { BackupIndexWriter } from '../../../server/src/repository/backupIndex.ts';
import { readIndexArchives, readIndexFiles } from '../../../server/src/repository/backupIndexReader.ts';
import { FrameTable } from '../../../server/src/repository/frameTable.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

const key = 'shop/backups/x/index.json';

const file = (path: string, changes: Partial<IndexFile> = {}): IndexFile => ({
  path: filePathFromText(path),
  archive: 0,
  offset: 512,
  size: 8192,
  checksum: 'd41d8cd9',
  ...changes,
});

const files: IndexFile[] = [
  file('backup_label', { size: 0, checksum: '' }),
  file('base/1/1259'),
  file('base/1/größe "x"\\\n\u2028', { archive: 1, offset: 2 ** 40 }),
  { ...file('x'), path: filePathFromBytes(Buffer.from([0x62, 0xff, 0xfe, 0x2f, 0x0a])) },
];

const archives: IndexArchive[] = [
  { name: '16385.tar.zst', tarBytes: 0, storedBytes: 0, frames: [] },
  { name: 'base.tar.zst', tarBytes: 300, storedBytes: 30, frames: [[0, 10, 0, 100], [10, 20, 100, 200]] }, // prettier-ignore
];

async function written(theFiles: readonly IndexFile[], theArchives: readonly IndexArchive[]): Promise<Buffer> {
  const writer = new BackupIndexWriter();
  const store = new MemoryStore();
  const stored = store.put(key, writer.body());
  theFiles.forEach((entry) => {
    writer.addFile(entry);
  });
  theArchives.forEach((entry) => {
    writer.addArchive(entry);
  });
  writer.end();
  await stored;
  return store.read(key);
}

async function readFiles(bytes: Uint8Array): Promise<IndexFile[]> {
  const found: IndexFile[] = [];
  for await (const entry of readIndexFiles(new MemoryStore([[key, bytes]]), key)) found.push(entry);
  return found;
}

/** With the frames as plain lists. */
async function readArchives(bytes: Uint8Array): Promise<IndexArchive[]> {
  const found = await readIndexArchives(new MemoryStore([[key, bytes]]), key);
  return found.map((archive) => ({ ...archive, frames: [...archive.frames] }));
}

async function refuses(
  bytes: Uint8Array,
  why: string,
  code: 'repository.damaged' | 'repository.newer-format' = 'repository.damaged',
): Promise<void> {
  // prettier-ignore
  const coded = (error: unknown): boolean => isPointbackError(error, code) && error.message.includes(key);
  await assert.rejects(readFiles(bytes), coded, `files: ${why}`);
  await assert.rejects(readArchives(bytes), coded, `archives: ${why}`);
}

describe('the index of a backup', () => {
  test('is this text', async () => {
    assert.equal(
      (await written(files, archives)).toString('latin1'),
      Buffer.from(
        [
          '{"format":1,',
          '"files":[',
          '{"path":"backup_label","archive":0,"offset":512,"size":0,"checksum":""},',
          '{"path":"base/1/1259","archive":0,"offset":512,"size":8192,"checksum":"d41d8cd9"},',
          '{"path":"base/1/größe \\"x\\"\\\\\\n\u2028","archive":1,"offset":1099511627776,"size":8192,"checksum":"d41d8cd9"},',
          '{"encodedPath":"62fffe2f0a","archive":0,"offset":512,"size":8192,"checksum":"d41d8cd9"}',
          '],',
          '"archives":[',
          '{"name":"16385.tar.zst","tarBytes":0,"storedBytes":0,"frames":[',
          ']},',
          '{"name":"base.tar.zst","tarBytes":300,"storedBytes":30,"frames":[',
          '[0,10,0,100],',
          '[10,20,100,200]',
          ']}',
          ']}',
          '',
        ].join('\n'),
      ).toString('latin1'),
    );
  });

  test('comes back as it was written, and is one JSON value for others', async () => {
    for (const [theFiles, theArchives] of [
      [files, archives],
      [[], []],
      [files.slice(0, 1), archives.slice(0, 1)],
      [[], archives],
    ] as const) {
      // prettier-ignore
      const bytes = await written(theFiles, theArchives);
      assert.deepEqual(await readFiles(bytes), theFiles);
      assert.deepEqual(await readArchives(bytes), theArchives);
      const json = JSON.parse(bytes.toString()) as { files: unknown[]; archives: unknown[] };
      assert.deepEqual([json.files.length, json.archives.length], [theFiles.length, theArchives.length]);
    }
  });

  test('goes out while it grows', async () => {
    const writer = new BackupIndexWriter();
    const pieces = writer.body()[Symbol.asyncIterator]();
    const first = pieces.next();
    for (let index = 0; index < 2000; index += 1) writer.addFile(file(`base/1/${index}`));
    assert.ok(((await first).value as Uint8Array).length >= 64 * 1024);
    for (let index = 2000; index < 20_000; index += 1) writer.addFile(file(`base/1/${index}`));
    archives.forEach((entry) => {
      writer.addArchive(entry);
    });
    writer.end();
    let count = 0;
    const rest: Uint8Array[] = [(await first).value as Uint8Array];
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) rest.push(next.value);
    for await (const entry of readIndexFiles(new MemoryStore([[key, Buffer.concat(rest)]]), key)) {
      assert.equal(entry.path, `base/1/${count}`);
      count += 1;
    }
    assert.equal(count, 20_000);
  });

  test('holds the frames of a very large archive, without a line or a list that grows with them', async () => {
    const frames = new FrameTable();
    const count = 300_000;
    for (let frame = 0; frame < count; frame += 1) frames.append(4_194_304 - (frame % 7), 4_194_304);
    const last = frames.at(count - 1);
    assert.equal(last?.[2], (count - 1) * 4_194_304);
    assert.deepEqual([frames.at(count), frames.at(-1), frames.at(NaN)], [undefined, undefined, undefined]);
    const { storedBytes, tarBytes } = frames;
    assert.equal(storedBytes, last[0] + last[1]);
    const writer = new BackupIndexWriter();
    writer.addArchive({ name: 'base.tar', tarBytes, storedBytes, frames });
    writer.end();
    let longest = 0;
    const pieces: Uint8Array[] = [];
    for await (const piece of writer.body()) {
      longest = Math.max(longest, piece.length);
      pieces.push(piece);
    }
    assert.ok(longest < 512 * 1024, `${longest} bytes at once`);
    const bytes = Buffer.concat(pieces);
    assert.ok(
      bytes
        .toString('latin1')
        .split('\n')
        .every((line) => line.length < 100),
    );
    const [archive] = await readIndexArchives(new MemoryStore([[key, bytes]]), key);
    assert.equal(archive?.frames.length, count);
    for (const position of [0, 255, 256, 257, 99_999, count - 1]) {
      assert.deepEqual(archive.frames.at(position), frames.at(position));
    }
    assert.ok(!Array.isArray(archive.frames));
  });

  test('that is given up ends its body with the reason, also while it is waited for', async () => {
    const writer = new BackupIndexWriter();
    const store = new MemoryStore();
    const stored = store.put(key, writer.body());
    const reason = new Error('connection lost');
    writer.addFile(file('x'));
    writer.fail(reason);
    await assert.rejects(stored, (error) => error === reason);
    assert.equal(store.objects.size, 0);
  });

  test('is damaged when cut anywhere', async () => {
    const bytes = await written(files, archives);
    for (let length = 0; length < bytes.length; length += 1)
      await refuses(bytes.subarray(0, length), `${length} bytes`);
  });

  test('is damaged with any line gone, doubled or swapped', async () => {
    const lines = (await written(files, archives)).toString('latin1').split('\n').slice(0, -1);
    const bytesOf = (some: readonly string[]): Buffer => Buffer.from(`${some.join('\n')}\n`, 'latin1');
    // A list that lost an entry before its last is still well formed: what the index says is held against the manifest.
    const wellFormedWithout = new Set([2, 3, 4]);
    for (let index = 0; index < lines.length; index += 1) {
      if (!wellFormedWithout.has(index)) await refuses(bytesOf(lines.toSpliced(index, 1)), `without line ${index + 1}`);
      if (!/^\{".*\},$/.test(lines[index] ?? '') || index === 0) {
        await refuses(bytesOf(lines.toSpliced(index, 0, lines[index] ?? '')), `line ${index + 1} twice`);
      }
    }
    for (const garbage of ['', ' ', '{}', '],']) await refuses(bytesOf([...lines, garbage]), `${garbage} behind`);
  });

  test('is damaged with anything behind it, even without a newline', async () => {
    await refuses(Buffer.concat([await written(files, archives), Buffer.from('x')]), 'garbage behind');
  });

  test('is damaged with an entry that cannot be', async () => {
    const good = (await written(files, archives)).toString('latin1');
    const changes: [string, string][] = [
      ['"path":"backup_label"', '"path":"../backup_label"'],
      ['"path":"backup_label"', '"path":"/etc/passwd"'],
      ['"path":"backup_label"', '"path":""'],
      ['"path":"backup_label"', '"pfad":"backup_label"'],
      ['"path":"backup_label"', '"path":"a","encodedPath":"62"'],
      ['"encodedPath":"62fffe2f0a"', '"encodedPath":"62fffe2f0"'],
      ['"encodedPath":"62fffe2f0a"', '"encodedPath":"2e2e2f61"'],
      ['"size":0', '"size":-1'],
      ['"size":0', '"size":0.5'],
      ['"size":0', '"size":9007199254740993'],
      ['"archive":1', '"archive":"1"'],
      ['"checksum":"d41d8cd9"', '"checksum":"D4"'],
      ['"checksum":"d41d8cd9"', '"checksum":null'],
      ['d41d8cd9"},', 'd41d8cd9"}}'],
    ];
    for (const [from, to] of changes) {
      assert.ok(good.includes(from), from);
      await assert.rejects(readFiles(Buffer.from(good.replace(from, to), 'latin1')), (error) => isPointbackError(error, 'repository.damaged'), to); // prettier-ignore
    }
    const archiveChanges: [string, string][] = [
      ['[10,20,100,200]', '[11,20,100,200]'],
      ['[10,20,100,200]', '[10,20,101,200]'],
      ['[10,20,100,200]', '[10,21,100,200]'],
      ['[10,20,100,200]', '[10,20,100,199]'],
      ['[10,20,100,200]', '[10,20,100]'],
      ['[10,20,100,200]', '[10,20,100,200,1]'],
      ['[0,10,0,100],\n', ''],
      ['[10,20,100,200]', '[10,20,100,4294967296]'],
      ['[10,20,100,200]', '[10,20,100,-1]'],
      ['"name":"base.tar.zst"', '"name":"../base.tar.zst"'],
      ['"tarBytes":0', '"tarBytes":1'],
    ];
    for (const [from, to] of archiveChanges) {
      assert.ok(good.includes(from), from);
      await assert.rejects(readArchives(Buffer.from(good.replace(from, to), 'latin1')), (error) => isPointbackError(error, 'repository.damaged'), to); // prettier-ignore
    }
  });

  test('of a newer format asks for a newer version', async () => {
    await refuses(Buffer.from('{"format":2,\n"else":[]}\n'), 'format 2', 'repository.newer-format');
    await refuses(Buffer.from('{"format":0,\n'), 'format 0');
  });

  test('that is not there is missing', async () => {
    await assert.rejects(readIndexArchives(new MemoryStore(), key), (error) =>
      isPointbackError(error, 'store.missing'),
    );
  });
});
