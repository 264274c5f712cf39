import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCompression } from '../../../server/src/configuration/compressionSetting.ts';
import { nearestWord } from '../../../server/src/configuration/nearestWord.ts';
import { parseMaxRate, parseSize } from '../../../server/src/configuration/size.ts';
import { urlHasPassword } from '../../../server/src/configuration/urlPassword.ts';

test('sizes', () => {
  const table: readonly [string, number | undefined][] = [
    ['32M', 33554432],
    ['32m', 33554432],
    ['32MB', 33554432],
    ['32MiB', 33554432],
    ['1.5G', 1610612736],
    ['1 T', 1099511627776],
    ['7B', 7],
    ['512k', 524288],
    ['32', undefined],
    ['', undefined],
    ['M', undefined],
    ['-1M', undefined],
    ['1e3k', undefined],
    ['1.0000001k', undefined],
    ['32 MM', undefined],
    ['32ib', undefined],
    ['9999999999T', undefined],
  ];
  for (const [text, bytes] of table) assert.equal(parseSize(text), bytes, text);
});

test('rates the server takes', () => {
  assert.equal(parseMaxRate('32k'), 32);
  assert.equal(parseMaxRate('31k'), undefined);
  assert.equal(parseMaxRate('1024M'), 1048576);
  assert.equal(parseMaxRate('1025M'), undefined);
});

test('compressions', () => {
  assert.deepEqual(parseCompression('zstd'), { method: 'zstd', level: 3 });
  assert.deepEqual(parseCompression('zstd:22'), { method: 'zstd', level: 22 });
  assert.deepEqual(parseCompression('gzip'), { method: 'gzip', level: 6 });
  assert.deepEqual(parseCompression('none'), { method: 'none' });
  for (const text of ['', 'zstd:', 'zstd:0', 'zstd:23', 'gzip:10', 'none:1', 'lz4', 'ZSTD']) {
    assert.equal(parseCompression(text), undefined, text);
  }
});

test('passwords in URLs', () => {
  const withPassword = [
    'postgresql://u:p@h',
    'postgres://:p@h:5432/db',
    'postgresql://u:p@h1,h2/db',
    'postgresql://u:p/w@h',
    'postgresql://u:p?w@h',
    'postgresql://u:a@b@h',
    'postgresql://u@h/db?password=p',
    'postgresql://u@h/db?x=y&PASSWORD=p',
    'postgresql://u@h/db?sslpassword=p',
  ];
  const without = [
    'postgresql://h',
    'postgresql://u@h:5432/db',
    'postgresql://u:@h',
    'postgresql://h:5432/db?application_name=a@b',
    'postgresql://[::1]:5432/db?application_name=a@b',
    'postgresql://h1:1,h2:2/db?application_name=a@b',
    'postgresql://u@h/db?passfile=/x&password=',
  ];
  for (const url of withPassword) assert.equal(urlHasPassword(url), true, url);
  for (const url of without) assert.equal(urlHasPassword(url), false, url);
});

test('the nearest word', () => {
  const words = ['backup', 'check', 'delete', 'list', 'restore', 'verify'];
  assert.equal(nearestWord('bakcup', words), 'backup');
  assert.equal(nearestWord('ls', words), undefined);
  assert.equal(nearestWord('lst', words), 'list');
  assert.equal(nearestWord('Restore', words), 'restore');
  assert.equal(nearestWord('ver', words), 'verify');
  assert.equal(nearestWord('zzz', words), undefined);
  assert.equal(nearestWord('x', []), undefined);
});
