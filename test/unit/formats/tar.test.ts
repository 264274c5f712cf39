import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { displayPath, filePathFromBytes, filePathFromText } from '../../../server/src/formats/filePath.ts';
import { encodeTarHeader, tarPadding, TarReader, type TarEntry } from '../../../server/src/formats/tar.ts';

type Member = Partial<Omit<TarEntry, 'path' | 'contentOffset'>> & { path: string; content?: Buffer };

const TERMINATOR = Buffer.alloc(1024);

function member({ path, content = Buffer.alloc(0), ...rest }: Member): Buffer {
  const header = encodeTarHeader({
    path: filePathFromText(path),
    type: 'file',
    size: content.length,
    mode: 0o600,
    mtime: 1795356058,
    linkName: '',
    ...rest,
  });
  return Buffer.concat([header, content, Buffer.alloc(tarPadding(content.length))]);
}

/** Corrects a header's checksum after a change to it. */
function resealed(header: Buffer): Buffer {
  header.write('        ', 148, 8, 'latin1');
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(7, '0')} `, 148, 8, 'latin1');
  return header;
}

interface Read {
  entries: TarEntry[];
  contents: Buffer[];
  ends: number;
  terminated: boolean;
}

function read(pieces: Iterable<Buffer>): Read {
  const entries: TarEntry[] = [];
  const contents: Buffer[][] = [];
  let ends = 0;
  let open = false;
  const reader = new TarReader({
    entry: (entry) => {
      assert.equal(open, false, 'the entry before has ended');
      open = entry.type === 'file';
      entries.push(entry);
      contents.push([]);
    },
    content: (piece) => {
      assert.ok(open && piece.length > 0);
      contents.at(-1)?.push(Buffer.from(piece));
    },
    entryEnd: () => {
      assert.ok(open);
      open = false;
      ends++;
    },
  });
  let pushed = 0;
  for (const piece of pieces) {
    reader.push(piece);
    pushed += piece.length;
    assert.equal(reader.offset, pushed);
  }
  reader.end();
  return { entries, contents: contents.map((parts) => Buffer.concat(parts)), ends, terminated: reader.terminated };
}

const damaged = (error: unknown): boolean => isPointbackError(error, 'tar.damaged');

const sample = {
  label: Buffer.from('START WAL LOCATION: 0/2000028\n'),
  block: randomBytes(512),
  odd: randomBytes(1025),
};
const members = [
  member({ path: 'backup_label', content: sample.label }),
  member({ path: 'tablespace_map' }),
  member({ path: './pg_wal/archive_status', type: 'directory', mode: 0o700 }),
  member({ path: 'pg_tblspc/16392', type: 'symlink', linkName: '/srv/tab le' }),
  member({ path: 'base/1/1259', content: sample.block }),
  member({ path: 'global/pg_control', content: sample.odd }),
];
const archive = Buffer.concat([...members, TERMINATOR]);
/** Where a member ends, the only places where a server of 13 or 14 could have ended the archive. */
const boundaries = new Set(members.map((_, index) => Buffer.concat(members.slice(0, index + 1)).length).concat(0));

function assertSample({ entries, contents, ends }: Read): void {
  assert.deepEqual(
    entries.map(({ path, type, size, mode, linkName }) => [displayPath(path), type, size, mode, linkName]),
    [
      ['backup_label', 'file', sample.label.length, 0o600, ''],
      ['tablespace_map', 'file', 0, 0o600, ''],
      ['pg_wal/archive_status', 'directory', 0, 0o700, ''],
      ['pg_tblspc/16392', 'symlink', 0, 0o600, '/srv/tab le'],
      ['base/1/1259', 'file', 512, 0o600, ''],
      ['global/pg_control', 'file', 1025, 0o600, ''],
    ],
  );
  const none = Buffer.alloc(0);
  assert.deepEqual(contents, [sample.label, none, none, none, sample.block, sample.odd]);
  assert.equal(ends, 4);
  entries.forEach((entry, index) => {
    const there = archive.subarray(entry.contentOffset, entry.contentOffset + entry.size);
    assert.deepEqual(there, contents[index]);
    assert.equal(entry.mtime, 1795356058);
  });
}

test('an archive in one piece, with and without its terminator', () => {
  const whole = read([archive]);
  assertSample(whole);
  assert.equal(whole.terminated, true);
  const bare = read([archive.subarray(0, -1024)]);
  assertSample(bare);
  assert.equal(bare.terminated, false);
});

test('an archive cut in two at every byte reads the same', () => {
  for (let cut = 0; cut <= archive.length; cut++) assertSample(read([archive.subarray(0, cut), archive.subarray(cut)]));
});

test('an archive one byte at a time, and in pieces of every small size, reads the same', () => {
  for (const size of [1, 2, 3, 7, 511, 512, 513, 1024]) {
    const pieces = Array.from({ length: Math.ceil(archive.length / size) }, (_, index) =>
      archive.subarray(index * size, (index + 1) * size),
    );
    assertSample(read(pieces));
  }
});

test('an archive that ends early is damaged, wherever that is', () => {
  for (let length = 0; length < archive.length; length++) {
    const attempt = (): Read => read([archive.subarray(0, length)]);
    if (boundaries.has(length)) assert.equal(attempt().terminated, false);
    else assert.throws(attempt, damaged, `cut to ${length} bytes`);
  }
});

test('a flipped bit anywhere outside the contents is found, or changes nothing', () => {
  const contentBytes = new Set<number>();
  for (const entry of read([archive]).entries) {
    for (let at = 0; at < entry.size; at++) contentBytes.add(entry.contentOffset + at);
  }
  let harmless = 0;
  for (let flip = 0; flip < archive.length * 8; flip++) {
    const at = flip >> 3;
    if (contentBytes.has(at)) continue;
    const changed = Buffer.from(archive);
    changed[at] = (changed[at] ?? 0) ^ (1 << (flip & 7));
    try {
      assertSample(read([changed]));
      harmless++;
    } catch (error) {
      assert.ok(damaged(error), `bit ${flip & 7} of byte ${at}`);
    }
  }
  // In each header's checksum: its leading zero may be a space, its last space a NUL.
  assert.equal(harmless, 2 * members.length);
});

test('contents are handed on as views, not copies', () => {
  const seen: Buffer[] = [];
  const reader = new TarReader({
    entry: () => undefined,
    content: (piece) => seen.push(piece),
    entryEnd: () => undefined,
  });
  reader.push(archive);
  assert.ok(seen.length > 0);
  for (const piece of seen) assert.equal(piece.buffer, archive.buffer);
});

test('what follows the terminator must be zero blocks', () => {
  assert.equal(read([archive, TERMINATOR]).terminated, true);
  assert.throws(() => read([archive, members[0] ?? Buffer.alloc(1)]), damaged);
  assert.throws(() => read([archive, Buffer.alloc(5)]), damaged);
  assert.throws(() => read([archive.subarray(0, -512), members[0] ?? Buffer.alloc(1)]), damaged);
});

test('garbage is no archive', () => {
  assert.throws(() => read([randomBytes(512)]), damaged);
  assert.throws(() => read([Buffer.from('<html>404</html>'.padEnd(512))]), damaged);
});

test('the error tells how far into the archive', () => {
  const changed = Buffer.from(archive);
  const at = members[0]?.length ?? 0;
  changed[at] = 0x58;
  assert.throws(
    () => read([changed]),
    (error) => isPointbackError(error) && error.details?.['offset'] === at,
  );
});

test('kinds of members PostgreSQL never sends are damage: links, devices, pax and GNU headers', () => {
  for (const type of ['1', '3', '4', '6', '7', 'x', 'g', 'L', 'K', 'S']) {
    const header = Buffer.from(members[1] ?? '');
    header.write(type, 156, 1, 'latin1');
    assert.throws(() => read([resealed(header)]), damaged, type);
  }
});

test('a member without a name, and a directory with content, are damage', () => {
  for (const name of ['', './', '/', '././']) {
    const header = Buffer.from(members[1] ?? '');
    header.fill(0, 0, 100);
    header.write(name, 0, 100, 'latin1');
    assert.throws(() => read([resealed(header)]), damaged, JSON.stringify(name));
  }
  assert.throws(() => read([member({ path: 'base', type: 'directory', size: 512 })]), damaged);
});

test('other formats than ustar are damage', () => {
  const header = Buffer.from(members[1] ?? '');
  header.write('ustar  ', 257, 7, 'latin1');
  assert.throws(() => read([resealed(header)]), damaged);
});

test('sizes of 8 GiB and more are binary', () => {
  for (const size of [8 ** 11 - 1, 8 ** 11, 8 ** 11 + 5, 2 ** 40 + 513, Number.MAX_SAFE_INTEGER]) {
    const header = member({ path: 'big', size });
    assert.equal(header[124] === 0x80, size >= 8 ** 11);
    const seen: TarEntry[] = [];
    const reader = new TarReader({
      entry: (entry) => seen.push(entry),
      content: () => undefined,
      entryEnd: () => assert.fail('nothing has ended'),
    });
    reader.push(header);
    assert.equal(seen[0]?.size, size);
    assert.throws(() => {
      reader.end();
    }, damaged);
  }
});

test('a size beyond what can be counted, or negative, is damage at once', () => {
  const refused = (header: Buffer): void => {
    const reader = new TarReader({ entry: () => assert.fail(), content: () => undefined, entryEnd: () => undefined });
    assert.throws(() => {
      reader.push(resealed(header));
    }, damaged);
  };
  for (const first of [0x81, 0xff]) {
    const header = member({ path: 'big', size: 8 ** 11 });
    header[124] = first;
    refused(header);
  }
  const header = member({ path: 'big', size: Number.MAX_SAFE_INTEGER });
  header[128] = 1;
  refused(header);
});

test('a file of more than 4 GiB passes, to the byte', () => {
  const size = 2 ** 32 + 700;
  const chunk = Buffer.alloc(1 << 20);
  let content = 0;
  let ends = 0;
  const reader = new TarReader({
    entry: () => undefined,
    content: (piece) => (content += piece.length),
    entryEnd: () => ends++,
  });
  reader.push(member({ path: 'big', size }));
  const total = size + tarPadding(size);
  for (let sent = 0; sent < total; sent += chunk.length)
    reader.push(chunk.subarray(0, Math.min(chunk.length, total - sent)));
  reader.push(TERMINATOR);
  reader.end();
  assert.deepEqual([content, ends, reader.offset], [size, 1, 512 + total + 1024]);
});

test('long paths use the prefix field, and odd bytes survive', () => {
  const long = `${'d'.repeat(150)}/${'f'.repeat(100)}`;
  const paths = ['x'.repeat(100), `${'x'.repeat(60)}/${'y'.repeat(60)}`, long, 'grün'];
  assert.deepEqual(
    read(paths.map((path) => member({ path }))).entries.map(({ path }) => displayPath(path)),
    paths,
  );
  const path = filePathFromBytes(Buffer.from([0x61, 0xff, 0xfe]));
  const header = encodeTarHeader({ path, type: 'file', size: 0, mode: 0o600, mtime: 0, linkName: '' });
  assert.equal(read([header]).entries[0]?.path, path);
});

test('a name that does not fit is refused, not cut', () => {
  const refused = (error: unknown): boolean => isPointbackError(error, 'tar.name-too-long');
  assert.throws(() => member({ path: 'x'.repeat(101) }), refused);
  assert.throws(() => member({ path: `${'d'.repeat(156)}/f` }), refused);
  assert.throws(() => member({ path: `d/${'f'.repeat(101)}` }), refused);
  assert.throws(() => member({ path: 'x'.repeat(100), type: 'directory' }), refused);
  assert.throws(() => member({ path: 'l', type: 'symlink', linkName: 'x'.repeat(100) }), refused);
});

test('padding completes blocks, beyond 32 bits too', () => {
  assert.deepEqual([0, 1, 511, 512, 513, 2 ** 40 + 1].map(tarPadding), [0, 511, 1, 0, 511, 511]);
});

test('a header is byte for byte what a PostgreSQL 18 server sent', () => {
  // The header of tablespace_map in a real base backup.
  const real = Buffer.alloc(512);
  for (const [at, text] of [
    [0, 'tablespace_map'],
    [100, '0000600 0000145 0000150 00000000072 15300572636 0016063 0'],
    [257, 'ustar\x0000postgres'],
    [297, 'postgres'],
    [329, '0000000 0000000 '],
  ] as const) {
    real.write(text, at, 'latin1');
  }
  const ours = encodeTarHeader({
    path: filePathFromText('tablespace_map'),
    type: 'file',
    size: 58,
    mode: 0o600,
    mtime: 0o15300572636,
    linkName: '',
  });
  // Pointback does not know the server's user and group.
  ours.write('0000145 0000150 ', 108, 'latin1');
  assert.deepEqual(resealed(ours), real);
  assert.equal(read([Buffer.concat([real, Buffer.alloc(512)])]).entries[0]?.size, 58);
});
