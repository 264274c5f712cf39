import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import {
  formatRecord,
  parseBackupRecord,
  parseDrillRecord,
  parseInstanceRecord,
  parseRepositoryRecord,
  parseVerificationRecord,
  readRecord,
} from '../../../server/src/repository/records.ts';
import { fakeRecord, fakeVerification } from '../../support/fakeBackup.ts';
import { MemoryStore } from '../../support/memoryStore.ts';

type Json = Record<string, unknown>;

const at = '2026-11-22T11:00:52.123Z';
const problems = [{ code: 'file-changed', subject: 'base/1', message: 'differs' }];

/** Each record with its parser, and values that its fields must not take. */
const records: [string, object, (bytes: Uint8Array, key: string) => object, [field: string, bad: unknown][]][] = [
  [
    'repository.json',
    { format: 1, id: '7d1c8fc5-5f0f-4c2b-9a43-1f2c3d4e5f60', createdAt: at },
    parseRepositoryRecord,
    [['id', 'x'], ['createdAt', '2026-11-22'], ['createdAt', 5]], // prettier-ignore
  ],
  [
    'instance.json',
    { format: 1, name: 'shop', systemIdentifier: '18446744073709551615', major: 18, walSegmentSize: 16777216, createdAt: at }, // prettier-ignore
    parseInstanceRecord,
    [['name', ''], ['systemIdentifier', 7], ['systemIdentifier', '0x7'], ['major', 18.4], ['walSegmentSize', 16777217], ['walSegmentSize', 2 ** 31]], // prettier-ignore
  ],
  [
    'backup.json',
    fakeRecord(1, {
      type: 'incr',
      parent: '20261122T110000.000Z-full',
      archives: [{ name: 'base.tar.zst', tarBytes: 1, storedBytes: 1 }, { name: '16385.tar.gz', tablespaceOid: 16385, location: '/ts "x"', tarBytes: 0, storedBytes: 0 }], // prettier-ignore
      configurationFiles: [
        { name: 'pg_hba.conf', serverPath: '/etc/pg_hba.conf', captured: false },
        { name: 'pg_ident.conf', captured: false },
        { name: 'included-12.conf', serverPath: '/etc/a.conf', captured: true, size: 3, sha256: '0'.repeat(64) },
      ],
    }),
    parseBackupRecord,
    [
      ['id', '../../etc'],
      ['type', 'diff'],
      ['startLsn', '0/x'],
      ['endLsn', 'g'],
      ['startTimeline', 0],
      ['storedBytes', -1],
      ['storedBytes', 2 ** 53],
      ['walSegments', ['../x']],
      ['walSegments', '000000010000000000000002'],
      ['dataDirectoryMode', '0777'],
      ['dataChecksums', 'on'],
      ['archives', []],
      ['archives', [{ name: '../base.tar', tarBytes: 1, storedBytes: 1 }]],
      ['archives', [{ name: 'a/b', tarBytes: 1, storedBytes: 1 }]],
      ['archives', [{ name: '..', tarBytes: 1, storedBytes: 1 }]],
      ['archives', [{ name: 'base.tar', tarBytes: '1', storedBytes: 1 }]],
      ['compression', { method: 'rot13' }],
      ['compression', null],
      ['parent', 'x'],
      ['parent', null],
      ['configurationFiles', [{ name: 'shadow', serverPath: '/', captured: true }]],
      ['configurationFiles', [{ name: 'included-0.conf', captured: true }]],
      ['configurationFiles', [{ name: '../included-1.conf', captured: true }]],
      ['configurationFiles', [{ name: 'pg_hba.conf', captured: true, sha256: 'f00' }]],
    ],
  ],
  [
    'verify/x.json',
    fakeVerification(1, { outcome: 'failed', problems, problemCount: 1 }),
    parseVerificationRecord,
    [['outcome', 'ok'], ['by', 'x'], ['problems', [{}]], ['problemCount', null]], // prettier-ignore
  ],
  [
    'drills/x.json',
    { format: 1, at, outcome: 'failed', reason: 'r' },
    parseDrillRecord,
    [['outcome', 'true'], ['reason', 1]], // prettier-ignore
  ],
];

const optionalFields = ['parent', 'reason'];
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

for (const [key, record, parse, badValues] of records) {
  describe(`the record ${key}`, () => {
    const refuses = (bytes: Uint8Array, code: 'repository.damaged' | 'repository.newer-format', why: string): void => {
      assert.throws(
        () => parse(bytes, `shop/${key}`),
        (error) => isPointbackError(error, code) && error.message.includes(`shop/${key}`),
        why,
      );
    };

    test('comes back as it was written', () => {
      assert.deepEqual(parse(formatRecord(record), key), record);
    });

    test('drops what a later version added within the format', () => {
      assert.deepEqual(parse(bytesOf({ ...record, addedLater: [1] }), key), record);
    });

    test('is damaged without any one of its fields', () => {
      for (const field of Object.keys(record)) {
        if (optionalFields.includes(field)) continue;
        const without = Object.fromEntries(Object.entries(record).filter(([name]) => name !== field));
        refuses(bytesOf(without), 'repository.damaged', field);
      }
    });

    test('is damaged with a value its field cannot have', () => {
      for (const [field, bad] of badValues) {
        assert.ok(Object.hasOwn(record, field), field);
        refuses(bytesOf({ ...record, [field]: bad }), 'repository.damaged', `${field} ${JSON.stringify(bad)}`);
      }
      for (const field of Object.keys(record)) {
        refuses(bytesOf({ ...record, [field]: { not: 'this' } }), 'repository.damaged', field);
      }
    });

    test('is damaged when cut anywhere', () => {
      const bytes = formatRecord(record);
      for (let length = 0; length < bytes.length - 2; length += 1) {
        refuses(bytes.subarray(0, length), 'repository.damaged', `${length} bytes`);
      }
    });

    test('is damaged when it is other JSON or no UTF-8', () => {
      for (const value of [null, 1, 'x', [], [record]])
        refuses(bytesOf(value), 'repository.damaged', JSON.stringify(value));
      refuses(Buffer.concat([formatRecord(record), Buffer.from('x')]), 'repository.damaged', 'garbage behind');
      refuses(Buffer.from([0x22, 0xff, 0x22]), 'repository.damaged', 'no UTF-8');
    });

    test('of a newer format asks for a newer version, whatever else is in it', () => {
      refuses(bytesOf({ format: 2, entirely: 'different' }), 'repository.newer-format', 'format 2');
      for (const format of [0, '1', 1.5, null]) {
        refuses(bytesOf({ ...(record as Json), format }), 'repository.damaged', String(format));
      }
    });
  });
}

test('an archive in the place of a record is not read into memory', async () => {
  let pieces = 0;
  const store = new MemoryStore();
  store.get = async function* () {
    for (; pieces < 1000; pieces += 1) yield await Promise.resolve(Buffer.alloc(1024 * 1024));
  };
  await assert.rejects(readRecord(store, 'shop/instance.json', parseInstanceRecord), (error) =>
    isPointbackError(error, 'repository.damaged'),
  );
  assert.equal(pieces, 64);
});
