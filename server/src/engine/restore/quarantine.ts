import { join } from 'node:path';
import type { ControlFile } from '../../formats/controlFile.ts';
import { quarantineHbaFile, quarantineIdentFile, socketDirectoryIn } from './layoutOfCopy.ts';

/** What the settings of a quarantined copy depend on. */
export interface QuarantineFacts {
  readonly dataDirectory: string;
  readonly port: number;
  readonly promote: boolean;
  /** Whether the backup was taken from a primary or a standby. */
  readonly from: 'primary' | 'standby';
  readonly major: number;
  readonly control: Pick<
    ControlFile,
    'maxConnections' | 'maxWorkerProcesses' | 'maxWalSenders' | 'maxPreparedTransactions' | 'maxLocksPerTransaction'
  >;
  /** `shared_preload_libraries` as the restored configuration has it. */
  readonly preloadLibraries: readonly string[];
}

/**
 * Libraries a copy may preload: known to do nothing by themselves. Everything else stays out, since a worker of the original
 * (a scheduler, a replication apply worker, a cluster daemon) must not run twice.
 */
const inertLibraries = new Set([
  'auth_delay',
  'auto_explain',
  'credcheck',
  'hypopg',
  'passwordcheck',
  'pg_buffercache',
  'pg_hint_plan',
  'pg_qualstats',
  'pg_stat_kcache',
  'pg_stat_monitor',
  'pg_stat_statements',
  'pg_trgm',
  'pg_wait_sampling',
  'pgaudit',
  'plpgsql',
  'set_user',
  'timescaledb',
]);

/** Which of the libraries a copy may preload, and which stay out. */
export function sortPreloadLibraries(libraries: readonly string[]): { kept: string[]; leftOut: string[] } {
  const inert = (library: string): boolean =>
    inertLibraries.has(library.replace(/^.*[\\/]/, '').replace(/\.(so|dll|dylib)$/, ''));
  return { kept: libraries.filter(inert), leftOut: libraries.filter((library) => !inert(library)) };
}

/** Memory a copy takes at the start, whatever the original's machine had. */
const sharedBuffers = '256MB';

/**
 * The settings that quarantine a restored copy: own port on loopback, a private socket, passwords only, no archiving, no
 * replication in either direction, no subscription or job worker; and recovery to the end of the backup. They go at the end
 * of `postgresql.auto.conf`, where they win (PostgreSQL documentation, "Recovery Target", "Hot Standby": the five limits
 * must not be lower than the original's).
 */
export function quarantineSettings(facts: QuarantineFacts): ReadonlyMap<string, string> {
  const { dataDirectory, port, promote, major, control, preloadLibraries } = facts;
  const socketDirectory = socketDirectoryIn(dataDirectory, port);
  const since = (version: number, name: string, value: string): [string, string][] =>
    major >= version ? [[name, value]] : [];
  const until = (version: number, name: string, value: string): [string, string][] =>
    major <= version ? [[name, value]] : [];
  const { kept } = sortPreloadLibraries(preloadLibraries);
  return new Map<string, string>([
    ['port', String(port)],
    ['listen_addresses', '127.0.0.1'],
    ['unix_socket_directories', socketDirectory === undefined ? '' : quoteName(socketDirectory)],
    ['unix_socket_permissions', '0700'],
    ['hba_file', join(dataDirectory, quarantineHbaFile)],
    ['ident_file', join(dataDirectory, quarantineIdentFile)],
    ['ssl', 'off'],
    ['external_pid_file', ''],
    ['logging_collector', 'off'],
    ['log_destination', 'stderr'],
    ['lc_messages', 'C'],
    ['huge_pages', 'off'],
    ['shared_buffers', sharedBuffers],
    ['archive_mode', 'off'],
    ['archive_command', ''],
    ...since(15, 'archive_library', ''),
    ['primary_conninfo', ''],
    ['primary_slot_name', ''],
    ['synchronous_standby_names', ''],
    ['max_logical_replication_workers', '0'],
    ...since(17, 'sync_replication_slots', 'off'),
    ...since(17, 'summarize_wal', 'off'),
    ['shared_preload_libraries', kept.join(', ')],
    // Its jobs are the original's.
    ...(kept.length > 0 ? ([['timescaledb.max_background_workers', '0']] as const) : []),
    // What the original runs at these moments acts on the original's archive and address.
    ['archive_cleanup_command', ''],
    ['recovery_end_command', ''],
    ...until(15, 'promote_trigger_file', ''),
    ...until(14, 'stats_temp_directory', 'pg_stat_tmp'),
    ['hot_standby', 'on'],
    ['max_connections', String(control.maxConnections)],
    ['max_worker_processes', String(control.maxWorkerProcesses)],
    ['max_wal_senders', String(control.maxWalSenders)],
    ['max_prepared_transactions', String(control.maxPreparedTransactions)],
    ['max_locks_per_transaction', String(control.maxLocksPerTransaction)],
    // All the WAL of the backup is in pg_wal; there is no other.
    ['restore_command', 'exit 1'],
    // The server takes settings in this order and refuses to see two targets at any moment: first the others go.
    ['recovery_target_name', ''],
    ['recovery_target_time', ''],
    ['recovery_target_xid', ''],
    ['recovery_target_lsn', ''],
    ['recovery_target', endsByItself(facts) ? 'immediate' : ''],
    ['recovery_target_timeline', 'current'],
    ['recovery_target_action', promote ? 'promote' : 'pause'],
  ]);
}

/**
 * Whether recovery can be told to stop at the end of the backup. Behind a primary's end there is always another record; a
 * standby's may be the last of its WAL, where the server looks for no target any more and would fail.
 */
function endsByItself({ from }: Pick<QuarantineFacts, 'from'>): boolean {
  return from === 'primary';
}

/**
 * The file that puts a copy into recovery: towards its target, or as a standby without an original, which stays read-only at
 * the end of its WAL (PostgreSQL documentation, "Archive Recovery", "Standby Server").
 */
export function recoveryFile(facts: Pick<QuarantineFacts, 'from' | 'promote'>): 'recovery.signal' | 'standby.signal' {
  return endsByItself(facts) || facts.promote ? 'recovery.signal' : 'standby.signal';
}

/** The settings as lines of a configuration file (PostgreSQL documentation, "Setting Parameters via the Configuration File"). */
export function formatSettings(settings: ReadonlyMap<string, string>): string {
  return [...settings].map(([name, value]) => `${name} = ${quoteSetting(value)}\n`).join('');
}

/** A value between single quotes, as the configuration file's lexer reads it (guc-file.l: quotes doubled, backslash escapes). */
export function quoteSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/**
 * pg_hba.conf of a quarantined copy: passwords over loopback, the operating system's user on the private socket, no
 * replication. In a container what comes through the published port, which is on loopback, has the network's address.
 */
export function quarantineHba(inContainer: boolean): string {
  return [
    '# Written by Pointback: this restored copy is quarantined. Nobody replicates from it, nobody enters without a password.',
    '# The method md5 takes SCRAM and MD5 passwords alike: those of the original cluster.',
    'local  all  all                peer  map=pointback',
    'host   all  all  127.0.0.1/32  md5',
    ...(inContainer ? ['host   all  all  samenet       md5'] : []),
    '',
  ].join('\n');
}

/** pg_ident.conf of a quarantined copy: who restored it and who runs it may use the private socket as `role`. */
export function quarantineIdent(systemUsers: readonly string[], role: string): string {
  return [...new Set(systemUsers)].map((user) => `pointback ${quoteName(user)} ${quoteName(role)}\n`).join('');
}

/** An identifier, or a word of pg_ident.conf or of a list of directories (varlena.c, SplitDirectoriesString). */
const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
