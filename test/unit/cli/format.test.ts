import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatMoment,
  formatRate,
  formatRunning,
  printable,
} from '../../../server/src/api/format.ts';
import { shellWord } from '../../../server/src/api/shellWord.ts';
import { tableLines } from '../../../server/src/cli/table.ts';
import { shortened, textWidth } from '../../../server/src/cli/textWidth.ts';

test('bytes in three digits, and no 1000 of a unit', () => {
  const table: readonly [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1.00 kB'],
    [9994, '9.99 kB'],
    [9995, '10.0 kB'],
    [99_949, '99.9 kB'],
    [99_950, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [1_460_000_000, '1.46 GB'],
    [3.2e18, '3.20 EB'],
  ];
  for (const [bytes, text] of table) assert.equal(formatBytes(bytes), text);
  assert.equal(formatRate(112_400_000.7), '112 MB/s');
});

test('durations in their two largest units', () => {
  const table: readonly [number, string][] = [
    [0, '0.0 s'],
    [449, '0.4 s'],
    [9_949, '9.9 s'],
    [9_960, '10 s'],
    [59_499, '59 s'],
    [59_600, '1 min'],
    [72_000, '1 min 12 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ];
  for (const [milliseconds, text] of table) assert.equal(formatDuration(milliseconds), text);
  assert.equal(formatRunning(999), '0 s');
  assert.equal(formatRunning(72_999), '1 min 12 s');
});

test('ages in one unit', () => {
  const hour = 3_600_000;
  for (const [milliseconds, text] of [
    [-hour, 'now'],
    [59_999, 'now'],
    [60_000, '1 min'],
    [hour, '1 h'],
    [47 * hour, '47 h'],
    [48 * hour, '2 d'],
  ] as const) {
    assert.equal(formatAge(milliseconds), text);
  }
});

test('moments as UTC and local', () => {
  const moment = new Date('2026-11-22T23:30:52.999Z');
  assert.equal(formatMoment(moment, 0), '2026-11-22 23:30:52 UTC');
  assert.equal(formatMoment(moment, -330), '2026-11-22 23:30:52 UTC (18:00:52 -05:30 here)');
  assert.equal(formatMoment(moment, 60), '2026-11-22 23:30:52 UTC (2026-11-23 00:30:52 +01:00 here)');
});

test('counts', () => {
  assert.equal(formatCount(1, 'file'), '1 file');
  assert.equal(formatCount(0, 'file'), '0 files');
  assert.equal(formatCount(1204, 'file'), '1,204 files');
  assert.equal(formatCount(1234567, 'match', 'matches'), '1,234,567 matches');
});

test('what could move the cursor is shown, not done', () => {
  assert.equal(printable('a\x1b[2Jb\r\n\u009b\u202ec é 字'), 'a\\x1b[2Jb\\x0d\\x0a\\x9b\\u202ec é 字');
});

test('widths of what terminals draw wide', () => {
  assert.equal(textWidth('aé字👍'), 6);
  assert.equal(textWidth('e\u0301'), 1);
  assert.equal(shortened('字字字', 6), '字字字');
  assert.equal(shortened('字字字', 5), '字字…');
  assert.equal(shortened('字字字', 4), '字…');
  assert.equal(shortened('abc', 0), '');
});

test('a table aligns, cuts at the width, and is printable', () => {
  const columns = [{ title: 'ID' }, { title: 'SIZE', align: 'right' as const }, { title: 'LABEL' }];
  const rows = [
    ['字', '1', 'a long label'],
    ['bb', '1000', '\x1bx'],
  ];
  assert.deepEqual(tableLines(columns, rows), ['ID  SIZE  LABEL', '字     1  a long label', 'bb  1000  \\x1bx']);
  assert.deepEqual(tableLines(columns, rows, 15), ['ID  SIZE  LABEL', '字     1  a lo…', 'bb  1000  \\x1bx']);
});

test('words for a shell', () => {
  assert.equal(shellWord('shop-1.x'), 'shop-1.x');
  assert.equal(shellWord('my shop'), "'my shop'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  assert.equal(shellWord(''), "''");
});
