import type { ManifestSummary } from '../../formats/backupManifest.ts';
import { formatLsn } from '../../formats/lsn.ts';
import type { BackupRecord, VerificationProblem } from '../../repository/backupRecord.ts';

/**
 * What the commit record says otherwise than the server's manifest: of which cluster the backup is, where it starts and
 * where it ends. A restore goes by these, and the record has no checksum of its own. Pure.
 */
export function recordProblems(
  record: BackupRecord,
  { systemIdentifier, walRanges }: ManifestSummary,
): VerificationProblem[] {
  // Newest timeline first.
  const [last, first] = [walRanges[0], walRanges.at(-1)];
  if (first === undefined || last === undefined) return [];
  const facts: [what: string, recorded: string | number, listed: string | number][] = [
    ['the start of its WAL', record.startLsn, formatLsn(first.start)],
    ['the timeline it starts on', record.startTimeline, first.timeline],
    ['the end of its WAL', record.endLsn, formatLsn(last.end)],
    ['the timeline it ends on', record.endTimeline, last.timeline],
    ...(systemIdentifier === undefined
      ? []
      : [['its system identifier', record.systemIdentifier, systemIdentifier.toString()] as [string, string, string]]),
  ];
  return facts
    .filter(([, recorded, listed]) => recorded !== listed)
    .map(([what, recorded, listed]) => ({
      code: 'record-differs',
      subject: 'backup.json',
      message: `backup.json names ${recorded} as ${what}, the server's manifest ${listed}.`,
    }));
}
