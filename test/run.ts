// All tests: `npm test`, or some: `npm test -- unit`, `npm test -- test/engine/backup.test.ts`, `npm test -- postmaster`.
import { resolve } from 'node:path';
import { printSummary, totals } from './runner/report.ts';
import type { Result } from './runner/result.ts';
import { runSuite } from './runner/runSuite.ts';
import { allSuites, readMinimum } from './runner/suites.ts';

const root = resolve(import.meta.dirname, '..');
const suites = allSuites(root);
const wanted = process.argv.slice(2);
const suiteNames = wanted.filter((argument) => suites.some(({ name }) => name === argument));
/** Arguments that are no suite choose test files by a part of their path. */
const fileParts = wanted.filter((argument) => !suiteNames.includes(argument));

// A developer's own PostgreSQL settings must not steer the tests' connections.
for (const name of Object.keys(process.env)) {
  if (/^PG[A-Z]+$/.test(name)) Reflect.deleteProperty(process.env, name);
}

const minimum = await readMinimum(root);
const results: Result[] = [];
for (const suite of suites) {
  const whole = wanted.length === 0 || suiteNames.includes(suite.name);
  results.push(
    ...(await runSuite(suite, {
      wants: (subject) => whole || fileParts.some((part) => subject.includes(part)),
      minimum: whole ? minimum[suite.name] : undefined,
      skippedCount: process.env['CI'] === undefined,
    })),
  );
}
if (results.length === 0) {
  console.error(`Nothing matches. Suites: ${suites.map(({ name }) => name).join(', ')}; else a part of a file's path.`);
  process.exit(2);
}
printSummary(results);
process.exitCode = totals(results).failed === 0 ? 0 : 1;
