import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageArea } from '../../../server/src/cli/progress/messageArea.ts';
import { ProgressState } from '../../../server/src/cli/progress/progressState.ts';
import type { ProgressSnapshot } from '../../../server/src/cli/progress/progressState.ts';
import { progressLine, progressLogLine } from '../../../server/src/cli/progress/progressText.ts';
import { textWidth } from '../../../server/src/cli/textWidth.ts';
import { FakeClock, FakeOutput } from './fakes.ts';

const half: ProgressSnapshot = {
  phase: 'receiving',
  elapsedMs: 20_000,
  doneBytes: 1_460_000_000,
  totalBytes: 3_500_000_000,
  rate: 112_000_000,
  restMs: 18_200,
  detail: 'base.tar',
};

test('a line with everything, and with less the narrower it is', () => {
  assert.equal(
    progressLine(half, 120),
    'receiving  ██████████░░░░░░░░░░░░░░   41 %  1.46 GB of 3.50 GB  112 MB/s  18 s left  base.tar',
  );
  assert.equal(progressLine(half, 79), 'receiving  ██████░░░░░░░░░   41 %  1.46 GB of 3.50 GB  112 MB/s  18 s left');
  assert.equal(progressLine(half, 60), 'receiving  █████░░░░░░░   41 %  1.46 GB of 3.50 GB  112 MB/s');
  assert.equal(progressLine(half, 45), 'receiving  ████░░░░░   41 %');
  assert.equal(progressLine(half, 20), 'receiving   41 %');
  assert.equal(progressLine(half, 6), 'recei…');
});

test('the bar does not jump when the rest of the line changes', () => {
  const barOf = (snapshot: ProgressSnapshot): number => /[█░]+/.exec(progressLine(snapshot, 79))?.[0].length ?? 0;
  assert.equal(barOf({ ...half, detail: 'x'.repeat(70) }), barOf(half));
  assert.equal(barOf({ ...half, restMs: 3_723_000, rate: 9_990_000 }), barOf(half));
});

test('no line is wider than the terminal', () => {
  const wide = { ...half, detail: '字'.repeat(60) };
  const silent: ProgressSnapshot = { phase: 'waiting for checkpoint', elapsedMs: 61_000, detail: '字'.repeat(60) };
  for (let width = 1; width <= 200; width += 1) {
    for (const snapshot of [half, wide, silent])
      assert.ok(textWidth(progressLine(snapshot, width)) <= width, `${width}`);
  }
});

test('a silent phase shows how long it has lasted', () => {
  assert.equal(progressLine({ phase: 'waiting for checkpoint', elapsedMs: 400 }, 80), 'waiting for checkpoint');
  assert.equal(
    progressLine({ phase: 'waiting for checkpoint', elapsedMs: 72_000 }, 80),
    'waiting for checkpoint  1 min 12 s',
  );
});

test('an estimate that is passed is not shown as done', () => {
  assert.match(progressLine({ ...half, doneBytes: 3_500_000_000 }, 120), /100 %/);
  const passed: ProgressSnapshot = {
    phase: 'receiving',
    elapsedMs: 1,
    doneBytes: 3_600_000_000,
    totalBytes: 3_500_000_000,
  };
  assert.equal(progressLine(passed, 120), 'receiving  ████████████████████████   99 %  3.60 GB');
  assert.equal(
    progressLine({ phase: 'receiving', elapsedMs: 1, doneBytes: 5, totalBytes: 0 }, 80),
    'receiving  5 bytes',
  );
});

test('a line for a log', () => {
  assert.equal(progressLogLine(half), 'receiving: 41 %, 1.46 GB of 3.50 GB, 112 MB/s, 18 s left, base.tar');
  assert.equal(progressLogLine({ phase: 'connecting', elapsedMs: 0 }), 'connecting');
});

test('rate and rest come from the last seconds, and a new phase begins afresh', () => {
  const state = new ProgressState();
  assert.equal(state.snapshot(0), undefined);
  assert.equal(state.update({ phase: 'receiving', doneBytes: 0, totalBytes: 100_000 }, 0), true);
  for (let second = 1; second <= 20; second += 1) {
    assert.equal(
      state.update({ phase: 'receiving', doneBytes: second * 1000, totalBytes: 100_000 }, second * 1000),
      false,
    );
  }
  assert.deepEqual(state.snapshot(20_000), {
    phase: 'receiving',
    elapsedMs: 20_000,
    doneBytes: 20_000,
    totalBytes: 100_000,
    rate: 1000,
    restMs: 80_000,
  });
  const stalled = state.snapshot(30_000);
  assert.ok(stalled?.rate !== undefined && stalled.rate < 600, 'a stall shows');
  assert.equal(state.update({ phase: 'checking' }, 31_000), true);
  assert.deepEqual(state.snapshot(31_500), { phase: 'checking', elapsedMs: 500 });
});

test('on a terminal one line is redrawn, and lines are written above it', () => {
  const output = new FakeOutput({ isTTY: true, columns: 60 });
  const clock = new FakeClock();
  const area = new MessageArea(output, clock, true);
  area.progress({ phase: 'waiting for checkpoint' });
  assert.equal(output.take(), '\r\x1b[Kwaiting for checkpoint');
  clock.advance(2000);
  assert.ok(output.take().endsWith('\r\x1b[Kwaiting for checkpoint  2 s'));
  area.line('a warning');
  assert.equal(output.take(), '\r\x1b[Ka warning\n\r\x1b[Kwaiting for checkpoint  2 s');
  area.endProgress();
  assert.equal(output.take(), '\r\x1b[K');
  assert.equal(clock.running, 0);
  area.line('after');
  clock.advance(10_000);
  assert.equal(output.take(), 'after\n');
});

test('many events in a moment are one drawing', () => {
  const output = new FakeOutput({ isTTY: true });
  const clock = new FakeClock();
  const area = new MessageArea(output, clock, true);
  for (let done = 0; done < 1000; done += 1) area.progress({ phase: 'receiving', doneBytes: done });
  assert.equal(output.take(), '\r\x1b[Kreceiving  0 bytes');
  clock.advance(200);
  assert.equal(output.take(), '\r\x1b[Kreceiving  999 bytes');
});

test('nothing is drawn while someone is asked', async () => {
  const output = new FakeOutput({ isTTY: true });
  const clock = new FakeClock();
  const area = new MessageArea(output, clock, true);
  area.progress({ phase: 'connecting' });
  output.take();
  await area.whileHeld(() => {
    output.write('Password: ');
    clock.advance(5000);
    return Promise.resolve();
  });
  assert.equal(output.take(), '\r\x1b[KPassword: \r\x1b[Kconnecting  5 s');
});

test('elsewhere a line at the start of a phase and one every few seconds, without control characters', () => {
  const output = new FakeOutput();
  const clock = new FakeClock();
  const area = new MessageArea(output, clock, false);
  area.progress({ phase: 'connecting' });
  area.progress({ phase: 'receiving', doneBytes: 0, totalBytes: 1000 });
  for (let step = 1; step <= 60; step += 1) {
    clock.advance(100);
    area.progress({ phase: 'receiving', doneBytes: step * 10, totalBytes: 1000 });
  }
  area.endProgress();
  clock.advance(60_000);
  assert.deepEqual(output.take().split('\n'), [
    'connecting',
    'receiving: 0 %, 0 bytes of 1.00 kB',
    'receiving: 49 %, 490 bytes of 1.00 kB, 98 bytes/s, 5 s left',
    '',
  ]);
});
