import type { Finding, Fix } from '../../api/check.ts';
import type { PointbackError } from '../../api/errors.ts';
import type { Evidence } from './evidence.ts';
import { sqlName } from './hbaLine.ts';

const restart = 'Restart the server (a container: docker restart CONTAINER)';

function setting(text: string): Fix {
  return { kind: 'setting', text, where: 'postgresql.conf, or with ALTER SYSTEM as a superuser', then: restart };
}

/** The role cannot open replication connections. */
export function roleLacksReplication({ profile }: Evidence): Finding {
  return {
    code: 'replication.role-lacks-replication',
    severity: 'error',
    text: `The role "${profile.user}" lacks the REPLICATION attribute, which physical backups need. With it a role can copy the whole cluster, so take one made for backups.`,
    fix: [
      {
        kind: 'sql',
        text: `ALTER ROLE ${sqlName(profile.user)} REPLICATION;`,
        where: 'As a superuser, in any database',
      },
    ],
  };
}

/** The server writes too little WAL; max_wal_senders is 0 then, since it would not start otherwise. */
export function walLevelMinimal(): Finding {
  return {
    code: 'replication.wal-level',
    severity: 'error',
    text: 'The server runs with wal_level=minimal, which writes too little WAL for a physical backup.',
    fix: [setting('wal_level = replica'), setting('max_wal_senders = 10')],
  };
}

/** A backup needs two replication connections: one for the data, one that holds the WAL. */
export function noWalSender({ sql, replication }: Evidence): Finding {
  const opened = replication?.opened ?? 0;
  const { facts } = sql;
  const have = opened === 1 ? 'only one is' : 'none is';
  // Our own second connection was among those counted in no case: the count was taken before.
  const numbers =
    facts === undefined ? '' : ` max_wal_senders is ${facts.maxWalSenders}, and ${facts.walSendersInUse} are in use.`;
  const raised = Math.max(10, (facts?.maxWalSenders ?? 0) + 2);
  return {
    code: 'replication.no-walsender',
    severity: 'error',
    text:
      `A backup needs two replication connections (WAL senders), and ${have} free.${numbers}` +
      (facts === undefined ? ' With wal_level=minimal there are none at all; then set wal_level = replica, too.' : ''),
    fix: [
      setting(`max_wal_senders = ${raised}`),
      {
        kind: 'sql',
        text: 'SELECT pid, usename, application_name, client_addr, state FROM pg_stat_replication;',
        where: 'As a superuser: it tells who uses them',
        then: 'End what is not needed: SELECT pg_terminate_backend(PID);',
      },
    ],
  };
}

/** A backup holds its WAL with a temporary slot; on 13 to 18 slots are counted like any other. */
export function noReplicationSlot({ sql }: Evidence): Finding[] {
  const { facts } = sql;
  if (facts === undefined || facts.walLevel === 'minimal') return [];
  if (facts.replicationSlots < facts.maxReplicationSlots) return [];
  return [
    {
      code: 'replication.no-slot',
      severity: 'error',
      text: `A backup needs a replication slot for its time, and none is free: max_replication_slots is ${facts.maxReplicationSlots}, and ${facts.replicationSlots} are there.`,
      fix: [
        setting(`max_replication_slots = ${Math.max(10, facts.maxReplicationSlots + 2)}`),
        {
          kind: 'sql',
          text: 'SELECT slot_name, slot_type, active, restart_lsn FROM pg_replication_slots;',
          where: 'In any database: one that is abandoned also keeps WAL from being removed',
          then: "Drop what is not needed: SELECT pg_drop_replication_slot('NAME');",
        },
      ],
    },
  ];
}

/** PgBouncer and its like pass no replication connections on, or not as they are set up. */
export function poolerInBetween({ sql, profile }: Evidence, error: PointbackError): Finding {
  const { facts } = sql;
  const own =
    facts?.serverAddress == null || facts.serverPort === null
      ? undefined
      : `${facts.serverAddress.includes(':') ? `[${facts.serverAddress}]` : facts.serverAddress}:${facts.serverPort}`;
  const said = error.details?.['serverSaid'];
  return {
    code: 'pooler.in-between',
    severity: 'error',
    text:
      'What answers is not PostgreSQL itself but a pooler or proxy in front of it (PgBouncer, say), and it does not pass ' +
      `replication connections on.${typeof said === 'string' ? ` It said: ${said}` : ''}`,
    fix: [
      ...(own === undefined
        ? []
        : [
            {
              kind: 'command',
              text: `postgresql://${encodeURIComponent(profile.user)}@${own}`,
              where: "As the instance's url, if this machine reaches the address: the server behind says it is there",
            } as const,
          ]),
      {
        kind: 'none',
        text: "Connect to the PostgreSQL server's own host and port, not the pooler's. Where that is impossible, take dumps: pointback dump.",
      },
    ],
  };
}

/**
 * SQL got in and replication did not, with the same role: the line for replication asks for another kind of stored
 * password, or the passfile has no line, or another one, for the database name `replication`.
 */
export function passwordOnlyFitsSql({ profile }: Evidence, error: PointbackError): Finding {
  const passFileLine: Fix = {
    kind: 'none',
    text: `If the password comes from a passfile: its line for these connections has "replication" or * as its database: ${profile.host.replaceAll(':', '\\:')}:${profile.port}:replication:${profile.user}:PASSWORD`,
  };
  if (error.code === 'authentication.password-missing') {
    return {
      code: error.code,
      severity: 'error',
      text: `The server asks for the password of role "${profile.user}" on the replication connection, and none was found for it, though SQL got in.`,
      fix: [passFileLine],
    };
  }
  return {
    code: error.code,
    severity: 'error',
    text:
      `Role "${profile.user}" got in over SQL, but its password was refused on the replication connection. Either its ` +
      'line of pg_hba.conf says scram-sha-256 while the password is stored as MD5, or another password was sent.',
    fix: [
      {
        kind: 'sql',
        text: `SET password_encryption = 'scram-sha-256'; ALTER ROLE ${sqlName(profile.user)} PASSWORD 'THE SAME OR ANOTHER';`,
        where: 'As a superuser: it stores the password as scram-sha-256 wants it',
      },
      passFileLine,
    ],
  };
}

/** Nothing a user can change: dumps are what is left. */
export function managedService(service: string): Finding {
  return {
    code: 'managed.no-physical-backup',
    severity: 'error',
    text: `This server belongs to a managed service (${service}), which admits nobody to physical backups.`,
    fix: [
      { kind: 'command', text: 'pointback dump INSTANCE --database DATABASE', where: 'A dump of each database' },
      { kind: 'none', text: "Keep the service's own backups on for point-in-time recovery." },
    ],
  };
}
