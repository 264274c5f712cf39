/** The exclusive locks of an instance. */
export type LockName = 'backup' | 'wal' | 'maintenance';

/** Full or incremental, as it stands at the end of a backup's id. */
export type BackupType = 'full' | 'incr';

/** What a backup's id says. */
export interface ParsedBackupId {
  readonly startedAt: Date;
  readonly type: BackupType;
}

/** Key of the repository's own record: it is a Pointback repository if and only if this exists. */
export const repositoryRecordKey = 'repository.json';

/** File name of the commit record in a backup's directory. */
export const backupRecordName = 'backup.json';

/** Names Windows keeps for devices, whatever their extension. */
const deviceName = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;

const percent = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;

/**
 * An instance's name as a directory name: bytes other than `[A-Za-z0-9._-]` as %XX of their UTF-8. Names that would mean
 * something else to a file system or to the repository (`..`, `repository.json`, `nul`, a final dot) get one more %XX.
 * Throws a RangeError for the empty name.
 */
export function encodeInstanceName(name: string): string {
  if (name === '') throw new RangeError('an instance needs a name');
  let encoded = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const character = String.fromCharCode(byte);
    encoded += /[A-Za-z0-9._-]/.test(character) ? character : percent(byte);
  }
  if (encoded.endsWith('.')) encoded = `${encoded.slice(0, -1)}%2E`;
  if (encoded === repositoryRecordKey || deviceName.test(encoded)) {
    encoded = percent(encoded.charCodeAt(0)) + encoded.slice(1);
  }
  return encoded;
}

/** A time as names carry it: `20261122T110052.123Z`. */
export function utcName(date: Date): string {
  return date.toISOString().replaceAll('-', '').replaceAll(':', '');
}

/** The time of a name, undefined when it is none or not written exactly as `utcName` writes it. */
export function parseUtcName(name: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z$/.exec(name);
  if (parts === null) return undefined;
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = parts;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(date.getTime()) || utcName(date) !== name ? undefined : date;
}

/** A backup's id and directory name. Ids sort by time. */
export function backupId(startedAt: Date, type: BackupType): string {
  return `${utcName(startedAt)}-${type}`;
}

/** What a backup's id says, undefined when it is no backup's id. */
export function parseBackupId(id: string): ParsedBackupId | undefined {
  const dash = id.indexOf('-');
  const startedAt = dash < 0 ? undefined : parseUtcName(id.slice(0, dash));
  const type = id.slice(dash + 1);
  if (startedAt === undefined || (type !== 'full' && type !== 'incr')) return undefined;
  return { startedAt, type };
}

/** Key of an instance's identity. */
export function instanceRecordKey(instance: string): string {
  return `${encodeInstanceName(instance)}/instance.json`;
}

/** Prefix of all backups of an instance. */
export function backupsPrefix(instance: string): string {
  return `${encodeInstanceName(instance)}/backups`;
}

/** Prefix of everything that belongs to one backup. */
export function backupPrefix(instance: string, id: string): string {
  return `${backupsPrefix(instance)}/${id}`;
}

/** Key of the commit record: the backup exists if and only if this does. */
export function backupRecordKey(instance: string, id: string): string {
  return `${backupPrefix(instance, id)}/${backupRecordName}`;
}

/** Key of a file below `data/`, the folder pg_verifybackup checks as it is: archives and the server's manifest only. */
export function dataKey(instance: string, id: string, file: string): string {
  return `${backupPrefix(instance, id)}/data/${file}`;
}

/** Key of the manifest, exactly as the server sent it. */
export function manifestKey(instance: string, id: string): string {
  return dataKey(instance, id, 'backup_manifest');
}

/** Key of the index of frames and files. */
export function indexKey(instance: string, id: string): string {
  return `${backupPrefix(instance, id)}/index.json`;
}

/** Key of a captured configuration file that lay outside the data directory. */
export function configurationKey(instance: string, id: string, name: string): string {
  return `${backupPrefix(instance, id)}/configuration/${name}`;
}

/** Prefix of a backup's verification records, named by time. */
export function verificationPrefix(instance: string, id: string): string {
  return `${backupPrefix(instance, id)}/verify`;
}

/** Key of the verification record of that time. */
export function verificationKey(instance: string, id: string, at: Date): string {
  return `${verificationPrefix(instance, id)}/${utcName(at)}.json`;
}

/** Prefix of a backup's drill records, named by time. */
export function drillPrefix(instance: string, id: string): string {
  return `${backupPrefix(instance, id)}/drills`;
}

/** Key of the drill record of that time. */
export function drillKey(instance: string, id: string, at: Date): string {
  return `${drillPrefix(instance, id)}/${utcName(at)}.json`;
}

/** Key of an exclusive lock. */
export function lockKey(instance: string, name: LockName): string {
  return `${encodeInstanceName(instance)}/locks/${name}.json`;
}

/** Prefix of the readers' locks, each named by its token. */
export function sharedLockPrefix(instance: string): string {
  return `${encodeInstanceName(instance)}/locks/shared`;
}
