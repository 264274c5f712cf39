import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isPointbackError } from '../../server/src/api/errors.ts';
import { errorOfReport, explainConnectFailure } from '../../server/src/engine/check/checkInstance.ts';
import { openReplicationConnection } from '../../server/src/postgres/connect.ts';
import { Secret } from '../../server/src/postgres/secret.ts';
import {
  addLine,
  assertHealthy,
  check,
  errorsOf,
  fixOf,
  found,
  onlyError,
  openAndClose,
  operation,
  profileOf,
  roles,
  sqlOnly,
} from '../support/checking.ts';
import { startServer } from '../support/postgresServer.ts';
import type { TestServer } from '../support/testServer.ts';

for (const major of [13, 15, 18]) {
  describe(`PostgreSQL ${major}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startServer({
        major,
        hba: `host all postgres 127.0.0.1/32 scram-sha-256\n`,
        settings: { password_encryption: 'scram-sha-256' },
      });
      await server.sql(roles);
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
    });
    const setHba = (text: string): Promise<void> =>
      server.setHba(`host all postgres 127.0.0.1/32 scram-sha-256\n${text}`);

    it('passes a server that can be backed up, and tells what it is', async () => {
      await setHba('host all,replication backup 127.0.0.1/32 scram-sha-256');
      const report = await assertHealthy(server, { instance: 'shop' });
      assert.equal(report.instance, 'shop');
      assert.equal(report.endpoint, `127.0.0.1:${server.port}`);
      assert.equal(report.role, 'primary');
      assert.equal(Number.parseInt(report.serverVersion ?? '', 10), major);
      assert.equal(errorOfReport(report), undefined);
    });

    it('names the replication line that is missing, and the line makes it work', async () => {
      await setHba(sqlOnly());
      const finding = onlyError(await check(server), 'replication.no-hba-line');
      assert.match(finding.text, /"backup".*127\.0\.0\.1 without TLS/);
      assert.equal(await addLine(server, finding), 'host  replication  backup  127.0.0.1/32  scram-sha-256');
      assert.match(fixOf(finding, 'pg_hba-line').then ?? '', /pg_reload_conf\(\).*docker kill -s HUP/);
      await assertHealthy(server);
    });

    it('names the file where the role may know it', async () => {
      await setHba(sqlOnly());
      const where = async (): Promise<string | undefined> =>
        fixOf(onlyError(await check(server), 'replication.no-hba-line'), 'pg_hba-line').where;
      assert.match((await where()) ?? '', /SHOW hba_file/);
      await server.sql('GRANT pg_read_all_settings TO backup');
      assert.ok((await where())?.startsWith(join(server.dataDirectory, 'pg_hba.conf')));
      await server.sql('REVOKE pg_read_all_settings FROM backup');
    });

    it('handles an explicit reject, with the line above it', async () => {
      await setHba(`host replication all 0.0.0.0/0 reject\n${sqlOnly()}`);
      const finding = onlyError(await check(server), 'replication.no-hba-line');
      assert.match(finding.text, /reject/);
      assert.match(
        fixOf(finding, 'pg_hba-line').where ?? '',
        /at the top, so that it stands before any line that rejects/,
      );
      await addLine(server, finding);
      await assertHealthy(server);
    });

    it('quotes names that need it', async () => {
      await setHba(sqlOnly());
      const user = 'Back, up';
      const finding = onlyError(await check(server, { user }), 'replication.no-hba-line');
      assert.equal(await addLine(server, finding), 'host  replication  "Back, up"  127.0.0.1/32  scram-sha-256');
      await assertHealthy(server, { user });
    });

    it('finds the address without SQL, and gives the line for SQL as well', async () => {
      await setHba('');
      const report = await check(server);
      const finding = onlyError(report, 'replication.no-hba-line');
      assert.equal(await addLine(server, finding), 'host  replication  backup  127.0.0.1/32  scram-sha-256');
      const replicationOnly = await assertHealthy(server);
      const sql = found(replicationOnly, 'authentication.no-hba-line');
      assert.equal(sql.severity, 'info');
      assert.equal(Number.parseInt(replicationOnly.serverVersion ?? '', 10), major);
      assert.equal(await addLine(server, sql), 'host  postgres  backup  127.0.0.1/32  scram-sha-256');
      assert.deepEqual(errorsOf(await assertHealthy(server)), []);
      await assert.doesNotReject(openAndClose(server));
    });

    it('takes md5 where passwords are stored so', async () => {
      await server.sql("SET password_encryption = 'md5'; CREATE ROLE oldstyle LOGIN REPLICATION PASSWORD 'pw'");
      await setHba(sqlOnly('md5'));
      const finding = onlyError(await check(server, { user: 'oldstyle' }), 'replication.no-hba-line');
      assert.equal(await addLine(server, finding), 'host  replication  oldstyle  127.0.0.1/32  md5');
      await assertHealthy(server, { user: 'oldstyle' });
      await setHba(sqlOnly('trust'));
      await server.sql("ALTER SYSTEM SET password_encryption = 'md5'");
      server.reload();
      const trusted = onlyError(await check(server, { user: 'oldstyle' }), 'replication.no-hba-line');
      assert.equal(await addLine(server, trusted), 'host  replication  oldstyle  127.0.0.1/32  md5');
      await assertHealthy(server, { user: 'oldstyle' });
      await server.sql('ALTER SYSTEM RESET password_encryption');
      server.reload();
    });

    it('says that a trusted role will need a password', async () => {
      await setHba(sqlOnly('trust'));
      const report = await check(server, { password: undefined });
      const finding = onlyError(report, 'replication.no-hba-line');
      assert.equal(
        fixOf(found(report, 'authentication.password-missing'), 'sql').text,
        "ALTER ROLE backup PASSWORD 'CHOOSE ONE';",
      );
      await addLine(server, finding);
      onlyError(await check(server, { password: undefined }), 'authentication.password-missing');
      await assertHealthy(server);
    });

    it('has the statement for a role without REPLICATION, even while the line is missing, too', async () => {
      await setHba('host all,replication plain 127.0.0.1/32 scram-sha-256');
      const finding = onlyError(await check(server, { user: 'plain' }), 'replication.role-lacks-replication');
      assert.equal(fixOf(finding, 'sql').text, 'ALTER ROLE plain REPLICATION;');
      await setHba(sqlOnly());
      const both = await check(server, { user: 'plain' });
      assert.deepEqual(errorsOf(both), ['replication.no-hba-line', 'replication.role-lacks-replication']);
      await addLine(server, found(both, 'replication.no-hba-line'));
      await server.sql(fixOf(found(both, 'replication.role-lacks-replication'), 'sql').text);
      await assertHealthy(server, { user: 'plain' });
      await server.sql('ALTER ROLE plain NOREPLICATION');
    });

    it('tells a wrong password, an expired one and none from each other as far as the server does', async () => {
      await setHba('host all,replication all 127.0.0.1/32 scram-sha-256');
      const wrong = onlyError(await check(server, { password: new Secret('nope') }), 'authentication.password');
      assert.doesNotMatch(JSON.stringify(wrong), /nope/);
      onlyError(await check(server, { user: 'expired' }), 'authentication.password');
      onlyError(await check(server, { user: 'nobody' }), 'authentication.password');
      onlyError(await check(server, { password: undefined }), 'authentication.password-missing');
      await setHba('host all,replication all 127.0.0.1/32 trust');
      const expired = await assertHealthy(server, { user: 'expired' });
      const warning = found(expired, 'role.password-expires');
      await server.sql(fixOf(warning, 'sql').text);
      await setHba('host all,replication all 127.0.0.1/32 scram-sha-256');
      await assertHealthy(server, { user: 'expired' });
      await server.sql("ALTER ROLE expired VALID UNTIL '2001-01-01'");
    });

    it('tells a password that fits SQL only', async () => {
      await setHba('host all all 127.0.0.1/32 md5\nhost replication all 127.0.0.1/32 scram-sha-256');
      await server.sql("SET password_encryption = 'md5'; CREATE ROLE md5only LOGIN REPLICATION PASSWORD 'pw'");
      const finding = onlyError(await check(server, { user: 'md5only' }), 'authentication.password');
      assert.match(finding.text, /got in over SQL.*stored as MD5/);
      await server.sql(fixOf(finding, 'sql').text.replace('THE SAME OR ANOTHER', 'pw'));
      await assertHealthy(server, { user: 'md5only' });

      const passFile = join(server.directory, 'pgpass');
      await writeFile(passFile, `127.0.0.1:*:postgres:backup:pw\n`, { mode: 0o600 });
      const parts = { password: undefined, passFile };
      const missing = onlyError(await check(server, parts), 'authentication.password-missing');
      const line = /127\.0\.0\.1:\d+:replication:backup:/.exec(fixOf(missing, 'none').text)?.[0] ?? '';
      await writeFile(passFile, `127.0.0.1:*:postgres:backup:pw\n${line}pw\n`, { mode: 0o600 });
      await assertHealthy(server, parts);
    });

    it('finds a role that may not log in, or is not there', async () => {
      await setHba('host all,replication all 127.0.0.1/32 scram-sha-256');
      const finding = onlyError(await check(server, { user: 'nologin' }), 'authentication.role');
      assert.deepEqual(
        finding.fix?.filter(({ kind }) => kind === 'sql').map(({ text }) => text),
        ['ALTER ROLE nologin LOGIN;'],
      );
      await server.sql(fixOf(finding, 'sql').text);
      await assertHealthy(server, { user: 'nologin' });
      await server.sql('ALTER ROLE nologin NOLOGIN');
      await setHba('host all,replication all 127.0.0.1/32 trust');
      const missing = onlyError(await check(server, { user: 'nobody' }), 'authentication.role');
      assert.match(fixOf(missing, 'sql').text, /^CREATE ROLE nobody LOGIN REPLICATION/);
    });

    it('does not need the database, and says that it is missing', async () => {
      await setHba('host all,replication backup 127.0.0.1/32 scram-sha-256');
      const report = await assertHealthy(server, { database: 'nowhere' });
      assert.equal(found(report, 'connection.database-missing').severity, 'info');
      assert.equal(report.role, 'primary');
    });

    it('points at a pg_hba.conf that the server will not load', async () => {
      const broken = `${sqlOnly()}host all all 300.1.2.3/33 scram\n`;
      await setHba(sqlOnly());
      await writeFile(join(server.dataDirectory, 'pg_hba.conf'), broken);
      const report = await check(server, { user: server.user, password: new Secret(server.password) });
      assert.match(found(report, 'hba.file-broken').text, /line 2/);
      assert.equal(found(report, 'hba.file-broken').severity, 'warning');
    });

    it('gives other operations the same words', async () => {
      await setHba(sqlOnly());
      const profile = profileOf(server);
      const failure: unknown = await openReplicationConnection(profile, operation()).catch((error: unknown) => error);
      const explained = await explainConnectFailure(failure, profile, operation());
      assert.ok(isPointbackError(explained, 'replication.no-hba-line'));
      assert.match(explained.remedy, /host {2}replication {2}backup {2}127\.0\.0\.1\/32 {2}scram-sha-256/);
      const other = new Error('disk full');
      assert.equal(await explainConnectFailure(other, profile, operation()), other);
    });

    it('needs two WAL senders at a time', async () => {
      await setHba('host all,replication backup 127.0.0.1/32 scram-sha-256');
      await server.addSettings({ max_wal_senders: 1 });
      await server.restart();
      const one = onlyError(await check(server), 'replication.no-walsender');
      assert.match(one.text, /only one is free.*max_wal_senders is 1, and 0 are in use/);
      const holder = await openReplicationConnection(profileOf(server), operation());
      const none = onlyError(await check(server), 'replication.no-walsender');
      assert.match(none.text, /none is free.*max_wal_senders is 1, and 1 are in use/);
      assert.equal(fixOf(none, 'setting').text, 'max_wal_senders = 10');
      await holder.close();
      await server.addSettings({ max_wal_senders: 2 });
      await server.restart();
      await assertHealthy(server);
      await server.addSettings({ max_replication_slots: 0 });
      await server.restart();
      onlyError(await check(server), 'replication.no-slot');
      const connection = await openReplicationConnection(profileOf(server), operation());
      await assert.rejects(connection.createTemporarySlot('x'), (error) =>
        isPointbackError(error, 'replication.no-slot'),
      );
      await connection.close();
      await server.addSettings({ max_wal_senders: 10, max_replication_slots: 10 });
    });

    it('explains wal_level=minimal, with both settings to change', async () => {
      await setHba('host all,replication backup 127.0.0.1/32 scram-sha-256');
      await server.addSettings({ wal_level: 'minimal', max_wal_senders: 0 });
      await server.restart();
      const finding = onlyError(await check(server), 'replication.wal-level');
      const settings = (finding.fix ?? []).filter(({ kind }) => kind === 'setting').map(({ text }) => text);
      assert.deepEqual(settings, ['wal_level = replica', 'max_wal_senders = 10']);
      const file = join(server.dataDirectory, 'postgresql.conf');
      await writeFile(file, `${await readFile(file, 'utf8')}${settings.join('\n')}\n`);
      await server.restart();
      await assertHealthy(server);
    });

    const hasIdleSessionTimeout = major >= 14;
    if (hasIdleSessionTimeout) {
      it('is not ended by idle_session_timeout', async () => {
        await setHba('host all,replication backup 127.0.0.1/32 scram-sha-256');
        await server.addSettings({ idle_session_timeout: '7min' });
        server.reload();
        const connection = await openReplicationConnection(profileOf(server), operation());
        assert.equal(await connection.show('idle_session_timeout'), '0');
        await connection.close();
      });
    }
  });
}
