#!/usr/bin/env node
// Starts `npm test`, `npm run demo` and the like on a fresh clone: brings in what is missing, then runs the given
// TypeScript file with the Node of node_modules. Itself it needs no more than Node 20 and has no dependencies.
//
//   node test/setup/withSetup.mjs FILE [ARGUMENT]...
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledNode, runWithNode } from '../../server/bin/runWithNode.mjs';
import { installDebianPackages } from './debianPackages.mjs';
import { installNodeModules } from './nodeModules.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

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
runWithNode(bundledNode(root), [resolve(root, file), ...args], { cwd: root });
