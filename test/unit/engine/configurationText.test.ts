import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  confineConfiguration,
  neutralizeConfiguration,
  preloadLibrariesOf,
} from '../../../server/src/engine/restore/configurationText.ts';

describe('neutralizeConfiguration', () => {
  it('comments out what leads to the original, and nothing else', () => {
    const lines = [
      "data_directory = '/var/lib/postgresql/15/main'",
      "  hba_file='/etc/postgresql/15/main/pg_hba.conf'",
      "\tident_file '/etc/postgresql/15/main/pg_ident.conf'",
      "external_pid_file = '/var/run/postgresql/15-main.pid'",
      "include_dir = 'conf.d'",
      "include_if_exists 'x.conf'",
      "include 'y.conf'",
      "Data_Directory = '/in/any/case'",
      "# data_directory = 'commented already'",
      'max_connections = 100',
      "data_directory_mode_of_mine = 'not ours'",
      '',
    ];
    const neutral = neutralizeConfiguration(lines.join('\n')).split('\n');
    assert.equal(neutral.length, lines.length);
    for (const [index, line] of lines.entries()) {
      const expected = index < 8 ? `#(Pointback: outside this directory) ${line}` : line;
      assert.equal(neutral[index], expected);
    }
  });
});

describe('neutralizeConfiguration with copies of what is included', () => {
  it('points the lines at the copies, in their place', () => {
    const text = "a = 1\ninclude_dir 'conf.d' # Debian\ninclude 'none.conf'\na = 2\n";
    const neutral = neutralizeConfiguration(text, ({ directive, path }) =>
      directive === 'include_dir' && path === 'conf.d' ? ['x/1.conf', 'x/2.conf'] : [],
    );
    const marked = '#(Pointback: outside this directory) ';
    assert.equal(
      neutral,
      `a = 1\n${marked}include_dir 'conf.d' # Debian\ninclude 'x/1.conf'\ninclude 'x/2.conf'\n${marked}include 'none.conf'\na = 2\n`,
    );
  });
});

describe('confineConfiguration', () => {
  it('comments out includes of what is absent', () => {
    const text = "include 'here.conf'\ninclude 'gone.conf'";
    assert.equal(
      confineConfiguration(text, new Set(['gone.conf'])),
      "include 'here.conf'\n#(Pointback: outside this directory) include 'gone.conf'",
    );
  });
  const cases: readonly [line: string, stays: boolean][] = [
    ["data_directory = '/var/lib/postgresql/15/main'", false],
    ["DATA_DIRECTORY 'relative'", false],
    ["include '/etc/postgresql/more.conf'", false],
    ["include_if_exists = '../more.conf'", false],
    ["include_dir 'conf.d/../../conf.d'", false],
    ["hba_file='/etc/pg_hba.conf'", false],
    ["ident_file = 'C:\\postgres\\pg_ident.conf'", false],
    ["include 'near.conf'", true],
    ["include_dir = 'conf.d' # not ../conf.d", true],
    ["hba_file = 'pg_hba.conf'", true],
    ["include 'two..dots.conf'", true],
    ["log_directory = '/var/log'", true],
    ["# data_directory = '/x'", true],
  ];
  for (const [line, stays] of cases) {
    it(`${stays ? 'leaves' : 'comments out'} ${line}`, () => {
      const expected = stays ? line : `#(Pointback: outside this directory) ${line}`;
      assert.equal(confineConfiguration(`\n${line}\n`), `\n${expected}\n`);
    });
  }
});

describe('preloadLibrariesOf', () => {
  for (const [text, libraries] of [
    ['', []],
    ["shared_preload_libraries = ''", []],
    ["shared_preload_libraries = 'pg_cron, pg_stat_statements'", ['pg_cron', 'pg_stat_statements']],
    ["shared_preload_libraries = 'one'\nSHARED_PRELOAD_LIBRARIES 'two'", ['two']],
    ['shared_preload_libraries = pg_cron', ['pg_cron']],
    [`shared_preload_libraries = '"odd name",$libdir/x'`, ['odd name', '$libdir/x']],
    ["# shared_preload_libraries = 'commented'", []],
  ] as const) {
    it(`finds ${JSON.stringify(libraries)} in ${JSON.stringify(text)}`, () => {
      assert.deepEqual(preloadLibrariesOf(text), libraries);
    });
  }
});
