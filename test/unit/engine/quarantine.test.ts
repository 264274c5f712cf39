import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatSettings,
  quarantineHba,
  quarantineIdent,
  quarantineSettings,
  quoteSetting,
  recoveryFile,
  sortPreloadLibraries,
} from '../../../server/src/engine/restore/quarantine.ts';

const facts = {
  dataDirectory: '/srv/copy',
  port: 5433,
  promote: false,
  from: 'primary',
  major: 18,
  control: {
    maxConnections: 200,
    maxWorkerProcesses: 16,
    maxWalSenders: 12,
    maxPreparedTransactions: 3,
    maxLocksPerTransaction: 128,
  },
  preloadLibraries: ['pg_stat_statements', 'pg_cron'],
} as const;

describe('quarantineSettings', () => {
  it('keep a copy from archiving, replicating, working jobs and being reached from elsewhere', () => {
    const settings = quarantineSettings(facts);
    for (const [name, value] of Object.entries({
      listen_addresses: '127.0.0.1',
      archive_mode: 'off',
      archive_cleanup_command: '',
      recovery_end_command: '',
      primary_conninfo: '',
      primary_slot_name: '',
      synchronous_standby_names: '',
      max_logical_replication_workers: '0',
      shared_preload_libraries: 'pg_stat_statements',
      max_connections: '200',
      max_locks_per_transaction: '128',
      recovery_target: 'immediate',
      recovery_target_action: 'pause',
    })) {
      assert.equal(settings.get(name), value, name);
    }
    assert.equal(quarantineSettings({ ...facts, promote: true }).get('recovery_target_action'), 'promote');
  });

  it('name no setting that an older server does not know', () => {
    const newerNames = (major: number): string[] =>
      ['archive_library', 'sync_replication_slots', 'summarize_wal'].filter((name) =>
        quarantineSettings({ ...facts, major }).has(name),
      );
    assert.deepEqual(newerNames(13), []);
    assert.deepEqual(newerNames(15), ['archive_library']);
    assert.deepEqual(newerNames(17), ['archive_library', 'sync_replication_slots', 'summarize_wal']);
  });

  it('give an old server files of its own in place of the original’s', () => {
    const of = (major: number) => quarantineSettings({ ...facts, major });
    assert.equal(of(13).get('stats_temp_directory'), 'pg_stat_tmp');
    assert.equal(of(15).has('stats_temp_directory'), false);
    assert.equal(of(15).get('promote_trigger_file'), '');
    assert.equal(of(16).has('promote_trigger_file'), false);
  });

  it('preload only libraries that are known to do nothing by themselves', () => {
    const names = ['$libdir/pg_stat_statements', 'pgaudit.so', '$libdir/pg_cron', 'pg_cron.so', 'pglogical', 'citus'];
    assert.deepEqual(sortPreloadLibraries(names), {
      kept: ['$libdir/pg_stat_statements', 'pgaudit.so'],
      leftOut: ['$libdir/pg_cron', 'pg_cron.so', 'pglogical', 'citus'],
    });
  });

  it('let the copy of a standby’s backup run to the end of its WAL, where no record follows', () => {
    assert.equal(quarantineSettings({ ...facts, from: 'standby' }).get('recovery_target'), '');
    assert.equal(recoveryFile({ from: 'standby', promote: false }), 'standby.signal');
    assert.equal(recoveryFile({ from: 'standby', promote: true }), 'recovery.signal');
    assert.equal(recoveryFile({ from: 'primary', promote: false }), 'recovery.signal');
  });

  it('clear every other recovery target before they set theirs', () => {
    const names = [...quarantineSettings(facts).keys()];
    for (const other of ['name', 'time', 'xid', 'lsn']) {
      assert.ok(names.indexOf(`recovery_target_${other}`) < names.indexOf('recovery_target'), other);
    }
  });

  it('are quoted as the configuration file wants it', () => {
    assert.equal(quoteSetting(String.raw`it's a \path`), String.raw`'it''s a \\path'`);
    assert.equal(formatSettings(new Map([['port', '5433']])), "port = '5433'\n");
  });
});

describe('the quarantine’s access rules', () => {
  it('never trust, never admit replication, and open up for the network only inside a container', () => {
    for (const inContainer of [false, true]) {
      const rules = quarantineHba(inContainer)
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
      assert.ok(
        rules.every((line) => /\s(md5|peer\s+map=pointback)$/.test(line)),
        rules.join('\n'),
      );
      assert.ok(rules.every((line) => !line.includes('replication')));
      assert.equal(
        rules.some((line) => line.includes('samenet')),
        inContainer,
      );
    }
  });

  it('let each operating system user in once, with names quoted', () => {
    assert.equal(
      quarantineIdent(['root', 'root', 'a"b'], 'the boss'),
      'pointback "root" "the boss"\npointback "a""b" "the boss"\n',
    );
  });
});
