import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { abandonedDirectories } from '../support/temporaryDirectory.ts';
import { serverBinaries, testedMajors } from '../support/postgresBinaries.ts';
import { removeAbandonedServers } from '../support/abandonedServers.ts';
import type { Result } from './result.ts';
import { checks, runCheck } from './runCheck.ts';
import { runTestFile } from './runTestFile.ts';

/** One thing that a suite runs. */
export interface Job {
  /** What it runs, as a path of the checkout or a name. */
  readonly subject: string;
  run(): Promise<Result>;
}

/** A part of `npm test` that can be run by its name. */
export interface Suite {
  readonly name: string;
  /** How many jobs run at the same time. */
  readonly concurrency: number;
  /** Done before the first job. */
  prepare(): Promise<void>;
  jobs(): Promise<Job[]>;
  /** What shows only after the last job; undefined when there is nothing to say. */
  finish(): Promise<Result | undefined>;
}

const nothing = (): Promise<undefined> => Promise.resolve(undefined);

async function testFiles(root: string, directory: string, timeoutMs: number): Promise<Job[]> {
  const subjects: string[] = [];
  for await (const subject of glob(`test/${directory}/**/*.test.ts`, { cwd: root })) subjects.push(subject);
  return subjects.sort().map((subject) => ({ subject, run: () => runTestFile(root, join(root, subject), timeoutMs) }));
}

/** Copies the binaries once, before several tests want them and their time counts. */
async function prepareEngine(): Promise<void> {
  await removeAbandonedServers();
  for (const major of testedMajors) await serverBinaries(major);
}

/** A test that leaves a server or a directory behind is a failure, whichever it was. */
async function nothingLeftBehind(): Promise<Result> {
  const startedAt = performance.now();
  const left = await abandonedDirectories();
  await removeAbandonedServers();
  return {
    subject: 'nothing left behind',
    passed: left.length === 0 ? 1 : 0,
    failures: left.map((path) => ({ name: 'left behind', text: path })),
    skipped: [],
    durationMs: performance.now() - startedAt,
  };
}

/** All suites, in the order in which they run. */
export function allSuites(root: string): Suite[] {
  return [
    {
      name: 'check',
      concurrency: 2,
      prepare: nothing,
      jobs: () => Promise.resolve(checks.map((check) => ({ subject: check.name, run: () => runCheck(root, check) }))),
      finish: nothing,
    },
    {
      name: 'unit',
      concurrency: 2,
      prepare: nothing,
      jobs: () => testFiles(root, 'unit', 120_000),
      finish: nothing,
    },
    {
      name: 'engine',
      concurrency: 1,
      prepare: prepareEngine,
      jobs: () => testFiles(root, 'engine', 300_000),
      finish: nothingLeftBehind,
    },
  ];
}

/** How many tests each suite has to have run at least, by its name (`test/minimum.json`). */
export async function readMinimum(root: string): Promise<Readonly<Record<string, number>>> {
  return JSON.parse(await readFile(join(root, 'test', 'minimum.json'), 'utf8')) as Record<string, number>;
}
