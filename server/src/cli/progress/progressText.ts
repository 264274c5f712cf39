import { formatBytes, formatRate, formatRunning, printable } from '../../api/format.ts';
import { shortened, textWidth } from '../textWidth.ts';
import type { ProgressSnapshot } from './progressState.ts';

const gap = '  ';
/** Columns a detail must get to be worth showing. */
const leastDetail = 8;

/**
 * One line for a terminal, never wider than `width`: phase, bar, percent, bytes, rate, rest and detail; what matters least
 * goes first where room is short. The bar depends on the width alone, so that it does not jump. Without bytes, the phase and
 * how long it has lasted: silence is no hang.
 */
export function progressLine(snapshot: ProgressSnapshot, width: number): string {
  const { phase } = snapshot;
  const percent = percentOf(snapshot);
  const [firstFact, ...otherFacts] = facts(snapshot).filter((fact) => fact !== undefined);
  const percentText = percent === undefined ? [] : [`${String(percent).padStart(3)} %`];
  const drawn = percent === undefined || width < 40 ? [] : [bar(percent, Math.min(24, Math.floor(width / 5)))];
  const heads = [[phase, ...drawn, ...percentText], [phase, ...percentText], [phase]].map((parts) => parts.join(gap));
  const withFact = firstFact === undefined ? [] : heads.map((head) => head + gap + firstFact);
  let line = [...withFact.slice(0, 1), ...heads].find((candidate) => textWidth(candidate) <= width);
  if (line === undefined) return shortened(phase, width);
  for (const fact of line === withFact[0] ? otherFacts : []) {
    const room = width - textWidth(line) - gap.length;
    if (textWidth(fact) > room && (fact !== otherFacts.at(-1) || snapshot.detail === undefined || room < leastDetail))
      break;
    line += gap + shortened(fact, room);
  }
  return line;
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
