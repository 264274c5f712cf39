#!/usr/bin/env node
import { commands } from './cli/commandTable.ts';
import { runCommandLine } from './cli/runCommandLine.ts';
import { systemClock } from './cli/terminal.ts';
import { hostEnvironment } from './configuration/environment.ts';

// A reader that went away (`pointback list | head -1`) is no failure of ours.
for (const output of [process.stdout, process.stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const exitCode = await runCommandLine(process.argv.slice(2), commands, {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: hostEnvironment(),
  clock: systemClock,
  signals: process,
  exitNow: (code) => process.exit(code),
});

// Pipes are written asynchronously on some platforms: everything must be out before the process ends, and it must end even
// when something still holds a handle.
await Promise.all(
  [process.stdout, process.stderr].map(
    (output) =>
      new Promise<void>((resolve) => {
        output.write('', () => {
          resolve();
        });
      }),
  ),
);
process.exit(exitCode);
