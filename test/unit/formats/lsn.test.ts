import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import {
  formatLsn,
  isWalSegmentSize,
  parseLsn,
  walSegmentNumber,
  walSegmentNumberBefore,
  walSegmentOffset,
  walSegmentStart,
} from '../../../server/src/formats/lsn.ts';

const MIB = 1 << 20;

test('an LSN of any width and case is read', () => {
  assert.equal(parseLsn('0/0'), 0n);
  assert.equal(parseLsn('0/16B3748'), 0x16b3748n);
  assert.equal(parseLsn('0/016B3748'), 0x16b3748n);
  assert.equal(parseLsn('0000000a/1'), 0xa_0000_0001n);
  assert.equal(parseLsn('FFFFFFFF/FFFFFFFF'), 0xffff_ffff_ffff_ffffn);
});

test('what is no LSN is refused', () => {
  for (const text of [
    '',
    '0',
    '/',
    '0/',
    '/0',
    '0/0/0',
    ' 0/0',
    '0/0\n',
    'G/0',
    '0x1/0',
    '-1/0',
    '000000000/0',
    '0/123456789',
  ]) {
    assert.throws(
      () => parseLsn(text),
      (error) => isPointbackError(error, 'lsn.invalid'),
      JSON.stringify(text),
    );
  }
});

test('an LSN is written without leading zeros, in capitals', () => {
  assert.equal(formatLsn(0n), '0/0');
  assert.equal(formatLsn(0xab_0000_00cdn), 'AB/CD');
  assert.equal(formatLsn(0xffff_ffff_ffff_ffffn), 'FFFFFFFF/FFFFFFFF');
  assert.throws(() => formatLsn(-1n), RangeError);
  assert.throws(() => formatLsn(1n << 64n), RangeError);
});

test('writing and reading agree beyond the range of doubles', () => {
  for (let bit = 0n; bit < 64n; bit++) {
    for (const lsn of [1n << bit, (1n << bit) - 1n]) assert.equal(parseLsn(formatLsn(lsn)), lsn);
  }
});

test('a position lies in its segment, an end in the segment before it', () => {
  const size = 16 * MIB;
  assert.equal(walSegmentNumber(0x2000000n, size), 2n);
  assert.equal(walSegmentNumber(0x1ffffffn, size), 1n);
  assert.equal(walSegmentNumberBefore(0x2000000n, size), 1n);
  assert.equal(walSegmentNumberBefore(0x2000001n, size), 2n);
  assert.throws(() => walSegmentNumberBefore(0n, size), RangeError);
  assert.equal(walSegmentStart(2n, size), 0x2000000n);
  assert.equal(walSegmentOffset(0x2000028n, size), 0x28);
});

test('segment sizes are powers of two from 1 MiB to 1 GiB', () => {
  for (let size = MIB; size <= 1024 * MIB; size *= 2) assert.equal(isWalSegmentSize(size), true);
  for (const size of [0, -MIB, MIB / 2, 3 * MIB, MIB + 1, 2048 * MIB, 4096 * MIB, 1.5 * MIB, NaN, Infinity]) {
    assert.equal(isWalSegmentSize(size), false, String(size));
  }
});
