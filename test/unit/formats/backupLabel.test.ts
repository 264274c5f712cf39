import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { parseBackupLabel } from '../../../server/src/formats/backupLabel.ts';

/** As a real server 18 wrote it. */
const real18 = `START WAL LOCATION: 0/A000028 (file 0000000100000000000000A0)
CHECKPOINT LOCATION: 0/A000080
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-22 14:01:02 UTC
LABEL: Größe "x"
START TIMELINE: 1
`;
const incremental = `${real18}INCREMENTAL FROM LSN: 0/5000028\nINCREMENTAL FROM TLI: 1\n`;

const parse = (text: string) => parseBackupLabel(Buffer.from(text));
const damaged = (error: unknown): boolean => isPointbackError(error, 'backup-label.damaged');

test('the label of a real server 18', () => {
  assert.deepEqual(parse(real18), {
    startLsn: 0xa000028n,
    startWalFile: '0000000100000000000000A0',
    checkpointLsn: 0xa000080n,
    method: 'streamed',
    from: 'primary',
    startTime: '2026-11-22 14:01:02 UTC',
    label: 'Größe "x"',
    startTimeline: 1,
  });
});

test('server 13 calls a primary a master', () => {
  assert.equal(parse(real18.replace('FROM: primary', 'FROM: master')).from, 'primary');
  assert.equal(parse(real18.replace('FROM: primary', 'FROM: standby')).from, 'standby');
});

test('an incremental backup names where its parent began', () => {
  assert.deepEqual(parse(incremental).incrementalFrom, { lsn: 0x5000028n, timeline: 1 });
  assert.equal('incrementalFrom' in parse(real18), false);
});

test("labels are the user's text, lines that look like the label's own included", () => {
  for (const label of [
    '',
    ' ',
    'a\nb',
    'x\nSTART TIMELINE: 7',
    'x\nSTART TIMELINE: 7\nINCREMENTAL FROM LSN: 0/1',
    'LABEL: x',
  ]) {
    for (const text of [real18, incremental]) {
      const parsed = parse(text.replace('Größe "x"', label));
      assert.equal(parsed.label, label);
      assert.equal(parsed.startTimeline, 1);
      assert.equal(parsed.incrementalFrom?.lsn, text === incremental ? 0x5000028n : undefined);
    }
  }
});

test('a label cut anywhere is damaged', () => {
  const bytes = Buffer.from(real18);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => parseBackupLabel(bytes.subarray(0, length)), damaged, `cut to ${length} bytes`);
  }
  const longer = Buffer.from(incremental);
  for (let length = bytes.length + 1; length < longer.length; length++) {
    assert.throws(() => parseBackupLabel(longer.subarray(0, length)), damaged, `cut to ${length} bytes`);
  }
});

test('what no server writes is damaged', () => {
  const changes: [string | RegExp, string][] = [
    ['START WAL', 'START  WAL'],
    ['0/A000028', '0/A0000281234'],
    ['0/A000080', 'A000080'],
    ['0000000100000000000000A0', '0000000200000000000000A0'],
    ['(file 0000000100000000000000A0)', '(file 0000000100000000000000A0.partial)'],
    ['primary', 'replica'],
    ['TIMELINE: 1', 'TIMELINE: 0'],
    ['TIMELINE: 1', 'TIMELINE: 4294967296'],
    [/\n/g, '\r\n'],
    [/^/, '\n'],
    [/$/, 'x\n'],
  ];
  for (const [from, to] of changes) {
    const changed = real18.replace(from, to);
    assert.notEqual(changed, real18);
    assert.throws(() => parse(changed), damaged, `${from.toString()} -> ${to}`);
  }
});
