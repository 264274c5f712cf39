import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorTable } from '../../../../server/src/api/errorTable.ts';
import { PointbackError } from '../../../../server/src/api/errors.ts';
import { errorOfReport, reportOf } from '../../../../server/src/engine/check/checkInstance.ts';
import type { Evidence, SqlEvidence } from '../../../../server/src/engine/check/evidence.ts';
import type { ServerFacts } from '../../../../server/src/engine/check/serverFacts.ts';
import { connectionProfile } from '../../../../server/src/postgres/connectionProfile.ts';

const facts: ServerFacts = {
  versionNumber: 170002,
  version: '17.2 (Debian 17.2-1.pgdg120+1)',
  inRecovery: false,
  clientAddress: '172.18.0.1',
  serverAddress: '172.18.0.2',
  serverPort: 5432,
  walLevel: 'replica',
  maxWalSenders: 10,
  walSendersInUse: 0,
  maxReplicationSlots: 10,
  replicationSlots: 0,
  passwordEncryption: 'scram-sha-256',
  dataChecksums: true,
  fullPageWrites: true,
  role: {
    name: 'backup',
    superuser: false,
    replication: true,
    validUntil: null,
    expired: false,
    expiresSoon: false,
    secret: 'unknown',
  },
  hbaFile: '/var/lib/postgresql/data/pg_hba.conf',
  managedRoles: [],
  brokenHbaLines: [],
};

const sql: SqlEvidence = { facts, database: 'postgres', tls: false, asked: 'scram-sha-256', connectedTo: '127.0.0.1' };

const evidence = (changes: Partial<Evidence> = {}): Evidence => ({
  profile: connectionProfile({ host: 'localhost', user: 'backup' }, {}),
  sql,
  replication: { opened: 2, versionNumber: facts.versionNumber, version: facts.version },
  encryptedIsAdmitted: false,
  inContainer: false,
  ...changes,
});

const refused = (code: 'replication.no-hba-line' | 'pooler.in-between', encryption = 'plain'): Partial<Evidence> => ({
  replication: { opened: 0, error: new PointbackError(code, { message: 'x', details: { encryption } }) },
});

describe('a server in a container with its port published', () => {
  it('gets the line of the issue, with the network and then the single address', () => {
    const report = reportOf(evidence(refused('replication.no-hba-line')));
    const fixes = report.findings[0]?.fix ?? [];
    assert.deepEqual(
      fixes.map(({ text }) => text),
      [
        'host  replication  backup  172.18.0.0/16  scram-sha-256',
        'host  replication  backup  172.18.0.1/32  scram-sha-256',
      ],
    );
    assert.match(
      fixes[0]?.where ?? '',
      /^\/var\/lib\/postgresql\/data\/pg_hba\.conf: .*whole network of the containers/,
    );
    assert.match(fixes[0]?.then ?? '', /docker kill -s HUP CONTAINER/);
  });

  it('gets a hostssl line when the connection was encrypted', () => {
    const report = reportOf(evidence(refused('replication.no-hba-line', 'tls')));
    assert.equal(report.findings[0]?.fix?.[0]?.text, 'hostssl  replication  backup  172.18.0.0/16  scram-sha-256');
  });
});

describe('versions', () => {
  const codes = (versionNumber: number): string[] =>
    reportOf(evidence({ sql: { ...sql, facts: { ...facts, versionNumber } } })).findings.map(({ code }) => code);
  it('from 13 to 18 work', () => {
    for (const number of [130000, 130023, 180004]) assert.deepEqual(codes(number), ['replication.works']);
  });
  it('before 13 do not', () => {
    assert.deepEqual(codes(120022), ['server.version-unsupported']);
    assert.equal(reportOf(evidence({ sql: {}, replication: { opened: 2, versionNumber: 120022 } })).ok, false);
  });
  it('after 18 may', () => {
    assert.deepEqual(codes(190000), ['server.version-newer', 'replication.works']);
  });
});

describe('managed services', () => {
  it('are known by their hosts where nothing can be asked', () => {
    const profile = connectionProfile({ host: 'x.rds.amazonaws.com', user: 'backup' }, {});
    const report = reportOf(evidence({ profile, sql: {}, ...refused('replication.no-hba-line') }));
    assert.equal(report.findings[0]?.code, 'managed.no-physical-backup');
    const pooled = reportOf(evidence({ profile, sql: {}, ...refused('pooler.in-between') }));
    assert.equal(pooled.findings[0]?.code, 'managed.no-physical-backup');
  });
  it('are not accused when backups work', () => {
    const report = reportOf(evidence({ sql: { ...sql, facts: { ...facts, managedRoles: ['rds_superuser'] } } }));
    assert.deepEqual([report.ok, report.findings.map(({ code }) => code)], [true, ['replication.works']]);
  });
});

it('errors of a report have a code of the table, and the fix as remedy', () => {
  const error = errorOfReport(reportOf(evidence(refused('replication.no-hba-line'))));
  assert.ok(error !== undefined && Object.hasOwn(errorTable, error.code));
  assert.match(
    error.remedy,
    /^Add this line: host {2}replication {2}backup {2}172\.18\.0\.0\/16 {2}scram-sha-256\nWhere: /,
  );
  assert.equal(errorOfReport(reportOf(evidence())), undefined);
});

it('data checksums that are off are worth a word, not an error', () => {
  const report = reportOf(evidence({ sql: { ...sql, facts: { ...facts, dataChecksums: false } } }));
  assert.equal(report.ok, true);
  assert.deepEqual(
    report.findings.map(({ code, severity }) => [code, severity]),
    [
      ['replication.works', 'ok'],
      ['server.no-checksums', 'info'],
    ],
  );
});
