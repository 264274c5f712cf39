import { PointbackError } from '../api/errors.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import { parseWalFileName } from './walFileName.ts';

/** What the server writes into `backup_label` when a base backup begins. */
export interface BackupLabel {
  /** Where recovery has to begin reading: the redo position of the checkpoint. */
  readonly startLsn: Lsn;
  /** Name of the WAL segment that holds `startLsn`. */
  readonly startWalFile: string;
  /** The checkpoint record recovery begins with. */
  readonly checkpointLsn: Lsn;
  /** `streamed`, or `pg_start_backup` for an exclusive backup of server 14 or older. */
  readonly method: string;
  readonly from: 'primary' | 'standby';
  /** As in the file, in the server's log_timezone: for people only. */
  readonly startTime: string;
  /** The backup's label; bytes that are not UTF-8 are replaced. */
  readonly label: string;
  readonly startTimeline: number;
  /** Only in an incremental backup (17 and newer): where the backup it builds on began. */
  readonly incrementalFrom?: { readonly lsn: Lsn; readonly timeline: number };
}

const LAYOUT = new RegExp(
  [
    String.raw`^START WAL LOCATION: (?<start>[0-9A-F/]+) \(file (?<file>[0-9A-F]{24})\)`,
    String.raw`CHECKPOINT LOCATION: (?<checkpoint>[0-9A-F/]+)`,
    String.raw`BACKUP METHOD: (?<method>\w+)`,
    String.raw`BACKUP FROM: (?<from>primary|master|standby)`,
    String.raw`START TIME: (?<time>[^\n]+)`,
    // The label is the user's text and may hold line feeds, even lines that look like the next ones: the last ones count.
    String.raw`LABEL: (?<label>[\s\S]*)`,
    String.raw`START TIMELINE: (?<timeline>\d{1,10})`,
    String.raw`(?:INCREMENTAL FROM LSN: (?<parent>[0-9A-F/]+)\nINCREMENTAL FROM TLI: (?<parentTimeline>\d{1,10})\n)?$`,
  ].join('\\n'),
);

/**
 * Parses a `backup_label` of servers 13 to 18, as rigidly as `read_backup_label` (src/backend/access/transam/
 * xlogrecovery.c) does. Throws `backup-label.damaged`.
 */
export function parseBackupLabel(bytes: Uint8Array): BackupLabel {
  const fields = LAYOUT.exec(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))?.groups;
  if (fields === undefined) throw damaged('its lines are not those PostgreSQL writes');
  const field = (name: string): string => fields[name] ?? '';
  const startWalFile = field('file');
  const startTimeline = timelineOf(field('timeline'));
  // The server refuses a label whose two timelines differ.
  if (parseWalFileName(startWalFile)?.timeline !== startTimeline) throw damaged('its timelines differ');
  const parent = fields['parent'];
  return {
    startLsn: lsnOf(field('start')),
    startWalFile,
    checkpointLsn: lsnOf(field('checkpoint')),
    method: field('method'),
    // Server 13 calls a primary a master.
    from: field('from') === 'standby' ? 'standby' : 'primary',
    startTime: field('time'),
    label: field('label'),
    startTimeline,
    ...(parent === undefined
      ? {}
      : { incrementalFrom: { lsn: lsnOf(parent), timeline: timelineOf(field('parentTimeline')) } }),
  };
}

function lsnOf(text: string): Lsn {
  try {
    return parseLsn(text);
  } catch (error) {
    throw damaged('a position in it is none', error);
  }
}

function timelineOf(digits: string): number {
  const timeline = Number(digits);
  if (timeline < 1 || timeline > 0xffff_ffff) throw damaged('a timeline in it is none');
  return timeline;
}

function damaged(what: string, cause?: unknown): PointbackError {
  return new PointbackError('backup-label.damaged', {
    message: `The backup_label of the backup is damaged: ${what}.`,
    ...(cause === undefined ? {} : { cause }),
  });
}
