import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  displayPath,
  filePathBytes,
  filePathFromBytes,
  filePathFromText,
  filePathText,
  isSafeRelativePath,
} from '../../../server/src/formats/filePath.ts';

test('every byte survives the way through a path', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  assert.deepEqual(filePathBytes(filePathFromBytes(bytes)), bytes);
  const view = bytes.subarray(3, 9);
  assert.deepEqual(filePathBytes(filePathFromBytes(new Uint8Array(view.buffer, view.byteOffset, 6))), view);
});

test('text becomes its UTF-8 bytes, and text again', () => {
  const path = filePathFromText('base/Größe€😀');
  assert.deepEqual(filePathBytes(path), Buffer.from('base/Größe€😀'));
  assert.equal(filePathText(path), 'base/Größe€😀');
  assert.equal(displayPath(path), 'base/Größe€😀');
});

test('a path that is no UTF-8 has no text and is shown escaped', () => {
  const path = filePathFromBytes(Buffer.from([0x61, 0xff, 0x2f, 0xc3, 0xa4]));
  assert.equal(filePathText(path), undefined);
  assert.equal(displayPath(path), String.raw`a\xff/\xc3\xa4`);
});

test('control characters never reach a terminal', () => {
  assert.equal(displayPath(filePathFromText('a\x1b[2Jb\nc\x7fd\u009be')), String.raw`a\x1b[2Jb\x0ac\x7fd\x9be`);
});

test('a byte order mark is part of the name', () => {
  assert.equal(filePathText(filePathFromText('\ufeffx')), '\ufeffx');
});

test('safe paths stay below their directory', () => {
  for (const path of ['a', 'base/1/2', '.hidden', '..a', 'a..', 'a b/ö', 'a\\b', 'C:x']) {
    assert.equal(isSafeRelativePath(filePathFromText(path), 'linux'), true, path);
  }
  for (const path of ['', '/', '/a', 'a/', 'a//b', '.', '..', './a', 'a/.', 'a/../b', '../a', 'a/..', 'a\0b']) {
    assert.equal(isSafeRelativePath(filePathFromText(path), 'linux'), false, path);
    assert.equal(isSafeRelativePath(filePathFromText(path), 'win32'), false, path);
  }
});

test('on Windows drives, streams and backslashes are not safe', () => {
  for (const path of ['C:x', 'C:/x', 'a\\b', '..\\a', '\\\\host\\share', 'a:b']) {
    assert.equal(isSafeRelativePath(filePathFromText(path), 'win32'), false, path);
  }
  assert.equal(isSafeRelativePath(filePathFromText('base/1/2'), 'win32'), true);
});
