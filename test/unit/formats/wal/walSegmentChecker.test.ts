import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isPointbackError } from '../../../../server/src/api/errors.ts';
import { crc32c } from '../../../../server/src/formats/crc32c.ts';
import type { WalIdentity } from '../../../../server/src/formats/wal/pageHeader.ts';
import { WalSegmentChecker } from '../../../../server/src/formats/wal/walSegmentChecker.ts';

const SEGMENT = 1 << 20;
const PAGE = 8192;
const PAGES = SEGMENT / PAGE;
const identity: WalIdentity = { major: 17, systemIdentifier: 7710995556834883732n, segmentSize: SEGMENT };
const name = '0000000300000002000000AB';
const start = 0x2_0ab0_0000n;
const end = start + BigInt(SEGMENT);

/** A segment whose pages all have valid headers and content that is not zero. */
function segment(): Buffer {
  const bytes = Buffer.alloc(SEGMENT, 0xab);
  for (let page = 0; page < PAGES; page++) {
    const at = page * PAGE;
    bytes.fill(0, at, at + (page === 0 ? 40 : 24));
    bytes.writeUInt16LE(0xd116, at);
    bytes.writeUInt16LE(page === 0 ? 2 : 0, at + 2);
    bytes.writeUInt32LE(3, at + 4);
    bytes.writeBigUInt64LE(start + BigInt(at), at + 8);
  }
  bytes.writeBigUInt64LE(identity.systemIdentifier, 24);
  bytes.writeUInt32LE(SEGMENT, 32);
  bytes.writeUInt32LE(PAGE, 36);
  return bytes;
}

/** A switch record with a CRC that fits. */
function switchRecord(): Buffer {
  const record = Buffer.alloc(24);
  record.writeUInt32LE(24, 0);
  record.writeBigUInt64LE(start + 0x1234n, 8);
  record[16] = 0x40;
  record.writeUInt32LE(crc32c(record.subarray(0, 20)), 20);
  return record;
}

/** A segment whose WAL is switched by a record at `at`, zeros from there on. */
function switchedAt(at: number, record = switchRecord()): Buffer {
  const bytes = segment();
  bytes.fill(0, at);
  const split = PAGE - (at % PAGE);
  record.copy(bytes, at, 0, Math.min(split, 24));
  if (split < 24) {
    const next = at + split;
    segment().copy(bytes, next, next, next + 24);
    bytes.writeUInt16LE(1, next + 2);
    bytes.writeUInt32LE(24 - split, next + 16);
    record.copy(bytes, next + 24, split);
  }
  return bytes;
}

function check(bytes: Buffer, which = identity, pieceSize = SEGMENT, file = name): WalSegmentChecker {
  const checker = new WalSegmentChecker(file, which);
  for (let at = 0; at < bytes.length; at += pieceSize) checker.push(bytes.subarray(at, at + pieceSize));
  checker.end();
  return checker;
}

function validUpTo(bytes: Buffer, which = identity): number {
  const checker = new WalSegmentChecker(name, which);
  checker.push(bytes);
  return Number(checker.end() - start);
}

const damaged = (error: unknown): boolean => isPointbackError(error, 'wal.damaged');

test('a whole segment is valid to its end', () => {
  const checker = check(segment());
  assert.equal(checker.end(), end);
  assert.equal(WalSegmentChecker.endOfSegment(name, SEGMENT), end);
  assert.equal(checker.problem, undefined);
  checker.requireValidUpTo(end);
  checker.requireValidUpTo(end + 1000n);
});

test('real segments of servers 13 and 18, switched across the end of a page', () => {
  // The switch record begins 16 bytes before a page's end; 8 bytes before; 8 bytes before the segment before ends.
  const samples = [
    { major: 13, file: '000000010000000000000007', systemIdentifier: 7710995364367134807n },
    { major: 18, file: '00000001000000000000067D', systemIdentifier: 7710995556834883732n },
    { major: 18, file: '000000010000000200000D36', systemIdentifier: 7710995556834883732n },
  ];
  for (const { major, file, systemIdentifier } of samples) {
    const stored = readFileSync(new URL(`../../../vectors/wal/${major}-${file}.gz`, import.meta.url));
    const bytes = gunzipSync(stored);
    const which = { major, systemIdentifier, segmentSize: SEGMENT };
    const checker = check(bytes, which, 1000, file);
    assert.equal(checker.end(), WalSegmentChecker.endOfSegment(file, SEGMENT), checker.problem ?? file);
    assert.ok(bytes.subarray(-PAGE).equals(Buffer.alloc(PAGE)), 'the sample ends with zeros');
    for (const other of [13, 14, 15, 16, 17, 18].filter((each) => each !== major)) {
      assert.match(check(bytes, { ...which, major: other }, SEGMENT, file).problem ?? '', /no WAL of PostgreSQL/);
    }
  }
});

test('pieces of any size read the same', () => {
  const stale = segment();
  stale.writeBigUInt64LE(0n, 5 * PAGE + 8);
  for (const size of [1, 7, 24, 40, 4096, PAGE - 1, PAGE, PAGE + 1, 65_536]) {
    assert.equal(check(segment(), identity, size).end(), end);
    assert.equal(check(stale, identity, size).end(), start + BigInt(5 * PAGE));
  }
});

test('what every header field must be', () => {
  const long: [string, RegExp, (page: Buffer) => unknown][] = [
    ['cluster', /another cluster/, (page) => page.writeBigUInt64LE(identity.systemIdentifier + 1n, 24)],
    ['segment size', /segment of 16777216 bytes/, (page) => page.writeUInt32LE(16 * SEGMENT, 32)],
    ['page size', /4096 bytes long/, (page) => page.writeUInt32LE(4096, 36)],
    ['kind', /wrong kind/, (page) => page.writeUInt16LE(0, 2)],
  ];
  const any: typeof long = [
    ['magic', /no WAL of PostgreSQL 17/, (page) => page.writeUInt16LE(0xd118, 0)],
    ['flags', /flags no server sets/, (page) => page.writeUInt16LE(0x10 | page.readUInt16LE(2), 2)],
    ['position', /position 2\/AC00000/, (page) => page.writeBigUInt64LE(0x2_0ac0_0000n, 8)],
    ['newer timeline', /timeline 4, newer/, (page) => page.writeUInt32LE(4, 4)],
    ['timeline 0', /timeline 0, older/, (page) => page.writeUInt32LE(0, 4)],
  ];
  const kind: typeof long = [['kind', /wrong kind/, (page) => page.writeUInt16LE(2, 2)]];
  for (const [page, cases] of [
    [0, [...long, ...any]],
    [1, [...kind, ...any]],
    [PAGES - 1, [...kind, ...any]],
  ] as const) {
    for (const [what, problem, change] of cases) {
      const bytes = segment();
      change(bytes.subarray(page * PAGE));
      const checker = check(bytes);
      assert.equal(checker.end(), start + BigInt(page * PAGE), `${what} of page ${page}`);
      assert.match(checker.problem ?? '', problem);
      checker.requireValidUpTo(start + BigInt(page * PAGE));
      assert.throws(() => {
        checker.requireValidUpTo(start + BigInt(page * PAGE) + 1n);
      }, damaged);
    }
  }
});

test('flags that servers set are accepted', () => {
  const bytes = segment();
  for (const flags of [0, 1, 4, 8, 13]) bytes.writeUInt16LE(flags, (1 + flags) * PAGE + 2);
  assert.equal(validUpTo(bytes), SEGMENT);
});

test('timelines may rise inside a segment, never fall', () => {
  const bytes = segment();
  for (let page = 0; page < 5; page++) bytes.writeUInt32LE(page < 3 ? 1 : 2, page * PAGE + 4);
  assert.equal(validUpTo(bytes), SEGMENT);
  bytes.writeUInt32LE(1, 4 * PAGE + 4);
  assert.equal(validUpTo(bytes), 4 * PAGE);
});

test('a segment that ends early is valid up to its end', () => {
  for (const length of [0, 39, 40, 41, PAGE - 1, PAGE, PAGE + 23, PAGE + 24, SEGMENT - 1]) {
    const bytes = segment().subarray(0, length);
    const expected = length < 40 ? 0 : length === PAGE + 23 ? PAGE : length;
    assert.equal(validUpTo(bytes), expected, String(length));
    const checker = check(bytes);
    assert.equal(checker.problem, undefined);
    assert.throws(() => {
      checker.requireValidUpTo(end);
    }, damaged);
  }
});

test('a segment that is too long is damaged', () => {
  const checker = new WalSegmentChecker(name, identity);
  checker.push(segment());
  assert.throws(() => {
    checker.push(Buffer.alloc(1));
  }, damaged);
});

test('after a switch zeros belong to the WAL, wherever the record lies', () => {
  for (const at of [
    40,
    48,
    5 * PAGE + 24,
    5 * PAGE + 4000,
    6 * PAGE - 24,
    6 * PAGE - 16,
    6 * PAGE - 8,
    SEGMENT - PAGE + 24,
  ]) {
    assert.equal(validUpTo(switchedAt(at)), SEGMENT, String(at));
  }
});

test('a switch record begun in the segment before is taken on trust', () => {
  for (const length of [8, 16]) {
    const bytes = segment();
    bytes.fill(0, 40);
    bytes.writeUInt16LE(3, 2);
    bytes.writeUInt32LE(length, 16);
    switchRecord().copy(bytes, 40, 24 - length);
    assert.equal(validUpTo(bytes), SEGMENT);
    bytes.writeUInt32LE(length + 1, 16);
    assert.equal(validUpTo(bytes), PAGE);
  }
});

test('zeros without a switch end the WAL', () => {
  const bytes = segment();
  bytes.fill(0, 7 * PAGE);
  assert.equal(validUpTo(bytes), 7 * PAGE);
  assert.match(check(bytes).problem ?? '', /only zeros/);
  assert.equal(validUpTo(Buffer.alloc(SEGMENT)), 0);
  // A hole, as a lost write leaves it.
  const hole = segment();
  hole.fill(0, 7 * PAGE, 8 * PAGE);
  assert.equal(validUpTo(hole), 7 * PAGE);
});

test('a damaged switch record is no switch', () => {
  for (let byte = 0; byte < 24; byte++) {
    const record = switchRecord();
    record[byte] = (record[byte] ?? 0) ^ 0x01;
    assert.equal(validUpTo(switchedAt(5 * PAGE + 4000, record)), 6 * PAGE, `byte ${byte}`);
    assert.equal(validUpTo(switchedAt(6 * PAGE - 16, record)), 7 * PAGE, `byte ${byte} of a split record`);
  }
});

test('another kind of record before zeros is no switch, though its CRC fits', () => {
  const kinds: ((record: Buffer) => unknown)[] = [
    (record) => (record[16] = 0x50),
    (record) => (record[17] = 10),
    (record) => record.writeUInt32LE(26, 0),
  ];
  for (const change of kinds) {
    const record = switchRecord();
    change(record);
    record.writeUInt32LE(crc32c(record.subarray(0, 20)), 20);
    assert.equal(validUpTo(switchedAt(5 * PAGE + 4000, record)), 6 * PAGE);
  }
});

test('something after the zeros of a switch ends the WAL there', () => {
  const bytes = switchedAt(5 * PAGE + 4000);
  segment().copy(bytes, 9 * PAGE, 9 * PAGE, 10 * PAGE);
  assert.equal(validUpTo(bytes), 9 * PAGE);
  assert.match(check(bytes).problem ?? '', /after the WAL was switched/);
});

test('a name that is no segment of this cluster is refused', () => {
  for (const bad of ['', '00000003.history', `${name}.partial`, '000000030000000200001000']) {
    assert.throws(() => new WalSegmentChecker(bad, identity), damaged, bad);
    assert.throws(() => WalSegmentChecker.endOfSegment(bad, SEGMENT), damaged, bad);
  }
});
