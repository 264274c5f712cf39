import type { BackupRecord, BackupState, VerificationProblem } from '../repository/backupRecord.ts';
import { formatAge, formatBytes, formatCount, printable } from '../api/format.ts';
import type { Style } from './terminal.ts';

const shownProblems = 20;

/** Sign and name of a backup's state. */
export function stateWord(state: BackupState, style: Style): string {
  switch (state) {
    case 'broken':
      return style('red', '✗ broken');
    case 'proven':
      return style('green', '✓ proven');
    case 'consistent':
      return style('green', '✓ consistent');
    case 'unproven':
      return style('yellow', '! unproven');
  }
}

/** A state with what it rests on: `consistent, verified 3 h ago`. */
export function stateInWords(state: BackupState, stateAt: string | undefined, now: Date): string {
  if (stateAt === undefined || state === 'unproven') return state;
  const what = { broken: 'found', proven: 'restored', consistent: 'verified' };
  return `${state}, ${what[state]} ${agoOf(stateAt, now)}`;
}

/** `3 h ago`, `now`. */
export function agoOf(moment: string, now: Date): string {
  const age = formatAge(now.getTime() - Date.parse(moment));
  return age === 'now' ? 'just now' : `${age} ago`;
}

/** Stored and original size: `1.46 GB of 3.50 GB`. */
export function sizeText({ storedBytes, tarBytes }: Pick<BackupRecord, 'storedBytes' | 'tarBytes'>): string {
  return `${formatBytes(storedBytes)} of ${formatBytes(tarBytes)}`;
}

/** Problems, one a line, the first of many. */
export function problemLines(problems: readonly VerificationProblem[], problemCount: number): string[] {
  const lines = problems
    .slice(0, shownProblems)
    .map(({ code, subject, message }) => printable(`  ✗ ${subject}: ${message} (${code})`));
  const hidden = problemCount - lines.length;
  return hidden > 0
    ? [...lines, `  … and ${formatCount(hidden, 'more problem')}; --json tells all that were kept.`]
    : lines;
}

/** Facts below a heading: names at the left, values at the right. */
export function factLines(facts: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `  ${name.padEnd(width)}  ${printable(value)}`);
}
