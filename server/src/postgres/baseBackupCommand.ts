import { PointbackError } from '../api/errors.ts';

/** What a base backup asks of the server. */
export interface BaseBackupOptions {
  readonly label: string;
  readonly checkpoint: 'fast' | 'spread';
  /** Kilobytes per second the server may send; unlimited when absent. */
  readonly maxRateKb?: number;
  readonly manifestChecksums: string;
}

const longestLabelBytes = 1024;
const slowestRateKb = 32;
const fastestRateKb = 1024 * 1024;

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * The BASE_BACKUP command: old grammar for 13 and 14, parenthesised options from 15 on (PostgreSQL documentation,
 * "Streaming Replication Protocol"). WAL is included and the archiver not waited for, since the WAL travels with the
 * backup. VERIFY_CHECKSUMS is always said, because turning it off sticks to a session.
 *
 * Throws `backup.invalid-option` for a label or rate the server would refuse, or would write into a broken backup_label.
 */
export function baseBackupCommand(serverVersionNumber: number, options: BaseBackupOptions): string {
  const { label, checkpoint, maxRateKb, manifestChecksums } = options;
  rejectBadOptions(options);
  if (serverVersionNumber < 150000) {
    return [
      'BASE_BACKUP',
      `LABEL ${quoted(label)}`,
      'PROGRESS',
      ...(checkpoint === 'fast' ? ['FAST'] : []),
      'WAL',
      'NOWAIT',
      ...(maxRateKb === undefined ? [] : [`MAX_RATE ${maxRateKb}`]),
      'TABLESPACE_MAP',
      `MANIFEST 'yes'`,
      `MANIFEST_CHECKSUMS ${quoted(manifestChecksums)}`,
    ].join(' ');
  }
  const list = [
    `LABEL ${quoted(label)}`,
    'PROGRESS true',
    `CHECKPOINT '${checkpoint}'`,
    'WAL true',
    'WAIT false',
    ...(maxRateKb === undefined ? [] : [`MAX_RATE ${maxRateKb}`]),
    'TABLESPACE_MAP true',
    'VERIFY_CHECKSUMS true',
    `MANIFEST 'yes'`,
    `MANIFEST_CHECKSUMS ${quoted(manifestChecksums)}`,
  ];
  return `BASE_BACKUP (${list.join(', ')})`;
}

function rejectBadOptions({ label, maxRateKb }: BaseBackupOptions): void {
  // eslint-disable-next-line no-control-regex -- a line break in the label would make backup_label unreadable
  if (/[\x00-\x1f\x7f]/.test(label) || Buffer.byteLength(label) > longestLabelBytes) {
    throw new PointbackError('backup.invalid-option', {
      message: `The label must be one line of at most ${longestLabelBytes} bytes.`,
      remedy: 'Choose a shorter label without line breaks or control characters.',
    });
  }
  if (maxRateKb !== undefined && (maxRateKb < slowestRateKb || maxRateKb > fastestRateKb)) {
    throw new PointbackError('backup.invalid-option', {
      message: `The rate limit of ${maxRateKb} kB/s is outside what PostgreSQL takes.`,
      remedy: `Choose a rate from ${slowestRateKb}k to ${fastestRateKb / 1024}M a second.`,
    });
  }
}
