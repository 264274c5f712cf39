import type { Result } from './result.ts';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, '      ');

/** Prints what a file or check came to: one line, and whatever failed. */
export function printResult({ subject, passed, failures, skipped, durationMs }: Result): void {
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
  console.log(`${failures.length === 0 ? '✔' : '✖'} ${subject}  ${counts.join(', ')}  ${seconds(durationMs)}`);
  for (const { name, text } of failures) console.log(`    ✖ ${name}\n${indented(text)}\n`);
}

/** How often something is to be said of a suite, and the sums of a whole run. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function totals(results: readonly Result[]): Totals {
  const sum = (count: (result: Result) => number): number => results.reduce((all, each) => all + count(each), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failures }) => failures.length),
    skipped: sum(({ skipped }) => skipped.length),
  };
}

/** Prints the end of a run: the slowest, the skipped with their reasons, what failed, and the sums as the last line. */
export function printSummary(results: readonly Result[]): void {
  const slowest = results.toSorted((one, other) => other.durationMs - one.durationMs).slice(0, 5);
  console.log('\nSlowest:');
  for (const { subject, durationMs } of slowest) console.log(`  ${seconds(durationMs).padStart(8)}  ${subject}`);
  const skipped = results.flatMap((result) => result.skipped.map((each) => ({ ...each, subject: result.subject })));
  if (skipped.length > 0) console.log('\nSkipped:');
  for (const { subject, name, reason } of skipped) console.log(`  ${subject}: ${name}: ${reason}`);
  const failed = results.flatMap((result) => result.failures.map((each) => ({ ...each, subject: result.subject })));
  if (failed.length > 0) console.log('\nFailed:');
  for (const { subject, name } of failed) console.log(`  ${subject}: ${name}`);
  const sums = totals(results);
  console.log(`\n${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
}
