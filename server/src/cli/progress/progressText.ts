import { formatBytes, formatRate, formatRunning, printable } from '../format.ts';
import { shortened, textWidth } from '../textWidth.ts';
import type { ProgressSnapshot } from './progressState.ts';

const fullBarWidth = 24;
const leastBarWidth = 8;

/**
 * One line for a terminal, never wider than `width`: phase, bar, percent, bytes, rate, rest and detail; what matters least
 * goes first where room is short. Without bytes, the phase and how long it has lasted: silence is no hang.
 */
export function progressLine(snapshot: ProgressSnapshot, width: number): string {
  const { phase } = snapshot;
  const percent = percentOf(snapshot);
  const parts = [percent === undefined ? undefined : `${String(percent).padStart(3)} %`, ...facts(snapshot)];
  const known = parts.filter((part) => part !== undefined);
  for (let count = known.length; count > 0; count -= 1) {
    const line = [phase, ...known.slice(0, count)].join('  ');
    const barRoom = percent === undefined ? 0 : Math.min(fullBarWidth, width - textWidth(line) - 2);
    if (percent !== undefined && barRoom >= leastBarWidth) {
      return [phase, bar(percent, barRoom), ...known.slice(0, count)].join('  ');
    }
    // With little room the facts go before the bar does, down to the percentage, which says more than a bar.
    if (textWidth(line) <= width && (percent === undefined || count === 1)) return line;
    // A detail too long for its line is worth its beginning.
    if (percent === undefined && count === known.length && snapshot.detail !== undefined) return shortened(line, width);
  }
  return shortened(phase, width);
}

/** One line for a log: `receiving: 42 %, 1.46 GB of 3.50 GB, 112 MB/s, 18 s left, base.tar`. */
export function progressLogLine(snapshot: ProgressSnapshot): string {
  const percent = percentOf(snapshot);
  const parts = [percent === undefined ? undefined : `${percent} %`, ...facts(snapshot)].filter(
    (part) => part !== undefined,
  );
  return parts.length === 0 ? snapshot.phase : `${snapshot.phase}: ${parts.join(', ')}`;
}

/** Everything but phase and percentage, what matters most first. */
function facts(snapshot: ProgressSnapshot): (string | undefined)[] {
  const { doneBytes, totalBytes, rate, restMs, detail, elapsedMs } = snapshot;
  const shownDetail = detail === undefined ? undefined : printable(detail);
  if (doneBytes === undefined) return [elapsedMs < 1000 ? undefined : formatRunning(elapsedMs), shownDetail];
  // The total is an estimate: what is done may pass it, and then it says nothing any more.
  const total = totalBytes !== undefined && totalBytes >= doneBytes ? ` of ${formatBytes(totalBytes)}` : '';
  return [
    `${formatBytes(doneBytes)}${total}`,
    rate === undefined ? undefined : formatRate(rate),
    restMs === undefined ? undefined : `${formatRunning(restMs)} left`,
    shownDetail,
  ];
}

/** Whole percent; 100 only when exactly all is done, since the total is an estimate that may be passed. */
function percentOf({ doneBytes, totalBytes }: ProgressSnapshot): number | undefined {
  if (doneBytes === undefined || totalBytes === undefined || totalBytes <= 0) return undefined;
  return doneBytes === totalBytes ? 100 : Math.min(99, Math.floor((doneBytes / totalBytes) * 100));
}

function bar(percent: number, width: number): string {
  const filled = Math.round((width * percent) / 100);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
