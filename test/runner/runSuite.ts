import { printResult, totals } from './report.ts';
import type { Result } from './result.ts';
import type { Job, Suite } from './suites.ts';

/** Runs jobs, so many at a time, in their order; resolves when all have ended. */
async function runJobs(jobs: readonly Job[], concurrency: number): Promise<Result[]> {
  const results: Result[] = [];
  const remaining = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = remaining.shift(); job !== undefined; job = remaining.shift()) {
      const result = await job.run();
      printResult(result);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

/**
 * A suite that ran fewer tests than it has is a failure: files that no longer match, conditions that are always false.
 * Where the tests must be complete (CI) a skipped one does not count.
 */
function enoughTests(suite: Suite, results: readonly Result[], minimum: number, skippedCount: boolean): Result {
  const { passed, failed, skipped } = totals(results);
  const ran = passed + failed + (skippedCount ? skipped : 0);
  const text = `${ran} ran, at least ${minimum} should have (test/minimum.json)`;
  return {
    subject: `as many tests as there should be: ${text}`,
    passed: ran >= minimum ? 1 : 0,
    failures: ran >= minimum ? [] : [{ name: suite.name, text }],
    skipped: [],
    durationMs: 0,
  };
}

/** What a run takes of a suite. */
export interface Selection {
  /** Runs a job or not, by its subject. */
  readonly wants: (subject: string) => boolean;
  /** The tests it has to have run, when all of it runs and there is such a number. */
  readonly minimum: number | undefined;
  /** Whether a skipped test counts as one that ran. */
  readonly skippedCount: boolean;
}

/** Runs a suite and prints as it goes. */
export async function runSuite(suite: Suite, selection: Selection): Promise<Result[]> {
  const jobs = (await suite.jobs()).filter(({ subject }) => selection.wants(subject));
  if (jobs.length === 0 && selection.minimum === undefined) return [];
  console.log(`\n${suite.name}`);
  await suite.prepare();
  const results = await runJobs(jobs, suite.concurrency);
  const extra = [await suite.finish()].filter((result) => result !== undefined);
  if (selection.minimum !== undefined) {
    extra.push(enoughTests(suite, results, selection.minimum, selection.skippedCount));
  }
  for (const result of extra) printResult(result);
  return [...results, ...extra];
}
