import type { Finding, Fix } from '../../api/check.ts';
import type { PointbackError } from '../../api/errors.ts';
import { addressChoices, type AddressChoice } from './clientAddress.ts';
import type { Evidence } from './evidence.ts';
import { hbaLine, sqlName, type HbaAdmission } from './hbaLine.ts';

/** The replication connection was turned away by pg_hba.conf. */
export function replicationHbaFindings(evidence: Evidence, error: PointbackError): Finding[] {
  const { profile, sql } = evidence;
  if (evidence.encryptedIsAdmitted) {
    return [
      {
        code: 'tls.required-by-server',
        severity: 'error',
        text: `The server admits role "${profile.user}" to replication connections with TLS only, and sslmode=${profile.sslMode} asked for none.`,
        fix: [{ kind: 'none', text: 'Use sslmode=require, or verify-full with the root certificate.' }],
      },
    ];
  }
  const from = addressOf(evidence, error);
  const encrypted = error.details?.['encryption'] === 'tls';
  const text =
    `No line of the server's pg_hba.conf admits role "${profile.user}" to replication connections from ` +
    `${from?.address ?? 'a local socket'} ${encrypted ? 'with' : 'without'} TLS ("all" in the database field does not ` +
    'cover them), or a line with "reject" stands before the one that would.' +
    (from !== undefined && !from.seenByServer
      ? ' The address is the one this machine knows; behind address translation the server sees another one, which its log tells.'
      : '');
  return [
    {
      code: 'replication.no-hba-line',
      severity: 'error',
      text,
      fix: linesFor(evidence, error, { keyword: 'replication' }),
    },
    ...withoutPassword(evidence),
    ...(sql.facts?.brokenHbaLines.length ? [brokenFile(evidence)] : []),
  ];
}

/** The SQL connection was turned away by pg_hba.conf: no obstacle to physical backups. */
export function sqlHbaFinding(evidence: Evidence, error: PointbackError): Finding {
  const { user, database } = evidence.profile;
  return {
    code: 'authentication.no-hba-line',
    severity: 'info',
    text:
      `No line of pg_hba.conf admits role "${user}" to database "${database}" over SQL, or a line rejects it. Physical ` +
      'backups do without; this check sees less of the server, and dumps need it.',
    fix: linesFor(evidence, error, { name: database }),
  };
}

function linesFor(evidence: Evidence, error: PointbackError, database: HbaAdmission['database']): Fix[] {
  const { profile, sql } = evidence;
  const choices = choicesFor(evidence, error);
  const encrypted = error.details?.['encryption'] === 'tls';
  const method = methodFor(evidence);
  const place =
    sql.facts?.hbaFile ??
    "the server's pg_hba.conf (a superuser's SHOW hba_file tells where; in the Docker image it is $PGDATA/pg_hba.conf)";
  const common = {
    database,
    user: profile.user,
    method,
    serverMajor: sql.facts === undefined ? undefined : Math.floor(sql.facts.versionNumber / 10000),
  };
  const then =
    'Reload as a superuser: SELECT pg_reload_conf(); or, for a container: docker kill -s HUP CONTAINER' +
    (sql.facts === undefined && method === 'scram-sha-256'
      ? '. If the password was set on a server older than 14, it may be stored as MD5: then write md5 in place of scram-sha-256'
      : '');
  return choices.map((choice) => ({
    kind: 'pg_hba-line',
    text: hbaLine({
      ...common,
      type: choice === undefined ? 'local' : encrypted ? 'hostssl' : 'host',
      address: choice?.cidr,
    }),
    where:
      `${place}: at the top, so that it stands before any line that rejects` +
      (choice?.covers === 'container-network' ? '. It covers the whole network of the containers' : ''),
    then,
  }));
}

interface SeenAddress {
  readonly address: string;
  readonly seenByServer: boolean;
}

/** `inet_client_addr()` where SQL works, else the address in the refusal, else what this machine knows. */
function addressOf({ sql }: Evidence, error: PointbackError): SeenAddress | undefined {
  const seen = sql.facts?.clientAddress;
  if (typeof seen === 'string') return { address: seen, seenByServer: true };
  const address = error.details?.['clientAddress'];
  if (typeof address !== 'string') return undefined;
  return { address, seenByServer: error.details?.['clientAddressSeenByServer'] === true };
}

/** One undefined choice for a Unix-domain socket. */
function choicesFor(evidence: Evidence, error: PointbackError): readonly (AddressChoice | undefined)[] {
  const from = addressOf(evidence, error);
  if (from === undefined) return [undefined];
  return addressChoices({
    client: from.address,
    server: evidence.sql.facts?.serverAddress ?? undefined,
    connectedTo: evidence.sql.connectedTo,
    inContainer: evidence.inContainer,
  });
}

/**
 * A method the role can pass: `md5` takes both kinds of stored password, `scram-sha-256` only its own. Without knowledge
 * the better one.
 */
function methodFor({ sql }: Evidence): string {
  const { facts, asked } = sql;
  const secret = facts?.role.secret;
  if (asked === 'md5' || secret === 'md5') return 'md5';
  if (secret === 'scram-sha-256') return 'scram-sha-256';
  return facts?.passwordEncryption === 'md5' ? 'md5' : 'scram-sha-256';
}

/** The line to add asks for a password: a role that came in without one may have none. */
function withoutPassword({ profile, sql }: Evidence): Finding[] {
  if (sql.asked !== 'none' || sql.facts === undefined || profile.password !== undefined) return [];
  if (sql.facts.role.secret !== 'none' && sql.facts.role.secret !== 'unknown') return [];
  return [
    {
      code: 'authentication.password-missing',
      severity: 'warning',
      text: `SQL connections get in without a password, and the line above asks role "${profile.user}" for one.`,
      fix: [
        {
          kind: 'sql',
          text: `ALTER ROLE ${sqlName(profile.user)} PASSWORD 'CHOOSE ONE';`,
          where: 'As a superuser, if the role has none',
          then: 'Put the password into ~/.pgpass (chmod 600), a password file, or PGPASSWORD',
        },
      ],
    },
  ];
}

function brokenFile({ sql }: Evidence): Finding {
  const lines = sql.facts?.brokenHbaLines ?? [];
  const list = lines.map(({ line, error }) => (error === null ? `line ${line}` : `line ${line} (${error})`)).join(', ');
  return {
    code: 'hba.file-broken',
    severity: 'warning',
    text: `pg_hba.conf as it is on disk has an error in ${list}. The server goes on with the lines it loaded before, and takes none of the new ones.`,
    fix: [{ kind: 'none', text: 'Correct that first, then reload.', where: sql.facts?.hbaFile ?? 'pg_hba.conf' }],
  };
}
