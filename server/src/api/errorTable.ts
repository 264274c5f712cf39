/** One row of the error table. */
export interface ErrorRow {
  /** What the error is about, a noun: groups the manual. */
  readonly subject: string;
  /** When it happens, one sentence: opens the error's section in `docs/errors.md`. */
  readonly when: string;
  /** What the user does next when the place that throws cannot say it more precisely. */
  readonly remedy: string;
  /** Exit code of the command line: 1 failed, 2 usage, 3 done but found problems. */
  readonly exitCode: 1 | 2 | 3;
}

const row = (subject: string, when: string, remedy: string, exitCode: 1 | 2 | 3 = 1): ErrorRow => ({
  subject,
  when,
  remedy,
  exitCode,
});

/**
 * Every error a user can meet, by code. The code is `<subject>.<what>`, never changes once released, and has a section
 * of its own in `docs/errors.md` (a test holds the two together).
 */
export const errorTable = {
  'usage.invalid': row(
    'usage',
    'The command line could not be understood.',
    'Run `pointback --help`, or `pointback COMMAND --help`, and correct the command.',
    2,
  ),
  'operation.cancelled': row(
    'operation',
    'You cancelled the operation, or its process was asked to stop.',
    'Nothing was left half-written. Start it again when you like.',
  ),
  'internal.unexpected': row(
    'internal',
    'Pointback met a situation it does not know: a fault of Pointback.',
    'Run the command again with POINTBACK_LOG=debug and report what it prints.',
  ),
  'protocol.broken': row(
    'protocol',
    'The server, or something between it and Pointback, sent bytes that are not the replication protocol.',
    'Check that host and port lead straight to PostgreSQL, not to a proxy or pooler, and try again.',
  ),
  'backup.invalid-option': row(
    'backup',
    'An option of the backup has a value PostgreSQL does not take.',
    'Correct the option and start the backup again.',
    2,
  ),
  'backup.connection-lost': row(
    'backup',
    'The connection to the server broke while the backup was running.',
    'Nothing was kept. Check the network and the server log, then start the backup again.',
  ),
  'backup.server-shutdown': row(
    'backup',
    'The server was stopped or restarted while the backup was running, or somebody ended its session (pg_terminate_backend).',
    'Nothing was kept. Start the backup again once the server is up.',
  ),
  'backup.cancelled-on-server': row(
    'backup',
    'Another session cancelled the backup with pg_cancel_backend.',
    'Nothing was kept. Ask who cancelled it, then start the backup again.',
  ),
  'backup.not-possible-now': row(
    'backup',
    'The server refuses a base backup in its present state: wal_level minimal, a promotion meanwhile, full_page_writes off on a standby.',
    'Run `pointback check INSTANCE`: it names the setting. After a promotion start the backup again.',
  ),
  'backup.tablespace-not-sent': row(
    'backup',
    'The server has a tablespace that it leaves out of base backups: up to PostgreSQL 15 one made in place (allow_in_place_tablespaces), or one whose link in pg_tblspc is broken.',
    'Move its tables with ALTER TABLE … SET TABLESPACE, and drop it. The log of the server names the directory it skipped.',
  ),
  'backup.server-resources': row(
    'backup',
    'The server ran out of disk or memory while it sent the backup.',
    'Nothing was kept. Free space on the server, then start the backup again.',
  ),
  'backup.server-error': row(
    'backup',
    'The server reported an error while it sent the backup.',
    'Nothing was kept. The server log says more; start the backup again when the cause is gone.',
  ),
  'backup.content-differs': row(
    'backup',
    "A file that arrived is not the file the server's manifest describes.",
    'Nothing was kept. The data was changed on its way: check memory, network and disk of both machines, then start again.',
  ),
  'backup.no-space': row(
    'backup',
    'The repository has too little free space for the backup the server announced.',
    'Free space, delete old backups, or choose another repository directory.',
  ),
  'usage.password-in-argument': row(
    'usage',
    'A URL on the command line contained a password, where every user of the machine can read it.',
    'Leave the password out of the URL and give it in ~/.pgpass, in PGPASSWORD, in a passwordFile of the configuration, or at the prompt.',
    2,
  ),
  'configuration.invalid': row(
    'configuration',
    'The configuration file contains something that does not belong there.',
    'Correct the file at the place the message names.',
    2,
  ),
  'configuration.password-in-file': row(
    'configuration',
    'The configuration file contains a password, which it must not: such files are shared and committed.',
    'Remove it, and use a passwordFile, ~/.pgpass or PGPASSWORD instead.',
    2,
  ),
  'configuration.missing': row(
    'configuration',
    'The configuration file that was named does not exist.',
    'Correct the path given with --config or in POINTBACK_CONFIG.',
    2,
  ),
  'configuration.unreadable': row(
    'configuration',
    'The configuration file exists but cannot be read.',
    'Make the file readable for your user.',
  ),
  'instance.unknown': row(
    'instance',
    'There is no instance of that name, neither in the configuration nor in the repository.',
    'Run `pointback list` for the names, or give a postgresql:// URL.',
    2,
  ),
  'instance.not-configured': row(
    'instance',
    'The instance has backups in the repository, but nothing says where its server is.',
    'Add it to "instances" of pointback.json with its url, or give a postgresql:// URL instead of the name.',
    2,
  ),
  'deletion.unconfirmed': row(
    'deletion',
    'A deletion was neither confirmed on a terminal nor with --yes.',
    'Read the preview, then run the command again with --yes.',
    2,
  ),
  'deletion.newest': row(
    'deletion',
    'The backup to be deleted is the newest one of its instance that can be restored.',
    'Take and verify another backup first, or add --even-the-newest.',
  ),
  'store.no-space': row(
    'store',
    'The disk of the repository is full, or its quota is used up.',
    'Free some space (delete old backups with `pointback delete` or `pointback expire`) or move the repository to a larger disk, then start again.',
  ),
  'store.too-large': row(
    'store',
    'A file grew past the largest size the file system of the repository allows (4 GiB on FAT32).',
    'Move the repository to a file system without that limit: ext4, XFS, APFS, NTFS or exFAT.',
  ),
  'store.not-writable': row(
    'store',
    'Pointback may not write in the directory of the repository, or the file system is mounted read-only.',
    'Give your user write permission for the whole repository directory, or run Pointback as the user who owns it.',
  ),
  'store.not-readable': row(
    'store',
    'Pointback may not read a file or directory of the repository.',
    'Give your user read permission for the whole repository directory, or run Pointback as the user who owns it.',
  ),
  'store.missing': row(
    'store',
    'A file that belongs in the repository is not there.',
    'Run `pointback verify` to learn which backups are affected. If the disk is a network or external one, check that it is mounted.',
  ),
  'store.out-of-range': row(
    'store',
    'A file of the repository is shorter than it was when it was written.',
    'Run `pointback verify` to learn which backups are affected, and restore from one that passes.',
  ),
  'store.outside': row(
    'store',
    'A symbolic link inside the repository leads out of it; Pointback does not follow such links.',
    'Replace the link by the real directory, or mount the other disk at that place.',
  ),
  'store.unreachable': row(
    'store',
    'The directory of the repository vanished while Pointback was using it.',
    'If it lies on a network or external disk, mount it again; then repeat the command.',
  ),
  'store.failed': row(
    'store',
    'The file system of the repository reported an error Pointback knows no special advice for.',
    'Check the disk and its mount (for example in the system log), then start again.',
  ),
  'repository.not-found': row(
    'repository',
    'The directory named as the repository does not exist or is no Pointback repository.',
    'Correct --repository or "repository" in pointback.json. The first backup creates a repository by itself.',
    2,
  ),
  'repository.not-empty': row(
    'repository',
    'A new repository was to be created in a directory that already holds other files.',
    'Name an empty or new directory as the repository.',
    2,
  ),
  'repository.damaged': row(
    'repository',
    'A file of the repository does not contain what Pointback wrote there.',
    'Bring the file back from a copy of the repository if you have one. Other backups are not affected.',
  ),
  'repository.newer-format': row(
    'repository',
    'A file of the repository was written by a newer version of Pointback.',
    'Update Pointback, then run the command again.',
  ),
  'instance.different-system': row(
    'instance',
    'The repository holds backups of another database cluster under this instance name.',
    'Give this server an instance name of its own, or move the old backups away if the old cluster is gone for good.',
  ),
  'backup.unknown': row(
    'backup',
    'There is no backup of that id, or the instance has none at all.',
    'Run `pointback list INSTANCE` for the ids.',
    2,
  ),
  'backup.ambiguous': row(
    'backup',
    'More than one backup has an id that starts like the one given.',
    'Give more of the id, as `pointback list INSTANCE` prints it.',
    2,
  ),
  'backup.incomplete': row(
    'backup',
    'A backup was about to be completed while some of its files are missing or have another size in the repository.',
    'Take the backup again, and make sure nothing else changes the repository directory meanwhile.',
  ),
  'backup.exists': row(
    'backup',
    'A backup of the same instance and id is already in the repository.',
    'Take the backup again: it gets a new id.',
  ),
  'lock.held': row(
    'lock',
    'Another Pointback process is working on the same instance.',
    'Wait until it is done or stop it, then start again.',
  ),
  'lock.lost': row(
    'lock',
    'The lock on the instance was lost: the machine slept or was stopped for a while, or another process took the lock over.',
    'Start the operation again. What was unfinished is cleaned up by the next run.',
  ),
  'lsn.invalid': row(
    'lsn',
    'A WAL position (LSN) is not written as PostgreSQL writes them.',
    'Write it as PostgreSQL shows it: two hexadecimal numbers around a slash, for example 0/16B3748.',
    2,
  ),
  'tar.damaged': row(
    'tar',
    'An archive of a backup is not the tar stream the server sent: bytes of it were changed, lost or added.',
    'Do not restore from this archive. Run `pointback verify`, take a new backup, and check the storage it lay on.',
  ),
  'tar.name-too-long': row(
    'tar',
    'A file name or link target is too long for a tar archive.',
    'Shorten the path of the tablespace or the file it names, then try again.',
  ),
  'manifest.damaged': row(
    'manifest',
    "A backup's manifest is not as the server wrote it: bytes of it were changed, lost or added.",
    'Do not rely on this backup. Take a new one, and check the storage the manifest lay on.',
  ),
  'manifest.newer-version': row(
    'manifest',
    "A backup's manifest has a version that only newer PostgreSQL servers write.",
    'Use a newer version of Pointback.',
  ),
  'backup-label.damaged': row(
    'backup-label',
    'The backup_label of a backup is not one that PostgreSQL wrote.',
    'Do not restore this backup. Run `pointback verify`, and choose another backup.',
  ),
  'tablespace-map.damaged': row(
    'tablespace-map',
    'The tablespace_map of a backup is not one that PostgreSQL wrote.',
    'Do not restore this backup. Run `pointback verify`, and choose another backup.',
  ),
  'control-file.damaged': row(
    'control-file',
    'The control file (global/pg_control) does not fit its own checksum, or is cut short.',
    'Do not start a server on it. Run `pointback verify`, and choose another backup.',
  ),
  'control-file.unsupported': row(
    'control-file',
    'The control file (global/pg_control) is of a PostgreSQL version or machine that Pointback does not know.',
    'Pointback supports PostgreSQL 13 to 18 on little-endian machines. Use a version of Pointback that knows this one.',
  ),
  'wal.damaged': row(
    'wal',
    'A WAL segment is not what the server wrote: bytes of it were changed, lost or added, or it belongs to another cluster.',
    'Do not rely on recovery through this segment. Get it again from where it was archived, or take a new backup.',
  ),
  'connection.invalid-profile': row(
    'connection',
    'The URL or the parameters of a connection cannot be used.',
    'Correct it; a URL looks like postgresql://backup@db.example.com:5432.',
    2,
  ),
  'connection.refused': row(
    'connection',
    'Nothing listens on the host and port: the connection was refused.',
    'Check host and port, and that PostgreSQL runs there and listens on more than its own loopback address (listen_addresses). A container has to publish the port.',
  ),
  'connection.host-unknown': row(
    'connection',
    'The name of the host cannot be resolved to an address.',
    'Check the spelling, and that this machine can resolve the name. Names of a container network are known inside it only.',
  ),
  'connection.unreachable': row(
    'connection',
    'There is no way through the network to the server.',
    'Check the address, the network or VPN, and firewalls in between.',
  ),
  'connection.timeout': row(
    'connection',
    'The server did not answer in time.',
    'Check host and port, and whether a firewall swallows the packets. A server that is merely slow gets longer with connect_timeout.',
  ),
  'connection.closed': row(
    'connection',
    'The connection was accepted and closed again without an answer.',
    "Look into the server's log. A container's published port does this while nothing listens inside; so do proxies whose server is gone.",
  ),
  'connection.not-postgresql': row(
    'connection',
    "What listens on the port does not speak PostgreSQL's protocol.",
    'Check the port: 5432 is the usual one.',
  ),
  'connection.lost': row(
    'connection',
    'The connection to the server ended while a command ran.',
    "Look into the server's log for the reason, then run the command again.",
  ),
  'connection.database-missing': row(
    'connection',
    'The database of the SQL connection does not exist.',
    'Name one that exists, such as postgres.',
  ),
  'connection.database-denied': row(
    'connection',
    'The role may not connect to the database, or nobody may.',
    'Name another database, such as postgres, or GRANT CONNECT ON DATABASE … TO the role.',
  ),
  'authentication.password': row(
    'authentication',
    'The password is wrong or has expired, or the role does not exist: servers do not tell these apart.',
    'Check role and password. A superuser can set a new one with \\password in psql, and sees with \\du until when it is valid.',
  ),
  'authentication.password-missing': row(
    'authentication',
    'The server asks for a password, and none was found.',
    'Put it into ~/.pgpass (chmod 600), a file named as passwordFile, or PGPASSWORD.',
  ),
  'authentication.password-file': row(
    'authentication',
    'The file that should hold the password is missing, empty or unreadable.',
    'Correct passwordFile, or the file: it holds the password and nothing else.',
  ),
  'authentication.no-hba-line': row(
    'authentication',
    "No line of the server's pg_hba.conf admits this role, database and address, or a line rejects them.",
    'Run `pointback check INSTANCE`: it names the line to add, the file, and how to reload.',
  ),
  'authentication.role': row(
    'authentication',
    'The role does not exist, or may not log in.',
    'Create it with CREATE ROLE … LOGIN REPLICATION PASSWORD …, or ALTER ROLE … LOGIN.',
  ),
  'authentication.refused': row(
    'authentication',
    'The authentication that pg_hba.conf demands (a certificate, peer, LDAP, Kerberos …) failed.',
    "Look into the server's log: it names the reason and the line. For backups a line with scram-sha-256 is the simplest.",
  ),
  'authentication.method-unsupported': row(
    'authentication',
    'The server asks for a kind of authentication that is not supported (Kerberos, SSPI, OAuth).',
    'Give the backup role a pg_hba.conf line of its own with the method scram-sha-256 or cert.',
  ),
  'replication.no-hba-line': row(
    'replication',
    "No line of the server's pg_hba.conf admits this role and address to replication connections (`all` does not cover them), or a line rejects them.",
    'Run `pointback check INSTANCE`: it names the line to add, the file, and how to reload.',
  ),
  'replication.role-lacks-replication': row(
    'replication',
    'The role has no REPLICATION attribute, which every physical backup needs.',
    'Let a superuser run: ALTER ROLE … REPLICATION.',
  ),
  'replication.no-walsender': row(
    'replication',
    'All replication connections (max_wal_senders) are in use, or there are none; a backup needs two.',
    'Raise max_wal_senders and restart the server, or end a replication connection that is not needed (pg_stat_replication).',
  ),
  'replication.no-slot': row(
    'replication',
    'All replication slots (max_replication_slots) are in use, or there are none; a backup needs one for its time.',
    'Raise max_replication_slots and restart the server, or drop a slot that is not needed (pg_replication_slots).',
  ),
  'replication.wal-level': row(
    'replication',
    'The server writes too little WAL for a backup (wal_level=minimal).',
    'Set wal_level = replica and max_wal_senders = 10, and restart the server.',
  ),
  'tls.refused-by-server': row(
    'tls',
    'The connection must be encrypted, and the server does not offer TLS.',
    'Set ssl = on with ssl_cert_file and ssl_key_file on the server, or use sslmode=prefer if the network can be trusted.',
  ),
  'tls.required-by-server': row(
    'tls',
    'The server takes encrypted connections only, and this one was not to be encrypted.',
    'Use sslmode=require, or verify-full with the root certificate.',
  ),
  'tls.certificate': row(
    'tls',
    "The server's certificate is not the expected one: another authority, another name, or no longer valid.",
    'Name the right root certificate (sslrootcert, or ~/.postgresql/root.crt) and the host as it stands in the certificate.',
  ),
  'tls.client-certificate': row(
    'tls',
    'The server demands a client certificate or does not trust ours.',
    "Name one that the server's ssl_ca_file trusts: sslcert and sslkey, or ~/.postgresql/postgresql.crt and .key.",
  ),
  'tls.handshake': row(
    'tls',
    'Server and client could not agree on an encrypted connection.',
    "Look into the server's log; old servers may speak only old versions of TLS (ssl_min_protocol_version).",
  ),
  'tls.file': row(
    'tls',
    'A certificate or key file is missing, unreadable, broken, or a key that others can read.',
    'Correct sslrootcert, sslcert or sslkey, or the files in ~/.postgresql.',
  ),
  'server.starting-up': row(
    'server',
    'The server is starting up, recovering or shutting down.',
    "Wait a moment and try again. If it lasts, the server's log tells what it is doing.",
  ),
  'server.too-many-connections': row(
    'server',
    'The server, the database or the role has no connection left.',
    'End connections that are not needed, or raise max_connections or the CONNECTION LIMIT of the role.',
  ),
  'server.refused': row(
    'server',
    'The server refused the connection for a reason of its own.',
    'Read what the server said; its log may say more.',
  ),
  'server.command-failed': row(
    'server',
    'The server refused a command.',
    'Read what the server said; its log may say more.',
  ),
  'server.version-unsupported': row(
    'server',
    'The server is older than PostgreSQL 13.',
    'Upgrade the server; dumps work until then.',
  ),
  'pooler.in-between': row(
    'pooler',
    'A pooler or proxy such as PgBouncer stands between: it passes no replication connections on.',
    "Connect to the PostgreSQL server itself: its own host and port, not the pooler's. Where that is impossible, take dumps.",
  ),
  'managed.no-physical-backup': row(
    'managed',
    'The server belongs to a managed service, which gives nobody a physical backup.',
    "Use the service's own backups, and dumps (`pointback dump`) for a copy outside of it.",
  ),
  'backup.damaged': row(
    'backup',
    'A stored backup has bytes that cannot be what was written.',
    'Run `pointback verify INSTANCE BACKUP` to see all of the damage, and use another backup.',
    3,
  ),
  'backup.wal-incomplete': row(
    'backup',
    'The WAL a backup needs to become consistent is not all there.',
    'This backup cannot be restored. Take a new one; if it happens again, check the server log.',
  ),
  'backup.needed-by-others': row(
    'backup',
    'The backup cannot be deleted, because incremental backups build on it.',
    'Delete the backups that build on it first.',
  ),
  'backup.deletion-outdated': row(
    'backup',
    'A backup was not deleted, because the others changed since it was decided: more would be lost than was agreed to.',
    'Look at the list of backups, and decide again.',
  ),
  'backup.being-read': row(
    'backup',
    'The backup cannot be deleted while it is restored or verified.',
    'Wait until that operation is done, or end it.',
  ),
  'restore.target-not-empty': row(
    'restore',
    'The directory to restore into is not new or empty. A restore never overwrites anything.',
    'Name a directory that does not exist yet, or empty this one yourself.',
    2,
  ),
  'restore.target-inside-repository': row(
    'restore',
    'The directory to restore into lies inside the repository.',
    'Name a directory outside the repository.',
    2,
  ),
  'restore.tablespace-mapping': row(
    'restore',
    'A tablespace mapping does not fit the backup, or two directories contain each other.',
    'Give --tablespace OLD=NEW with OLD as `pointback restore … --plan` shows it and NEW a directory of its own.',
    2,
  ),
  'restore.no-space': row(
    'restore',
    'The restored files do not fit on the disk of the target directory.',
    'Free space, or name a directory on a larger disk. Nothing was left there.',
  ),
  'restore.write-failed': row(
    'restore',
    'A restored file could not be written.',
    'Check permissions and the disk of the target directory. What was written has been removed.',
  ),
  'restore.content-differs': row(
    'restore',
    "A restored file is not the file the server's manifest describes.",
    'What was written has been removed. Run `pointback verify INSTANCE BACKUP`, and restore another backup.',
  ),
  'restore.owner-unknown': row(
    'restore',
    'The user named as owner of the restored files does not exist.',
    'Name an existing user with --owner, or its number.',
    2,
  ),
  'restore.owner-needed': row(
    'restore',
    'The restored files need an owner who can run PostgreSQL, which refuses to run as root.',
    'Name the user that will run the server: --owner postgres.',
    2,
  ),
  'restore.no-server': row(
    'restore',
    'Nothing on this machine can run the restored cluster.',
    'Restore without --start: the directory is complete, and any server of that major version can run it.',
  ),
  'restored-server.short': row(
    'restored-server',
    'The restored server ended its recovery before the position it had to reach.',
    "Do not use this copy. Run `pointback verify INSTANCE BACKUP`, and read the copy's log in pointback/server.log.",
  ),
  'job.died': row(
    'job',
    'The process of a job ended before the job was done: it was killed, or the machine ran out of memory.',
    'Start it again: what it left unfinished is removed by the next run. The log says more.',
  ),
  'restored-server.failed': row(
    'restored-server',
    'A restored server did not start, or ended while it recovered.',
    "Read the end of the server's log, correct what it names, and start it again; the restored files are complete.",
  ),
  'restored-server.not-stopped': row(
    'restored-server',
    'A restored server did not stop in time: sessions are still connected, or it writes a large checkpoint.',
    'Wait, end its sessions, or stop it with `pg_ctl stop -m immediate`: a copy loses nothing by that.',
  ),
} as const satisfies Record<string, ErrorRow>;
