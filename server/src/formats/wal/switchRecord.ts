import { crc32c } from '../crc32c.ts';
import { pageContinuation, pageHeaderSize } from './pageHeader.ts';

/** `SizeOfXLogRecord`: a switch record is nothing but its header. */
const RECORD_SIZE = 24;
const RECORD_ALIGNMENT = 8;
const XLOG_SWITCH = 0x40;
const RM_XLOG_ID = 0;

/**
 * Whether the last record on `page` is an XLOG_SWITCH, after which servers fill the rest of the segment with zeros, page
 * headers included (`CopyXLogRecordToWAL` of src/backend/access/transam/xlog.c). `before` is the page before it, absent
 * for a segment's first page. The record's CRC is checked, so damage does not pass for a switch.
 */
export function endsWithSwitchRecord(page: Buffer, before: Buffer | undefined): boolean {
  const header = pageHeaderSize(page);
  let last = page.length - 1;
  while (last >= header && page[last] === 0) last--;
  if (last < header) return false;
  // Records are aligned, and the first 16 bytes of a switch record are followed by a byte that is not zero.
  const start = last - (last % RECORD_ALIGNMENT) - (RECORD_SIZE - RECORD_ALIGNMENT);
  if (start >= header) return isSwitchRecord(page.subarray(start, start + RECORD_SIZE));
  const continued = page.subarray(header, start + RECORD_SIZE);
  if (pageContinuation(page) !== continued.length) return false;
  // Begun in the segment before, which is not at hand: the continuation of the right length has to do.
  if (before === undefined) return true;
  return isSwitchRecord(Buffer.concat([before.subarray(before.length - (RECORD_SIZE - continued.length)), continued]));
}

function isSwitchRecord(record: Buffer): boolean {
  return (
    record.readUInt32LE(0) === RECORD_SIZE &&
    (record.readUInt8(16) & 0xf0) === XLOG_SWITCH &&
    record.readUInt8(17) === RM_XLOG_ID &&
    crc32c(record.subarray(0, 20)) === record.readUInt32LE(20)
  );
}
