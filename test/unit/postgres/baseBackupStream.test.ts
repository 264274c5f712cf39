import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BaseBackupReceiver } from '../../../server/src/postgres/baseBackupStream.ts';

/** A NoticeResponse's body (PostgreSQL documentation, "Error and Notice Message Fields"). */
const notice = (message: string, routine: string): Buffer =>
  Buffer.from(`SWARNING\0VWARNING\0C01000\0M${message}\0R${routine}\0\0`);

describe('the warnings of a base backup', () => {
  it('count as damage where they are of checksums, of which 1000 are kept and all are counted', () => {
    const told: string[] = [];
    const receiver = new BaseBackupReceiver(
      {
        begin: () => undefined,
        beginArchive: () => undefined,
        archiveData: () => undefined,
        endArchive: () => undefined,
        manifestData: () => undefined,
        warning: (text) => told.push(text),
      },
      true,
    );
    void receiver.message('N', notice('überspringe besondere Datei »./postgresql.conf«', 'sendDir'));
    for (let file = 0; file < 1500; file += 1) {
      void receiver.message(
        'N',
        notice(`Prüfsumme von base/5/${file}`, file % 2 ? 'sendFile' : 'read_file_data_into_buffer'),
      );
    }
    assert.equal(told.length, 1501);
    assert.equal(receiver.checksumWarningCount, 1500);
    assert.equal(receiver.checksumWarnings.length, 1000);
    assert.equal(receiver.checksumWarnings[0], 'Prüfsumme von base/5/0');
  });
});
