import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../../support/freePort.ts';

const root = resolve(import.meta.dirname, '..', '..', '..');
let directory = '';

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pointback-build-'));
  await promisify(execFile)(process.execPath, [join(root, 'esbuild.mjs'), directory]);
});

after(() => rm(directory, { recursive: true, force: true }));

async function bundled(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const options = { cwd: directory, env: { PATH: process.env['PATH'], HOME: directory, PGPASSWORD: 'hunter2' } };
    execFile(process.execPath, [join(directory, 'cli.js'), ...args], options, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

test('the build has the command line and the entry of its jobs, with source maps', async () => {
  assert.deepEqual((await readdir(directory)).sort(), ['cli.js', 'cli.js.map', 'jobProcess.js', 'jobProcess.js.map']);
});

test('the bundle runs away from the checkout and from every node_modules', async () => {
  const { code, stdout, stderr } = await bundled('--help');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /pointback \[OPTIONS\] COMMAND/);
});

test('the bundled driver connects: a port that nobody listens on is told as such', async () => {
  const port = await freePort();
  const repository = join(directory, 'repository');
  const url = `postgresql://someone@127.0.0.1:${port}/postgres`;
  const { code, stdout, stderr } = await bundled('--repository', repository, 'check', url);
  assert.equal(code === 1 || code === 3, true, `${code}: ${stderr}`);
  assert.match(stdout + stderr, new RegExp(`127\\.0\\.0\\.1.*${port}`, 's'));
  assert.doesNotMatch(stdout + stderr, /hunter2|internal\.unexpected|Cannot find/);
});
