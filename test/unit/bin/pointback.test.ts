import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const checkout = resolve(import.meta.dirname, '..', '..', '..');

/** What makes this Node look like one of before 22.15. */
const oldNode = [
  '--import',
  'data:text/javascript,import zlib from "node:zlib"; import { syncBuiltinESMExports } from "node:module"; ' +
    'delete zlib.zstdCompress; syncBuiltinESMExports();',
];

/** A place where Pointback is installed, with programs of the tests in place of its own. */
interface Installation extends AsyncDisposable {
  put(path: string, text: string, changed?: Date): Promise<void>;
  bringNode(): Promise<void>;
  start(nodeArguments?: readonly string[], ...args: string[]): Run;
}

interface Run {
  readonly pid: number;
  /** Resolves at the first output. */
  readonly speaks: Promise<unknown>;
  readonly ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>;
}

async function installation(): Promise<Installation> {
  const root = await mkdtemp(join(tmpdir(), 'pointback-bin-'));
  await cp(join(checkout, 'server', 'bin'), join(root, 'server', 'bin'), { recursive: true });
  await writeFile(join(root, 'package.json'), '{ "type": "module" }');
  return {
    async put(path, text, changed = new Date()) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
      await utimes(join(root, path), changed, changed);
    },
    async bringNode() {
      const name = process.platform === 'win32' ? 'node.exe' : 'node';
      await mkdir(join(root, 'node_modules', 'node', 'bin'), { recursive: true });
      await symlink(process.execPath, join(root, 'node_modules', 'node', 'bin', name));
    },
    start(nodeArguments = [], ...args) {
      const child = spawn(process.execPath, [...nodeArguments, join(root, 'server', 'bin', 'pointback.mjs'), ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const output = { stdout: '', stderr: '' };
      child.stdout.on('data', (text: Buffer) => (output.stdout += text.toString()));
      child.stderr.on('data', (text: Buffer) => (output.stderr += text.toString()));
      const ended = new Promise<Awaited<Run['ended']>>((done) => {
        child.once('close', (code, signal) => {
          done({ code, signal, ...output });
        });
      });
      return { pid: child.pid!, speaks: once(child.stdout, 'data'), ended };
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

const echo = "console.log('bundle', process.pid, ...process.argv.slice(2)); process.exitCode = 7;\n";

test('runs the bundle in its own process, with its arguments and exit code', async () => {
  await using place = await installation();
  await place.put('dist/cli.js', echo);
  const run = place.start([], 'list', '--json', '', 'a b');
  assert.deepEqual(await run.ended, {
    code: 7,
    signal: null,
    stdout: `bundle ${run.pid} list --json  a b\n`,
    stderr: '',
  });
});

test('an old Node hands over to the one in node_modules', async () => {
  await using place = await installation();
  await place.put('dist/cli.js', echo);
  await place.bringNode();
  const run = place.start(oldNode, 'list', '--json', '', 'a b');
  const { code, stdout, stderr } = await run.ended;
  assert.equal(code, 7);
  assert.match(stdout, /^bundle \d+ list --json {2}a b\n$/);
  assert.notEqual(Number(stdout.split(' ')[1]), run.pid);
  assert.equal(stderr, '');
});

test('an old Node alone says what is needed, in one line', async () => {
  await using place = await installation();
  await place.put('dist/cli.js', echo);
  const { code, stdout, stderr } = await place.start(oldNode).ended;
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^pointback: needs Node 22\.15 or newer; this is Node \S+ \(.*\)\.\n$/);
});

test('in a checkout the sources run when they are newer than the bundle, in subfolders too', async () => {
  await using place = await installation();
  const [before, after] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')];
  await place.put('dist/cli.js', "console.log('bundle');\n", before);
  await place.put('server/src/cli.ts', "console.log('sources' satisfies string);\n", before);
  await place.put('server/src/cli/help.ts', '', before);
  assert.equal((await place.start().ended).stdout, 'bundle\n');
  await place.put('server/src/cli/help.ts', '', after);
  assert.equal((await place.start().ended).stdout, 'sources\n');
  await place.put('dist/cli.js', "console.log('bundle');\n", after);
  assert.equal((await place.start().ended).stdout, 'bundle\n');
});

const patient = (signal: string, onSignal: string): string =>
  `process.on('${signal}', () => { ${onSignal} }); setInterval(() => {}, 1000); console.log('waiting');\n`;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  for (const [which, nodeArguments] of [
    ['a good Node', []],
    ['an old Node', oldNode],
  ] as const) {
    test(`${signal} reaches the program under ${which}, once, and its answer is the exit code`, async () => {
      await using place = await installation();
      await place.bringNode();
      await place.put(
        'dist/cli.js',
        patient(signal, "console.log('cleaned up'); setTimeout(() => process.exit(9), 50);"),
      );
      const run = place.start(nodeArguments);
      await run.speaks;
      process.kill(run.pid, signal);
      const { code, stdout } = await run.ended;
      assert.equal(code, 9);
      assert.equal(stdout, 'waiting\ncleaned up\n');
    });
  }
}

test('a program ended by a signal ends its starter by the same', async () => {
  await using place = await installation();
  await place.bringNode();
  await place.put('dist/cli.js', "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);\n");
  const { code, signal } = await place.start(oldNode).ended;
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGTERM' });
});
