import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../server/src/cli.ts', import.meta.url));

/** What a run of the command line left. */
export interface Finished {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command line. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams;
  readonly finished: Promise<Finished>;
}

/** Starts the real command line, in `home` and with nothing of the environment that could lead elsewhere. */
export function startPointback(
  words: readonly string[],
  home: string,
  variables: Record<string, string> = {},
): Running {
  const child = spawn(process.execPath, [program, ...words], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, TZ: 'UTC', ...variables },
  });
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const finished = output.then(async ([stdout, stderr]) => ({ code: await closed, stdout, stderr }));
  return { process: child, finished };
}

/** Runs the real command line to its end, with nothing on standard input. */
export async function pointback(
  words: readonly string[],
  home: string,
  variables: Record<string, string> = {},
): Promise<Finished> {
  const { process: child, finished } = startPointback(words, home, variables);
  child.stdin.end();
  return await finished;
}
