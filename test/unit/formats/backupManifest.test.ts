import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { ManifestReader, type ManifestSummary } from '../../../server/src/formats/backupManifest.ts';
import type { ManifestFile } from '../../../server/src/formats/manifestLines.ts';
import { displayPath, filePathBytes } from '../../../server/src/formats/filePath.ts';
import { fileLine, manifestText, sealed, walRangeLine, type ManifestText } from './manifestSamples.ts';

async function* pieces(parts: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(part);
}

async function collect(reader: ManifestReader): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for await (const file of reader.files()) files.push(file);
  return files;
}

async function read(...parts: readonly Uint8Array[]): Promise<{ files: ManifestFile[]; summary: ManifestSummary }> {
  const reader = new ManifestReader(pieces(parts));
  const files = await collect(reader);
  return { files, summary: reader.summary };
}

const damaged = (error: unknown): boolean => isPointbackError(error, 'manifest.damaged');

const realManifest = (major: number): Buffer =>
  gunzipSync(readFileSync(new URL(`../../vectors/manifests/${major}.gz`, import.meta.url)));

/** Small, with everything in it: escapes, bytes beyond ASCII, no checksum, two timelines. */
const small = manifestText({
  files: [
    fileLine,
    '{ "Encoded-Path": "6f6464ff41", "Size": 0, "Last-Modified": "2026-11-22 14:01:02 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" }',
    String.raw`{ "Path": "a\"b\\c\td\n\u0001\u007f/e", "Size": 8192, "Last-Modified": "2026-11-22 14:01:02 GMT" }`,
  ],
  walRanges: [
    '{ "Timeline": 2, "Start-LSN": "0/9000028", "End-LSN": "0/A000120" }',
    '{ "Timeline": 1, "Start-LSN": "0/8000028", "End-LSN": "0/9000028" }',
  ],
});

test('the manifest of a real server 18', async () => {
  const { files, summary } = await read(realManifest(18));
  assert.equal(files.length, 977);
  assert.deepEqual(summary, {
    version: 2,
    systemIdentifier: 7710995556834883732n,
    walRanges: [{ timeline: 1, start: 0xa000028n, end: 0xa000120n }],
  });
  assert.deepEqual(files[1], {
    path: 'backup_label',
    size: 211,
    lastModified: '2026-11-22 14:01:02 GMT',
    algorithm: 'CRC32C',
    checksum: 'bfb27803',
  });
  const odd = files.find((file) => file.path.includes('\xff'));
  assert.deepEqual(odd && filePathBytes(odd.path), Buffer.from([0x6f, 0x64, 0x64, 0xff, 0x41]));
  assert.ok(files.some((file) => (file.path as string) === 'quote"back\\slash\ttab'));
});

test('the manifest of a real server 13: version 1, no system identifier', async () => {
  const { files, summary } = await read(realManifest(13));
  assert.equal(files.length, 943);
  assert.deepEqual(summary, { version: 1, walRanges: [{ timeline: 1, start: 0x9e00028n, end: 0x9e00100n }] });
  assert.equal('systemIdentifier' in summary, false);
});

test('escapes, encoded paths, absent checksums and several timelines', async () => {
  const { files, summary } = await read(small);
  assert.deepEqual(
    files.map(({ path, size, algorithm, checksum }) => [displayPath(path), size, algorithm, checksum]),
    [
      ['backup_label', 211, 'CRC32C', 'bfb27803'],
      [String.raw`odd\xffA`, 0, 'CRC32C', '00000000'],
      [String.raw`a"b\c\x09d\x0a\x01\x7f/e`, 8192, 'NONE', ''],
    ],
  );
  assert.deepEqual(
    summary.walRanges.map(({ timeline }) => timeline),
    [2, 1],
  );
});

test('cut in two at every byte, and one byte at a time, it reads the same', async () => {
  const whole = await read(small);
  for (let cut = 0; cut <= small.length; cut++) {
    assert.deepEqual(await read(small.subarray(0, cut), small.subarray(cut)), whole, `cut at ${cut}`);
  }
  assert.deepEqual(await read(...Array.from(small, (_, at) => small.subarray(at, at + 1))), whole);
});

test('a source may reuse its memory', async () => {
  const memory = Buffer.alloc(10);
  function* reusing(): Generator<Uint8Array> {
    for (let at = 0; at < small.length; at += memory.length) {
      const length = small.copy(memory, 0, at, at + memory.length);
      yield memory.subarray(0, length);
    }
  }
  assert.deepEqual(await collect(new ManifestReader(pieces(reusing()))), (await read(small)).files);
});

test('truncated at any byte it is damaged, the final newline included', async () => {
  for (let length = 0; length < small.length; length++) {
    await assert.rejects(read(small.subarray(0, length)), damaged, `cut to ${length} bytes`);
  }
});

test('any flipped bit is found', async () => {
  for (let at = 0; at < small.length; at++) {
    for (const bit of [0, 5, 7]) {
      const changed = Buffer.from(small);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      // The version's own digit may turn into another version's.
      await assert.rejects(read(changed), (error) => isPointbackError(error), `bit ${bit} of byte ${at}`);
    }
  }
});

test('a line left out, doubled or moved is found', async () => {
  const lines = small.toString('latin1').split(/(?<=\n)/);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const without = lines.toSpliced(index, 1);
    const doubled = lines.toSpliced(index, 0, line);
    const moved = without.toSpliced((index + 1) % lines.length, 0, line);
    for (const changed of [without, doubled, moved]) {
      await assert.rejects(read(Buffer.from(changed.join(''), 'latin1')), damaged, `line ${index + 1}`);
    }
  }
});

test('something after the end is found, a mere newline too', async () => {
  for (const garbage of ['\n', ' ', '\0', 'x\n', small.toString('latin1')]) {
    await assert.rejects(read(small, Buffer.from(garbage, 'latin1')), damaged, JSON.stringify(garbage.slice(0, 10)));
  }
});

test('a wrong checksum is found, and an upper-case one is not what servers write', async () => {
  const text = small.toString('latin1');
  const checksum = /"([0-9a-f]{64})"/.exec(text)?.[1] ?? '';
  const other = checksum.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  for (const wrong of [other, checksum.toUpperCase(), checksum.slice(1), '']) {
    await assert.rejects(read(Buffer.from(text.replace(checksum, wrong), 'latin1')), damaged);
  }
});

test('system identifiers keep all 64 bits', async () => {
  for (const systemIdentifier of ['7710995556834883733', '9007199254740993', '18446744073709551615', '1']) {
    const { summary } = await read(manifestText({ systemIdentifier }));
    assert.equal(summary.systemIdentifier, BigInt(systemIdentifier));
  }
});

test('a manifest whose checksum fits but whose content no server writes is damaged', async () => {
  const file = (change: (line: string) => string): ManifestText => ({ files: [change(fileLine)] });
  const bad: Record<string, ManifestText> = {
    'system identifier of 65 bits': { systemIdentifier: '18446744073709551616' },
    'system identifier as text': { systemIdentifier: '"7710995556834883732"' },
    'no system identifier in version 2': { systemIdentifier: undefined },
    'system identifier in version 1': { version: '1' },
    'version 0': { version: '0' },
    'version as text': { version: '"2"' },
    'size too large to count': file((line) => line.replace('211', '9007199254740993')),
    'negative size': file((line) => line.replace('211', '-1')),
    'fractional size': file((line) => line.replace('211', '2.5')),
    'empty path': file((line) => line.replace('backup_label', '')),
    'unknown algorithm': file((line) => line.replace('CRC32C', 'MD5')),
    'algorithm NONE spelled out': file((line) => line.replace('CRC32C', 'NONE')),
    'checksum of another length': file((line) => line.replace('bfb27803', 'bfb278')),
    'checksum in capitals': file((line) => line.replace('bfb27803', 'BFB27803')),
    'no checksum for an algorithm': file((line) => line.replace(', "Checksum": "bfb27803"', '')),
    'duplicate key': file((line) => line.replace('"Size": 211', '"Size": 211, "Size": 211')),
    'unknown key': file((line) => line.replace(' }', ', "Owner": "x" }')),
    'missing key': file((line) => line.replace('"Size": 211, ', '')),
    'broken escape': file((line) => line.replace('backup_label', String.raw`a\x41`)),
    'escape beyond ASCII': file((line) => line.replace('backup_label', String.raw`a\u00e4`)),
    'raw control character': file((line) => line.replace('backup_label', 'a\\t\tb')),
    'odd number of hex digits': file((line) => line.replace('"Path": "backup_label"', '"Encoded-Path": "616"')),
    'both kinds of path': file((line) => line.replace('"Size"', '"Encoded-Path": "61", "Size"')),
    'empty line among the files': { files: [fileLine, ''] },
    'timeline 0': { walRanges: [walRangeLine.replace('1', '0')] },
    'timeline of 33 bits': { walRanges: [walRangeLine.replace('1', '4294967296')] },
    'range backwards': { walRanges: [walRangeLine.replace('0/A000120', '0/A000020')] },
    'position that is none': { walRanges: [walRangeLine.replace('0/A000120', '0A000120')] },
  };
  for (const [what, parts] of Object.entries(bad)) await assert.rejects(read(manifestText(parts)), damaged, what);
  const body = manifestText()
    .toString('latin1')
    .replace(/"Manifest-Checksum.*\n$/, '');
  const badBodies = {
    'comma after the last file': body.replace('" }\n],\n"WAL', '" },\n],\n"WAL'),
    'no comma between files': body.replace(fileLine, `${fileLine}\n${fileLine}`),
    'comma after the last range': body.replace('" }\n],\n', '" },\n],\n'),
    'carriage returns': body.replaceAll('\n', '\r\n'),
    'no WAL ranges': body.replace(/"WAL-Ranges[\s\S]*/, ''),
    'files twice': body.replace(/"Files[\s\S]*?\],\n/, (files) => files + files),
  };
  for (const [what, text] of Object.entries(badBodies)) {
    assert.notEqual(text, body, what);
    await assert.rejects(read(sealed(text)), damaged, what);
  }
});

test('no files and no ranges is a layout servers can write', async () => {
  const { files, summary } = await read(manifestText({ files: [], walRanges: [] }));
  assert.deepEqual([files, summary.walRanges], [[], []]);
});

test('a version of a later server is no damage, but cannot be read', async () => {
  await assert.rejects(read(manifestText({ version: '3' })), (error) =>
    isPointbackError(error, 'manifest.newer-version'),
  );
});

test('a line without end does not fill the memory', async () => {
  let sent = 0;
  function* endless(): Generator<Uint8Array> {
    while (sent < 10 * 65_536) {
      sent += 8192;
      yield Buffer.alloc(8192, 0x20);
    }
  }
  await assert.rejects(collect(new ManifestReader(pieces(endless()))), damaged);
  assert.ok(sent <= 65_536 + 2 * 8192);
});

test('the summary is there only after the last file, and files can be asked for once', async () => {
  const reader = new ManifestReader(pieces([small]));
  assert.throws(() => reader.summary);
  const files = reader.files();
  await files.next();
  assert.throws(() => reader.summary);
  let step = await files.next();
  while (step.done !== true) step = await files.next();
  assert.equal(reader.summary.version, 2);
  await assert.rejects(reader.files().next());
});

test('who stops reading early lets go of the source', async () => {
  let released = false;
  function* source(): Generator<Uint8Array> {
    try {
      yield small;
      assert.fail('nobody asked for more');
    } finally {
      released = true;
    }
  }
  for await (const file of new ManifestReader(pieces(source())).files()) {
    assert.equal(file.path, 'backup_label');
    break;
  }
  assert.equal(released, true);
});

test('an error of the source comes through as it is', async () => {
  const failure = new Error('disk');
  function* failing(): Generator<Uint8Array> {
    yield small.subarray(0, 100);
    throw failure;
  }
  await assert.rejects(collect(new ManifestReader(pieces(failing()))), (error) => error === failure);
});
