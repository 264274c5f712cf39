#!/usr/bin/env node
// The command line's entry. Plain JavaScript for any Node that knows modules: it looks for what can run the program.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as zlib from 'node:zlib';
import { bundledNode, runWithNode } from './runWithNode.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bundle = join(root, 'dist', 'cli.js');
const sources = join(root, 'server', 'src');

/** Whether the bundle has everything: in a checkout the sources may have changed since. */
function isBundleCurrent() {
  if (!existsSync(bundle)) return false;
  if (!existsSync(sources)) return true;
  const builtAt = statSync(bundle).mtimeMs;
  const isOlder = (folder) =>
    readdirSync(folder, { withFileTypes: true }).every((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? isOlder(path) : statSync(path).mtimeMs <= builtAt;
    });
  return isOlder(sources);
}

const useBundle = isBundleCurrent();
const program = useBundle ? bundle : join(sources, 'cli.ts');
// Node 22.15 has zstd; TypeScript as it is runs from 22.18.
const canRun = typeof zlib.zstdCompress === 'function' && (useBundle || Boolean(process.features.typescript));
const otherNode = canRun ? undefined : bundledNode(root);

if (canRun) {
  await import(pathToFileURL(program).href);
} else if (otherNode !== undefined) {
  runWithNode(otherNode, [program, ...process.argv.slice(2)]);
} else {
  const wanted = useBundle ? '22.15' : '22.18';
  console.error(
    `pointback: needs Node ${wanted} or newer; this is Node ${process.versions.node} (${process.execPath}).`,
  );
  process.exitCode = 1;
}
