import type { Finding } from '../../api/check.ts';
import type { Evidence } from './evidence.ts';
import { sqlName } from './hbaLine.ts';
import { managedServiceRoles } from './serverFacts.ts';

const oldestMajor = 13;
const newestMajor = 18;

/** What else is worth knowing about the server and the role, whether or not it can be backed up. */
export function serverFindings(evidence: Evidence): Finding[] {
  return [...versionFindings(evidence), ...roleFindings(evidence), ...durabilityFindings(evidence)];
}

/** Whether the server is older than what can be backed up. */
export function isTooOld(evidence: Evidence): boolean {
  return (majorOf(evidence) ?? oldestMajor) < oldestMajor;
}

/** The major version, from whichever connection worked. */
function majorOf({ sql, replication }: Evidence): number | undefined {
  const number = sql.facts?.versionNumber ?? replication?.versionNumber;
  return number === undefined ? undefined : Math.floor(number / 10000);
}

function versionFindings(evidence: Evidence): Finding[] {
  const major = majorOf(evidence);
  if (major === undefined || (major >= oldestMajor && major <= newestMajor)) return [];
  if (major < oldestMajor) {
    return [
      {
        code: 'server.version-unsupported',
        severity: 'error',
        text: `The server is PostgreSQL ${major}; physical backups work from ${oldestMajor} on.`,
        fix: [{ kind: 'none', text: 'Upgrade the server; until then take dumps: pointback dump.' }],
      },
    ];
  }
  return [
    {
      code: 'server.version-newer',
      severity: 'warning',
      text: `The server is PostgreSQL ${major}, newer than what this Pointback was tested with (${oldestMajor} to ${newestMajor}).`,
      fix: [{ kind: 'none', text: 'Look for a newer Pointback, and prove the first backup with a restore drill.' }],
    },
  ];
}

function roleFindings({ sql }: Evidence): Finding[] {
  const role = sql.facts?.role;
  if (role === undefined || !role.expiresSoon || role.validUntil === null) return [];
  return [
    {
      code: 'role.password-expires',
      severity: 'warning',
      text: role.expired
        ? `The password of role "${role.name}" expired on ${role.validUntil}: where pg_hba.conf asks for it, it counts as wrong.`
        : `The password of role "${role.name}" expires on ${role.validUntil}; backups fail from then on.`,
      fix: [{ kind: 'sql', text: `ALTER ROLE ${sqlName(role.name)} VALID UNTIL 'infinity';`, where: 'As a superuser' }],
    },
  ];
}

function durabilityFindings({ sql }: Evidence): Finding[] {
  const { facts } = sql;
  if (facts === undefined) return [];
  const findings: Finding[] = [];
  if (facts.inRecovery && facts.fullPageWrites === false) {
    findings.push({
      code: 'server.full-page-writes-off',
      severity: 'warning',
      text: 'The primary of this standby runs with full_page_writes=off. A backup from the standby fails as soon as it meets such WAL.',
      fix: [
        {
          kind: 'setting',
          text: 'full_page_writes = on',
          where: 'postgresql.conf of the primary, or with ALTER SYSTEM as a superuser',
          then: 'SELECT pg_reload_conf(); on the primary',
        },
      ],
    });
  }
  if (!facts.dataChecksums) {
    findings.push({
      code: 'server.no-checksums',
      severity: 'info',
      text: 'The cluster has no data checksums: damage on its disks goes into backups unnoticed.',
      fix: [
        {
          kind: 'command',
          text: 'pg_checksums --enable --pgdata DATADIRECTORY',
          where: "On the server's machine, as its own user, while the server is shut down",
        },
      ],
    });
  }
  return findings;
}

/** Host names that only managed services have. */
const managedHosts: readonly (readonly [suffix: string, service: string])[] = [
  ['.rds.amazonaws.com', 'Amazon RDS or Aurora'],
  ['.postgres.database.azure.com', 'Azure Database for PostgreSQL'],
  ['.neon.tech', 'Neon'],
  ['.supabase.co', 'Supabase'],
  ['.supabase.com', 'Supabase'],
  ['.aivencloud.com', 'Aiven'],
  ['.db.ondigitalocean.com', 'DigitalOcean Managed Databases'],
  ['.tsdb.cloud.timescale.com', 'Timescale Cloud'],
];

/** The managed service a server belongs to, by its roles or its host name. */
export function managedServiceOf({ profile, sql }: Evidence): string | undefined {
  const [role] = sql.facts?.managedRoles ?? [];
  if (role !== undefined) return managedServiceRoles[role];
  const host = profile.host.toLowerCase().replace(/\.$/, '');
  return managedHosts.find(([suffix]) => host.endsWith(suffix))?.[1];
}
