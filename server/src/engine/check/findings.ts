import type { Finding, Fix } from '../../api/check.ts';
import type { ErrorCode, PointbackError } from '../../api/errors.ts';
import { endpointOf, type ConnectionProfile } from '../../postgres/connectionProfile.ts';
import type { Evidence } from './evidence.ts';
import { replicationHbaFindings, sqlHbaFinding } from './hbaFindings.ts';
import { sqlName } from './hbaLine.ts';
import {
  managedService,
  noReplicationSlot,
  noWalSender,
  passwordOnlyFitsSql,
  poolerInBetween,
  roleLacksReplication,
  walLevelMinimal,
} from './replicationFindings.ts';
import { isTooOld, managedServiceOf, serverFindings } from './serverFindings.ts';

const weight = { error: 0, warning: 1, ok: 2, info: 3 } as const;

/** What the evidence says, most important first. Pure. */
export function findingsOf(evidence: Evidence): Finding[] {
  const findings = [...connectionFindings(evidence), ...serverFindings(evidence)];
  return findings.toSorted((one, other) => weight[one.severity] - weight[other.severity]);
}

function connectionFindings(evidence: Evidence): Finding[] {
  const { sql, replication } = evidence;
  if (replication === undefined) return sql.error === undefined ? [] : [problem(evidence, sql.error, 'error')];
  return [...replicationFindings(evidence), ...sqlFindings(evidence)];
}

function replicationFindings(evidence: Evidence): Finding[] {
  const { sql, replication } = evidence;
  const error = replication?.error;
  if (error === undefined) {
    const slots = noReplicationSlot(evidence);
    if (slots.length > 0 || isTooOld(evidence)) return slots;
    return [
      {
        code: 'replication.works',
        severity: 'ok',
        text: `Physical backups work: role "${evidence.profile.user}" got the two replication connections they need.`,
      },
    ];
  }
  const service = managedServiceOf(evidence);
  if (service !== undefined && unfixableInService.has(error.code)) return [managedService(service)];
  // The server stops at the first obstacle; what SQL tells of the next ones saves the user a round each.
  const next = [
    ...(sql.facts !== undefined && !sql.facts.role.replication ? [roleLacksReplication(evidence)] : []),
    ...(sql.facts?.walLevel === 'minimal' ? [walLevelMinimal()] : []),
    ...noReplicationSlot(evidence),
  ];
  const first = replicationProblems[error.code]?.(evidence, error) ?? [problem(evidence, error, 'error')];
  return [...first, ...next.filter(({ code }) => !first.some((finding) => finding.code === code))];
}

/** Refusals that a user of a managed service cannot do anything about. */
const unfixableInService = new Set<ErrorCode>([
  'replication.no-hba-line',
  'replication.role-lacks-replication',
  'replication.no-walsender',
  'replication.no-slot',
  'replication.wal-level',
  'pooler.in-between',
  'server.refused',
]);

type Explanation = (evidence: Evidence, error: PointbackError) => Finding[];

/** Failures of the replication connection that have words of their own; the others are told in their error's. */
const replicationProblems: Partial<Record<ErrorCode, Explanation>> = {
  'replication.no-hba-line': replicationHbaFindings,
  'replication.role-lacks-replication': (evidence) => [roleLacksReplication(evidence)],
  'replication.no-walsender': (evidence) => [
    evidence.sql.facts?.walLevel === 'minimal' ? walLevelMinimal() : noWalSender(evidence),
  ],
  'pooler.in-between': (evidence, error) => [poolerInBetween(evidence, error)],
  'authentication.password': passwordProblem,
  'authentication.password-missing': passwordProblem,
};

function passwordProblem(evidence: Evidence, error: PointbackError): Finding[] {
  return [evidence.sql.facts === undefined ? problem(evidence, error, 'error') : passwordOnlyFitsSql(evidence, error)];
}

/** An SQL connection is not needed for a physical backup, so that its lack is worth less than an error. */
function sqlFindings(evidence: Evidence): Finding[] {
  const { sql, replication } = evidence;
  const { error } = sql;
  if (error === undefined || error.code === replication?.error?.code) return [];
  if (error.code === 'authentication.no-hba-line') return [sqlHbaFinding(evidence, error)];
  const severity = replication?.error === undefined || sql.facts !== undefined ? 'info' : 'warning';
  const finding = problem(evidence, error, severity);
  return [{ ...finding, text: `${finding.text} Physical backups need no SQL connection, but dumps do.` }];
}

/** A failure told in the words of its error, with what to enter where it can be said exactly. */
function problem(evidence: Evidence, error: PointbackError, severity: Finding['severity']): Finding {
  return {
    code: error.code,
    severity,
    text: error.message,
    fix: [...(exactFixes[error.code]?.(evidence.profile, error) ?? []), advice(error)],
  };
}

function advice(error: PointbackError): Fix {
  return { kind: 'none', text: error.remedy };
}

const asSuperuser = { kind: 'sql', where: 'As a superuser, in any database' } as const;

/** What to enter, for failures where it can be said exactly. */
const exactFixes: Partial<Record<ErrorCode, (profile: ConnectionProfile, error: PointbackError) => Fix[]>> = {
  'authentication.role': ({ user }, error) => {
    const login: Fix = { ...asSuperuser, text: `ALTER ROLE ${sqlName(user)} LOGIN;` };
    // Whoever is asked for a password and then turned away exists; without a password it may be either.
    if (error.details?.['asked'] !== 'none') return [login];
    return [
      {
        ...asSuperuser,
        text: `CREATE ROLE ${sqlName(user)} LOGIN REPLICATION PASSWORD 'CHOOSE ONE';`,
        where: 'As a superuser, if there is no such role yet',
      },
      { ...login, where: 'As a superuser, if there is' },
    ];
  },
  'authentication.password': ({ user }) => [
    {
      ...asSuperuser,
      text: `SELECT rolname, rolcanlogin, rolvaliduntil FROM pg_roles WHERE rolname = '${user.replaceAll("'", "''")}';`,
      where: 'As a superuser: it tells whether the role is there and until when its password is valid',
    },
  ],
  'tls.certificate': (profile) => [
    {
      kind: 'command',
      text: `openssl s_client -starttls postgres -showcerts -connect ${endpointOf(profile)} </dev/null`,
      where: 'It shows the certificates the server sends',
      then: 'Compare them with the ones its administrator names before trusting them as ~/.postgresql/root.crt',
    },
  ],
  'tls.refused-by-server': () => [
    {
      kind: 'setting',
      text: 'ssl = on',
      where: 'postgresql.conf, with ssl_cert_file and ssl_key_file',
      then: 'SELECT pg_reload_conf(); as a superuser',
    },
  ],
};
