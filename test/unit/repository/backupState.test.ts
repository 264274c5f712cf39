import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackupState, DrillRecord } from '../../../server/src/repository/backupRecord.ts';
import type { BackupStateFacts } from '../../../server/src/repository/backupState.ts';
import { deriveBackupState } from '../../../server/src/repository/backupState.ts';
import { fakeVerification } from '../../support/fakeBackup.ts';

const at = '2026-11-22T12:00:00.000Z';
const passed = fakeVerification(1);
const failed = fakeVerification(1, { outcome: 'failed' });
const drills = { passed: { format: 1, at, outcome: 'passed' }, failed: { format: 1, at, outcome: 'failed' } } as const;

const cases: [string, BackupStateFacts, BackupState][] = [
  ['nothing known', {}, 'unproven'],
  ['verified', { verification: passed }, 'consistent'],
  ['drilled', { drill: drills.passed }, 'proven'],
  ['verified and drilled', { verification: passed, drill: drills.passed }, 'proven'],
  ['verification failed, drill passed', { verification: failed, drill: drills.passed }, 'broken'],
  ['drill failed, verification passed', { verification: passed, drill: drills.failed }, 'broken'],
  ['damaged at receipt', { receipt: failed }, 'broken'],
  ['damaged at receipt, all else passed', { receipt: failed, verification: passed, drill: drills.passed }, 'broken'],
  ['parent gone', { verification: passed, drill: drills.passed, parent: { id: 'x', state: undefined } }, 'broken'],
  ['parent broken', { verification: passed, drill: drills.passed, parent: { id: 'x', state: 'broken' } }, 'broken'],
  ['parent unproven', { verification: passed, parent: { id: 'x', state: 'unproven' } }, 'consistent'],
  ['newest record unreadable', { drill: drills.passed, unreadable: 'damaged' }, 'unproven'],
];

for (const [name, facts, state] of cases) {
  test(`${name}: ${state}`, () => {
    assert.equal(deriveBackupState(facts).state, state);
  });
}

test('never green with anything failed, and never without something that passed', () => {
  const verifications = [undefined, passed, failed];
  const drillRecords: (DrillRecord | undefined)[] = [undefined, drills.passed, drills.failed];
  const parents = [undefined, 'broken', 'proven', 'consistent', 'unproven', 'gone'] as const;
  let green = 0;
  for (const receipt of [undefined, failed]) {
    for (const verification of verifications) {
      for (const drill of drillRecords) {
        for (const parent of parents) {
          const { state, stateAt, stateReason } = deriveBackupState({
            ...(receipt === undefined ? {} : { receipt }),
            ...(verification === undefined ? {} : { verification }),
            ...(drill === undefined ? {} : { drill }),
            ...(parent === undefined ? {} : { parent: { id: 'p', state: parent === 'gone' ? undefined : parent } }),
          });
          const anyFailed = [receipt, verification, drill].some((record) => record?.outcome === 'failed');
          const anyPassed = [verification, drill].some((record) => record?.outcome === 'passed');
          if (state === 'broken') assert.ok(stateReason !== undefined && stateReason !== '');
          if (state !== 'proven' && state !== 'consistent') continue;
          green += 1;
          assert.ok(anyPassed && !anyFailed && parent !== 'broken' && parent !== 'gone');
          assert.ok(stateAt !== undefined);
        }
      }
    }
  }
  assert.equal(green, 12);
});
