import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backupId,
  backupRecordKey,
  configurationKey,
  dataKey,
  drillKey,
  encodeInstanceName,
  indexKey,
  instanceRecordKey,
  lockKey,
  manifestKey,
  parseBackupId,
  parseUtcName,
  repositoryRecordKey,
  sharedLockPrefix,
  utcName,
  verificationKey,
} from '../../../server/src/repository/layout.ts';
import { assertKey } from '../../../server/src/repository/store/keys.ts';

const at = new Date('2026-11-22T11:00:52.123Z');
const id = '20261122T110052.123Z-full';

test('the keys are those of the documented layout', () => {
  const keys: [string, string][] = [
    [repositoryRecordKey, 'repository.json'],
    [instanceRecordKey('shop'), 'shop/instance.json'],
    [backupRecordKey('shop', id), `shop/backups/${id}/backup.json`],
    [dataKey('shop', id, 'base.tar.zst'), `shop/backups/${id}/data/base.tar.zst`],
    [manifestKey('shop', id), `shop/backups/${id}/data/backup_manifest`],
    [indexKey('shop', id), `shop/backups/${id}/index.json`],
    [configurationKey('shop', id, 'pg_hba.conf'), `shop/backups/${id}/configuration/pg_hba.conf`],
    [verificationKey('shop', id, at), `shop/backups/${id}/verify/20261122T110052.123Z.json`],
    [drillKey('shop', id, at), `shop/backups/${id}/drills/20261122T110052.123Z.json`],
    [lockKey('shop', 'wal'), 'shop/locks/wal.json'],
    [`${sharedLockPrefix('db:5432')}/x.json`, 'db%3A5432/locks/shared/x.json'],
  ];
  for (const [key, expected] of keys) {
    assert.equal(key, expected);
    assertKey(key);
  }
});

test('every instance name becomes one harmless directory name of its own', () => {
  const names: [string, string][] = [
    ['shop', 'shop'],
    ['Shop_1.prod-eu', 'Shop_1.prod-eu'],
    ['db.example.com:5432', 'db.example.com%3A5432'],
    ['my shop', 'my%20shop'],
    ['100%', '100%25'],
    ['%20', '%2520'],
    ['Bücher', 'B%C3%BCcher'],
    ['a/b\\c', 'a%2Fb%5Cc'],
    ['.', '%2E'],
    ['..', '.%2E'],
    ['...', '..%2E'],
    ['ends.', 'ends%2E'],
    ['.hidden', '.hidden'],
    ['repository.json', '%72epository.json'],
    ['nul', '%6Eul'],
    ['COM1.backup', '%43OM1.backup'],
    ['console', 'console'],
    ['🐘', '%F0%9F%90%98'],
    ['\0', '%00'],
  ];
  for (const [name, expected] of names) {
    assert.equal(encodeInstanceName(name), expected);
    assertKey(encodeInstanceName(name));
  }
  assert.equal(new Set(names.map(([, encoded]) => encoded)).size, names.length);
  assert.throws(() => encodeInstanceName(''), RangeError);
});

test('times in names are read back, and only as they are written', () => {
  assert.equal(utcName(at), '20261122T110052.123Z');
  assert.deepEqual(parseUtcName('20261122T110052.123Z'), at);
  for (const name of [
    '20261122T110052Z',
    '20261322T110052.123Z',
    '20260231T110052.123Z',
    '20261122T250052.123Z',
    '2026-11-22T11:00:52.123Z',
    '20261122T110052.123',
    ' 20261122T110052.123Z',
    '',
  ]) {
    // prettier-ignore
    assert.equal(parseUtcName(name), undefined, name);
  }
});

test('ids of backups are read back, sort by time, and nothing else is one', () => {
  assert.equal(backupId(at, 'full'), id);
  assert.deepEqual(parseBackupId(id), { startedAt: at, type: 'full' });
  assert.equal(parseBackupId(backupId(at, 'incr'))?.type, 'incr');
  for (const other of [
    '',
    'full',
    '-full',
    `${id}x`,
    `${id}/..`,
    '20261122T110052.123Z',
    '20261122T110052.123Z-',
    '20261122T110052.123Z-diff',
    'latest',
  ]) {
    // prettier-ignore
    assert.equal(parseBackupId(other), undefined, other);
  }
  const later = backupId(new Date(at.getTime() + 1), 'full');
  assert.ok(later > backupId(at, 'incr'));
});
