import { test } from 'node:test';
import type { CheckReport } from '../../../server/src/api/check.ts';
import { PointbackError } from '../../../server/src/api/errors.ts';
import { checkLines } from '../../../server/src/cli/checkText.ts';
import { backupLines } from '../../../server/src/cli/commands/backup.ts';
import { listLines } from '../../../server/src/cli/commands/list.ts';
import { verificationLines } from '../../../server/src/cli/commands/verify.ts';
import { previewLines } from '../../../server/src/cli/deletionText.ts';
import { outcomeLines, planLines } from '../../../server/src/cli/restoreText.ts';
import type { Style } from '../../../server/src/cli/terminal.ts';
import type { RestorePlan } from '../../../server/src/engine/restore/restorePlan.ts';
import type { VerificationRecord } from '../../../server/src/repository/backupRecord.ts';
import { matchesGolden } from './golden.ts';
import { sampleBackup, sampleRepository } from './samples.ts';

process.env['TZ'] = 'UTC';

const now = new Date('2026-11-22T14:30:00Z');
const plain: Style = (_style, text) => text;
const session = { now: () => now, style: plain, width: undefined };

test('check: findings with marks, words, and fixes to copy', async () => {
  const report: CheckReport = {
    instance: 'shop',
    endpoint: 'db.example.com:5432',
    serverVersion: '17.2 (Debian 17.2-1.pgdg120+1)',
    role: 'primary',
    ok: false,
    findings: [
      {
        code: 'replication.no-hba-line',
        severity: 'error',
        text: 'pg_hba.conf has no line that lets backup connect for replication.',
        fix: [
          {
            kind: 'pg_hba-line',
            text: 'hostssl replication backup 10.0.0.5/32 scram-sha-256',
            where: '/etc/postgresql/17/main/pg_hba.conf, before line 92',
            then: 'SELECT pg_reload_conf();',
          },
        ],
      },
      {
        code: 'wal.level',
        severity: 'warning',
        text: 'Something to think about.',
        fix: [
          { kind: 'sql', text: 'ALTER SYSTEM SET a = 1;\nSELECT pg_reload_conf();', where: 'as superuser' },
          { kind: 'none', text: 'Or leave it.' },
        ],
      },
      { code: 'server.standby', severity: 'info', text: 'It is a primary.' },
      { code: 'tls', severity: 'ok', text: 'The connection is encrypted.' },
    ],
  };
  await matchesGolden('check', checkLines(report, plain));
  await matchesGolden('check-ok', checkLines({ ...report, ok: true, findings: report.findings.slice(3) }, plain));
});

test('list: a table for each instance', async () => {
  const record = {
    format: 1 as const,
    name: 'shop',
    systemIdentifier: '7550000000000000001',
    major: 18,
    walSegmentSize: 16777216,
    createdAt: '2026-11-20T00:00:00.000Z',
  };
  const listed = [
    {
      name: 'shop',
      record,
      backups: [
        {
          record: sampleBackup({
            id: '20261122T142930.000Z-full',
            startedAt: '2026-11-22T14:29:30.000Z',
            finishedAt: now.toISOString(),
            label: 'evil \x1b[2J',
          }),
          state: 'unproven' as const,
        },
        { record: sampleBackup(), state: 'consistent' as const, stateAt: '2026-11-22T12:00:00.000Z' },
        {
          record: sampleBackup({
            id: '20261120T110052.123Z-full',
            startedAt: '2026-11-20T11:00:52.123Z',
            finishedAt: '2026-11-20T11:01:00.000Z',
          }),
          state: 'broken' as const,
          stateAt: '2026-11-21T11:00:00.000Z',
          stateReason: 'base/1/1259 differs from its checksum. (and 3 more)',
        },
      ],
    },
    { name: 'my blog', record: undefined, backups: [] },
  ];
  const damage = new PointbackError('repository.damaged', {
    message: 'old/instance.json is damaged.',
    remedy: 'Restore it.',
  });
  await matchesGolden('list', listLines(listed, [damage], '/mnt/backups', session));
  await matchesGolden('list-narrow', listLines(listed.slice(0, 1), [], '/mnt/backups', { ...session, width: 60 }));
  await matchesGolden('list-80', listLines(listed.slice(0, 1), [], '/mnt/backups', { ...session, width: 80 }));
  await matchesGolden('list-empty', listLines([], [], '/mnt/backups', session));
});

test('backup: what was taken, and what a broken one means', async () => {
  const outcome = { record: sampleBackup(), state: 'unproven' as const, problems: [], durationMs: 72_500 };
  await matchesGolden('backup', backupLines('my shop', outcome, plain));
  const problems = [
    { code: 'page-checksum', subject: 'server', message: 'checksum verification failed in base/5/2619' },
  ];
  await matchesGolden('backup-broken', backupLines('shop', { ...outcome, state: 'broken', problems }, plain));
});

test('verify: passed and failed, the first of many problems', async () => {
  const verification: VerificationRecord = {
    format: 1,
    at: now.toISOString(),
    outcome: 'passed',
    by: 'verify',
    writtenBy: '0.1.0',
    durationMs: 12_000,
    files: 1204,
    bytes: 3_500_000_000,
    problems: [],
    problemCount: 0,
  };
  const problems = Array.from({ length: 30 }, (_, index) => ({
    code: 'file-changed',
    subject: `base/5/${index}`,
    message: 'its checksum differs',
  }));
  await matchesGolden('verify', [
    ...verificationLines({ record: sampleBackup(), verification }, plain),
    ...verificationLines(
      { record: sampleBackup(), verification: { ...verification, outcome: 'failed', problems, problemCount: 2000 } },
      plain,
    ),
  ]);
});

const smallPlan: RestorePlan = {
  repository: sampleRepository(),
  instance: 'shop',
  backup: sampleBackup(),
  state: 'consistent',
  targetDirectory: '/srv/copy',
  tablespaces: [],
  bytesToWrite: 3_500_000_000,
  freeBytes: 120_000_000_000,
  port: 54321,
  warnings: [],
};
const plan: RestorePlan = {
  ...smallPlan,
  tablespaces: [{ oid: 16392, from: '/ssd/ts1', to: '/srv/copy-tablespaces/16392' }],
  owner: { uid: 101, gid: 101, name: 'postgres' },
  start: {
    port: 54321,
    promote: true,
    method: { kind: 'binaries', directory: '/usr/lib/postgresql/18/bin', version: '18.4' },
  },
  warnings: ['Configuration files outside the data directory were not captured; plain ones are generated.'],
};

test('restore: the plan and the outcome', async () => {
  await matchesGolden('restore-plan', planLines(plan, plain, now));
  await matchesGolden('restore-plan-small', planLines(smallPlan, plain, now));
  const outcome = { plan, writtenBytes: 3_500_000_000, durationMs: 30_000 };
  const started = {
    port: 54321,
    url: 'postgresql://postgres@127.0.0.1:54321/postgres',
    promoted: true,
    reachedLsn: '0/2000120',
    durationMs: 2_100,
    stopCommand: '/usr/lib/postgresql/18/bin/pg_ctl stop -D /srv/copy',
  };
  await matchesGolden('restore', outcomeLines({ ...outcome, started }, plain));
  await matchesGolden('restore-not-started', outcomeLines({ ...outcome, plan: smallPlan }, plain));
});

test('delete: what is lost', async () => {
  const backup = { record: sampleBackup(), state: 'consistent' as const, stateAt: '2026-11-22T12:00:00.000Z' };
  const deletion = {
    repository: sampleRepository(),
    instance: 'shop',
    backup,
    freedBytes: 1_460_000_000,
    isNewestRestorable: true,
  };
  await matchesGolden('delete-newest', previewLines(deletion, now));
  const newestLeft = { record: sampleBackup({ id: '20261122T130000.000Z-full' }), state: 'unproven' as const };
  await matchesGolden('delete', previewLines({ ...deletion, isNewestRestorable: false, newestLeft }, now));
});
