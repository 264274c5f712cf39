import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundledNode } from '../../server/bin/runWithNode.mjs';

const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined);

/** Whether a package of the lock file belongs on this machine: binaries come as one package a platform. */
const belongsHere = ({ os, cpu, libc }) =>
  libc === undefined &&
  (os === undefined || os.includes(process.platform)) &&
  (cpu === undefined || cpu.includes(process.arch));

/**
 * Whether node_modules has what package-lock.json says, by npm's own record of what it installed. Times would not tell:
 * a checkout of another commit changes them at will.
 */
function isUpToDate(root) {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages;
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (installed === undefined || bundledNode(root) === undefined) return false;
  return Object.entries(wanted ?? {}).every(
    ([path, entry]) => path === '' || !belongsHere(entry) || installed[path]?.version === entry.version,
  );
}

/**
 * Installs the dependencies when they are missing or not those of the lock file. Exits when that fails: nothing runs
 * without them.
 *
 * @param run starts a command in the checkout and waits for it, as spawnSync.
 */
export function installNodeModules(root, run) {
  if (isUpToDate(root)) return;
  const command = existsSync(join(root, 'package-lock.json')) ? 'ci' : 'install';
  console.error(`Installing the dependencies (npm ${command}) …`);
  // npm under npm: the outer one's settings for this run (`npm test --silent`) are not meant for the inner one. Output
  // goes to stderr, so that stdout is the tests' alone. A shell finds npm.cmd on Windows.
  const result = run('npm', [command, '--no-audit', '--no-fund', '--include=dev', '--include=optional'], {
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    console.error(`npm ${command} failed; without the dependencies nothing can run.`);
    process.exit(1);
  }
}
