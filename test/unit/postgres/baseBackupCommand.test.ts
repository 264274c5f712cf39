import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { baseBackupCommand } from '../../../server/src/postgres/baseBackupCommand.ts';

const options = { label: "it's nightly", checkpoint: 'fast', manifestChecksums: 'SHA256' } as const;

describe('baseBackupCommand', () => {
  it('speaks the old grammar to 13 and 14', () => {
    assert.equal(
      baseBackupCommand(140023, { ...options, maxRateKb: 1024 }),
      "BASE_BACKUP LABEL 'it''s nightly' PROGRESS FAST WAL NOWAIT MAX_RATE 1024 TABLESPACE_MAP MANIFEST 'yes' MANIFEST_CHECKSUMS 'SHA256'",
    );
  });

  it('speaks the parenthesised grammar from 15 on', () => {
    assert.equal(
      baseBackupCommand(150000, { ...options, checkpoint: 'spread' }),
      "BASE_BACKUP (LABEL 'it''s nightly', PROGRESS true, CHECKPOINT 'spread', WAL true, WAIT false, TABLESPACE_MAP true, " +
        "VERIFY_CHECKSUMS true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256')",
    );
  });

  for (const label of ['two\nlines', 'bell\u0007', 'x'.repeat(1025), 'ü'.repeat(513)]) {
    it(`refuses the label ${JSON.stringify(label.slice(0, 12))} of ${label.length} characters`, () => {
      assert.throws(
        () => baseBackupCommand(180004, { ...options, label }),
        (error) => isPointbackError(error, 'backup.invalid-option'),
      );
    });
  }

  for (const maxRateKb of [31, 1024 * 1024 + 1]) {
    it(`refuses a rate of ${maxRateKb} kB/s`, () => {
      assert.throws(
        () => baseBackupCommand(180004, { ...options, maxRateKb }),
        (error) => isPointbackError(error, 'backup.invalid-option'),
      );
    });
  }
});
