import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { filePathFromBytes, filePathFromText } from '../../../server/src/formats/filePath.ts';
import { formatTablespaceMap, parseTablespaceMap } from '../../../server/src/formats/tablespaceMap.ts';

const damaged = (error: unknown): boolean => isPointbackError(error, 'tablespace-map.damaged');
const map = (...paths: string[]) =>
  paths.map((path, index) => ({ oid: 16384 + index, location: filePathFromText(path) }));

test('an empty file maps nothing', () => {
  assert.deepEqual(parseTablespaceMap(Buffer.alloc(0), 18), []);
  assert.equal(formatTablespaceMap([], 18).length, 0);
});

test('backslashes as real servers spell them: doubled from 14 on, bare in 13', () => {
  const expected = map('/srv/ta b\\le');
  const text18 = Buffer.from('16384 /srv/ta b\\\\le\n');
  const text13 = Buffer.from('16384 /srv/ta b\\le\n');
  assert.deepEqual(parseTablespaceMap(text18, 15), expected);
  assert.deepEqual(parseTablespaceMap(text13, 13), expected);
  assert.deepEqual(formatTablespaceMap(expected, 14), text18);
  assert.deepEqual(formatTablespaceMap(expected, 13), text13);
});

test('any path goes there and back', () => {
  const paths = ['/a', '/a b', '/ ', '/a\nb', '/a\rb\r\n', '/grün/€', 'C:/Daten'];
  for (const major of [13, 14, 18]) {
    const locations = map(...paths);
    assert.deepEqual(parseTablespaceMap(formatTablespaceMap(locations, major), major), locations);
  }
  const hard = map('/a\\', '/\\n', '/\\\n\\\r\\\\');
  assert.deepEqual(parseTablespaceMap(formatTablespaceMap(hard, 17), 17), hard);
  const bytes = [{ oid: 4294967295, location: filePathFromBytes(Buffer.from([0x2f, 0xff, 0x0b])) }];
  assert.deepEqual(parseTablespaceMap(formatTablespaceMap(bytes, 17), 17), bytes);
});

test('a map cut inside a line is damaged', () => {
  const text = formatTablespaceMap(map('/srv/one', '/srv/t\nwo'), 17);
  const lineEnds = [0, '16384 /srv/one\n'.length];
  for (let length = 0; length < text.length; length++) {
    const cut = text.subarray(0, length);
    if (lineEnds.includes(length)) assert.equal(parseTablespaceMap(cut, 17).length, lineEnds.indexOf(length));
    else assert.throws(() => parseTablespaceMap(cut, 17), damaged, `cut to ${length} bytes`);
  }
});

test('what no server writes is damaged', () => {
  for (const text of [
    'x /a\n',
    '0 /a\n',
    '4294967296 /a\n',
    '16384\n',
    '16384 \n',
    '16384 /a\n\n',
    '16384 /a\\b\n',
    '\n',
  ]) {
    assert.throws(() => parseTablespaceMap(Buffer.from(text), 17), damaged, JSON.stringify(text));
  }
});
