import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../../server/src/api/errors.ts';
import { classifyRefusal } from '../../../server/src/postgres/serverError.ts';
import { encryptionAttempts } from '../../../server/src/postgres/tls.ts';

describe('refused connections are told apart by SQLSTATE and routine', () => {
  const cases: [sqlstate: string | undefined, routine: string | undefined, sql: ErrorCode, replication: ErrorCode][] = [
    ['28000', 'ClientAuthentication', 'authentication.no-hba-line', 'replication.no-hba-line'],
    ['28000', 'auth_failed', 'authentication.refused', 'authentication.refused'],
    ['28000', 'InitializeSessionUserId', 'authentication.role', 'authentication.role'],
    ['28000', undefined, 'pooler.in-between', 'pooler.in-between'],
    ['28P01', 'auth_failed', 'authentication.password', 'authentication.password'],
    ['28P01', undefined, 'authentication.password', 'authentication.password'],
    ['42501', 'InitPostgres', 'connection.database-denied', 'replication.role-lacks-replication'],
    ['3D000', 'InitPostgres', 'connection.database-missing', 'pooler.in-between'],
    ['53300', 'InitProcess', 'server.too-many-connections', 'replication.no-walsender'],
    ['53300', 'InitPostgres', 'server.too-many-connections', 'server.too-many-connections'],
    ['57P03', 'ProcessStartupPacket', 'server.starting-up', 'server.starting-up'],
    ['08P01', undefined, 'pooler.in-between', 'pooler.in-between'],
    ['08P01', 'ProcessStartupPacket', 'server.refused', 'server.refused'],
    [undefined, undefined, 'pooler.in-between', 'pooler.in-between'],
  ];
  for (const [sqlstate, routine, sql, replication] of cases) {
    it(`${sqlstate ?? 'no SQLSTATE'} from ${routine ?? 'nowhere'}`, () => {
      assert.equal(classifyRefusal({ sqlstate, routine, kind: 'sql' }), sql);
      assert.equal(classifyRefusal({ sqlstate, routine, kind: 'replication' }), replication);
    });
  }
});

it('sslmodes try encryption in the order libpq does', () => {
  assert.deepEqual(encryptionAttempts('disable', 'h'), ['plain']);
  assert.deepEqual(encryptionAttempts('allow', 'h'), ['plain', 'tls']);
  assert.deepEqual(encryptionAttempts('prefer', 'h'), ['tls', 'plain']);
  for (const mode of ['require', 'verify-ca', 'verify-full'] as const)
    assert.deepEqual(encryptionAttempts(mode, 'h'), ['tls']);
  assert.deepEqual(encryptionAttempts('require', '/run/postgresql'), ['plain']);
});
