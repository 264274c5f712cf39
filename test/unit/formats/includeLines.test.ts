import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  includeOf,
  includesOf,
  inReadingOrder,
  isTakenFromDirectory,
  leadsOut,
  resolveInclude,
} from '../../../server/src/formats/includeLines.ts';

describe('the include lines of a configuration file', () => {
  for (const [line, expected] of [
    ["include 'a.conf'", { directive: 'include', path: 'a.conf' }],
    ["\tInclude_Dir='conf.d' # Debian", { directive: 'include_dir', path: 'conf.d' }],
    ['include_if_exists = x.conf', { directive: 'include_if_exists', path: 'x.conf' }],
    ["include 'it''s # odd.conf'", { directive: 'include', path: "it's # odd.conf" }],
    [Buffer.from("include 'prüfe.conf'").toString('latin1'), { directive: 'include', path: 'prüfe.conf' }],
    ["# include 'a.conf'", undefined],
    ["include ''", undefined],
    ["includes = 'a.conf'", undefined],
    ["search_path = 'include'", undefined],
  ] as const) {
    it(`has ${JSON.stringify(expected)} in ${line}`, () => {
      assert.deepEqual(includeOf(line), expected);
    });
  }

  it('come in order', () => {
    const text = "include 'b'\nwork_mem = '1MB'\r\ninclude_dir 'a'\r\n";
    assert.deepEqual(
      includesOf(text).map(({ path }) => path),
      ['b', 'a'],
    );
  });

  it('are resolved from the directory of their file', () => {
    assert.equal(resolveInclude('/etc/pg/postgresql.conf', 'conf.d/'), '/etc/pg/conf.d');
    assert.equal(resolveInclude('/etc/pg/conf.d/a.conf', '../b.conf'), '/etc/pg/b.conf');
    assert.equal(resolveInclude('/etc/pg/postgresql.conf', '/srv//b.conf'), '/srv/b.conf');
    assert.equal(resolveInclude('C:/pg/postgresql.conf', 'D:/b.conf'), 'D:/b.conf');
    assert.equal(resolveInclude('postgresql.conf', 'conf.d'), 'conf.d');
  });

  it('lead out when they are absolute or climb', () => {
    const paths = ['/a', 'C:\\a', '../a', 'a/../../b', 'a', 'a..b', './a'];
    assert.deepEqual(paths.map(leadsOut), [true, true, true, true, false, false, false]);
  });

  it('take from a directory what the server takes, in the order of bytes', () => {
    const names = ['b.conf', 'B.conf', '.a.conf', 'a.conf~', 'ä.conf', 'a.conf'];
    assert.deepEqual(inReadingOrder(names.filter(isTakenFromDirectory)), ['B.conf', 'a.conf', 'b.conf', 'ä.conf']);
  });
});
