#!/usr/bin/env node
// Starts `npm test`, `npm run demo` and the like on a fresh clone: brings in what is missing, then runs the given
// TypeScript file with the Node of node_modules. Itself it needs no more than Node 20 and has no dependencies.
//
//   node test/setup/withSetup.mjs FILE [ARGUMENT]...
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from './debianPackages.mjs';
import { installNodeModules } from './nodeModules.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Runs the file with the Node that npm brought; resolves to the exit code. Signals are passed on. */
function runFile(file, args) {
  const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  const child = spawn(node, [file, ...args], { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // The child decides what the signal means; this process only waits for it. From a terminal both get Ctrl-C anyway.
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done(code ?? 128 + constants.signals[signal]));
  });
}

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node test/setup/withSetup.mjs FILE [ARGUMENT]...');
  process.exit(2);
}
const run = (command, commandArguments, options = {}) =>
  spawnSync(command, commandArguments, { cwd: root, stdio: 'inherit', ...options });
installNodeModules(root, run);
// The demo and the benchmark make do with what there is; the tests shall skip nothing.
if (file.endsWith('run.ts')) installDebianPackages(run);
process.exitCode = await runFile(resolve(root, file), args);
