import { relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { inspect } from 'node:util';
import type { Failure, Result, Skipped } from './result.ts';

/** What went wrong, without the wrapping of the test runner. */
function errorText(error: Error): string {
  const cause: unknown = error.cause ?? error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
}

/** How a test failed, by node:test: `subtestsFailed` is no failure of its own. */
function failureType(error: Error): string {
  return 'failureType' in error ? String(error.failureType) : '';
}

/** What is wrong with a file as a whole; undefined when nothing is but its tests. */
function fileFailure(error: Error, timeoutMs: number): string | undefined {
  if (failureType(error) === 'subtestsFailed') return undefined;
  if (failureType(error) === 'testAborted') return `It ran longer than ${timeoutMs / 1000} s.`;
  const { exitCode, signal } = error as { exitCode?: number | null; signal?: string | null };
  return `Its process ended with ${signal ?? `exit code ${exitCode ?? 'unknown'}`}.`;
}

/**
 * Runs a test file in a process of its own and counts its tests; suites only group. A file that crashes, that runs
 * longer than `timeoutMs` (its process is then ended), or that has no test counts as one failure.
 */
export async function runTestFile(root: string, file: string, timeoutMs: number): Promise<Result> {
  const startedAt = performance.now();
  const failures: Failure[] = [];
  const skipped: Skipped[] = [];
  let passed = 0;
  let output = '';
  /** Names of the groups around the test at hand, by nesting. */
  const path: string[] = [];
  const nameOf = (test: { name: string; nesting: number }): string =>
    [...path.slice(0, test.nesting), test.name].join(' › ');
  const skipReason = (test: {
    skip?: string | boolean | undefined;
    todo?: string | boolean | undefined;
  }): string | undefined => {
    const reason = test.skip ?? test.todo;
    if (reason === undefined || reason === false) return undefined;
    return typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
  };

  // A signal for each file: node's own time limits leave a process running whose tests ended but whose handles live on.
  const stream = run({ files: [file], isolation: 'process', signal: AbortSignal.timeout(timeoutMs) });
  stream.on('test:start', (test) => {
    path[test.nesting] = test.name;
  });
  stream.on('test:stdout', ({ message }) => (output += message));
  stream.on('test:stderr', ({ message }) => (output += message));
  stream.on('test:pass', (test) => {
    const reason = skipReason(test);
    if (reason !== undefined) skipped.push({ name: nameOf(test), reason });
    else if (test.details.type !== 'suite' && test.name !== file) passed++;
  });
  stream.on('test:fail', (test) => {
    const { error, type } = test.details;
    const reason = skipReason(test);
    if (reason !== undefined) skipped.push({ name: nameOf(test), reason });
    else if (test.name === file) {
      const text = fileFailure(error, timeoutMs);
      if (text !== undefined) failures.push({ name: 'the file', text: `${text}\n${output}` });
    } else if (failureType(error) !== 'subtestsFailed') failures.push({ name: nameOf(test), text: errorText(error) });
    else if (type !== 'suite') failures.push({ name: nameOf(test), text: 'A test within it failed.' });
  });
  // It ends only when somebody reads it.
  await finished(stream.resume());

  if (passed + failures.length + skipped.length === 0) {
    failures.push({ name: 'the file', text: `It has no test.\n${output}` });
  }
  return { subject: relative(root, file), passed, failures, skipped, durationMs: performance.now() - startedAt };
}
