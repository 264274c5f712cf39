import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatWalFileName,
  historyFileName,
  isHistoryFileName,
  parseWalFileName,
  walSegmentNumberOfFile,
  walSegmentsOfRange,
} from '../../../server/src/formats/walFileName.ts';

const MIB = 1 << 20;

test('names of segments, with the wrap at 4 GiB', () => {
  assert.equal(formatWalFileName(1, 2n, 16 * MIB), '000000010000000000000002');
  assert.equal(formatWalFileName(1, 255n, 16 * MIB), '0000000100000000000000FF');
  assert.equal(formatWalFileName(1, 256n, 16 * MIB), '000000010000000100000000');
  assert.equal(formatWalFileName(1, 4096n, MIB), '000000010000000100000000');
  assert.equal(formatWalFileName(0xffffffff, 7n, 1024 * MIB), 'FFFFFFFF0000000100000003');
});

test('a name gives its number back, for every segment size', () => {
  for (let size = MIB; size <= 1024 * MIB; size *= 2) {
    for (const number of [0n, 1n, 3n, 255n, 256n, 4095n, 4096n, (1n << 64n) / BigInt(size) - 1n]) {
      const name = formatWalFileName(5, number, size);
      assert.equal(walSegmentNumberOfFile(name, size), number);
      assert.equal(parseWalFileName(name)?.timeline, 5);
    }
  }
});

test('a name that no segment of that size can have', () => {
  assert.deepEqual(parseWalFileName('0000000200000003000000FF'), { timeline: 2, log: 3, seg: 255 });
  assert.equal(walSegmentNumberOfFile('000000010000000000000100', 16 * MIB), undefined);
  assert.equal(walSegmentNumberOfFile('000000010000000000000100', MIB), 256n);
});

test('other names are none', () => {
  for (const name of [
    '',
    '00000001000000000000000',
    '0000000100000000000000020',
    '00000001000000000000000a',
    '000000010000000000000002.partial',
    '000000010000000000000002.00000028.backup',
    '00000002.history',
    '000000010000000000000002\n',
  ]) {
    assert.equal(parseWalFileName(name), undefined, name);
    assert.equal(walSegmentNumberOfFile(name, MIB), undefined, name);
  }
});

test('history files', () => {
  assert.equal(historyFileName(26), '0000001A.history');
  assert.equal(isHistoryFileName(historyFileName(26)), true);
  for (const name of ['0000001a.history', '1A.history', '0000001A.history.partial', '0000001A']) {
    assert.equal(isHistoryFileName(name), false, name);
  }
});

test('the segments of a range: segment(START) to segment(END−1)', () => {
  const range = (start: bigint, end: bigint) => walSegmentsOfRange(1, start, end, 16 * MIB);
  assert.deepEqual(range(0x2000028n, 0x2000158n), ['000000010000000000000002']);
  assert.deepEqual(range(0x2000028n, 0x3000000n), ['000000010000000000000002']);
  assert.deepEqual(range(0x2000028n, 0x3000001n), ['000000010000000000000002', '000000010000000000000003']);
  assert.deepEqual(range(0xff000000n, 0x1_0000_0001n), ['0000000100000000000000FF', '000000010000000100000000']);
  assert.deepEqual(range(5n, 5n), []);
  assert.deepEqual(range(6n, 5n), []);
});
