import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { PointbackError } from '../../../server/src/api/errors.ts';
import { defineCommand } from '../../../server/src/cli/command.ts';
import type { CommandResult } from '../../../server/src/cli/command.ts';
import { runCommandLine } from '../../../server/src/cli/runCommandLine.ts';
import type { Session } from '../../../server/src/cli/session.ts';
import { testEnvironment } from '../configuration/environment.ts';
import { FakeClock, FakeOutput } from './fakes.ts';

type Run = (session: Session) => Promise<CommandResult>;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly exits: readonly number[];
}

const nothing: CommandResult = { json: {}, text: [], exitCode: 0 };

/** Runs a command line whose only command, `do`, is `run`. */
async function ran(
  words: string,
  run: Run,
  options: {
    readonly variables?: Record<string, string>;
    readonly isTTY?: boolean;
    readonly signals?: EventEmitter;
  } = {},
): Promise<Ran> {
  const stdout = new FakeOutput(options);
  const stderr = new FakeOutput(options);
  const exits: number[] = [];
  const command = defineCommand({
    name: 'do',
    summary: 'Does.',
    description: [],
    positionals: [],
    options: {},
    examples: ['do'],
    run: (_invocation, session) => run(session),
  });
  const signals = options.signals ?? new EventEmitter();
  const code = await runCommandLine(words.split(' ').filter(Boolean), [command], {
    stdin: new PassThrough(),
    stdout,
    stderr,
    environment: testEnvironment({ variables: options.variables ?? {}, currentDirectory: '/nowhere' }),
    clock: new FakeClock(),
    signals,
    exitNow: (exitCode) => exits.push(exitCode),
  });
  assert.deepEqual(signals.eventNames(), [], 'no listener is left');
  return { code, stdout: stdout.text, stderr: stderr.text, exits };
}

test('the result is all there is on standard output', async () => {
  const run: Run = ({ context }) => {
    context.progress({ phase: 'receiving', doneBytes: 1 });
    context.log('info', 'a note');
    context.log('debug', 'too much');
    context.log('warning', 'mind\nthis');
    return Promise.resolve({ json: { lsn: 5n, list: [1] }, text: ['one', 'two'], exitCode: 3 });
  };
  assert.deepEqual(await ran('do', run), {
    code: 3,
    stdout: 'one\ntwo\n',
    stderr: 'receiving: 1 byte\na note\nwarning: mind\\x0athis\n',
    exits: [],
  });
  const json = await ran('do --json', run);
  assert.equal(json.code, 3);
  assert.deepEqual(JSON.parse(json.stdout), { lsn: '5', list: [1] });
});

test('an error says what happened, what to do, and where to read on', async () => {
  const run: Run = () =>
    Promise.reject(
      new PointbackError('instance.unknown', { message: 'No \x1b[31m"x".', remedy: 'Look.\nThen look again.' }),
    );
  const human = await ran('do', run);
  assert.deepEqual(human, {
    code: 2,
    stdout: '',
    stderr:
      'error: No \\x1b[31m"x".\n  → Look.\n    Then look again.\n  (instance.unknown; docs/errors.md#instance.unknown)\n',
    exits: [],
  });
  const json = await ran('--json do', run);
  assert.equal(json.stderr, '');
  assert.deepEqual(Object.keys(JSON.parse(json.stdout) as object), ['error']);
  assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'instance.unknown');
});

test('a usage error is JSON too when JSON was asked for, and not after --', async () => {
  const json = await ran('do --json --zzz', () => Promise.resolve(nothing));
  assert.equal(json.code, 2);
  assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'usage.invalid');
  const human = await ran('do -- --json', () => Promise.resolve(nothing));
  assert.equal(human.stdout, '');
  assert.match(human.stderr, /^error: .*"--json"/);
});

test('a fault of ours says so, with its causes only for POINTBACK_LOG=debug', async () => {
  const run: Run = () => Promise.reject(new TypeError('x is not a function', { cause: new Error('the cause') }));
  const short = await ran('do', run);
  assert.equal(short.code, 1);
  assert.match(short.stderr, /^error: Something unexpected happened: x is not a function\n {2}→ .*POINTBACK_LOG=debug/);
  assert.ok(!short.stderr.includes('the cause'));
  const long = await ran('do', run, { variables: { POINTBACK_LOG: 'debug' } });
  assert.match(long.stderr, /caused by: .*the cause/);
  assert.match(long.stderr, /runCommandLine\.test\.ts/);
});

test('colours only on a terminal, and not with NO_COLOR', async () => {
  const run: Run = ({ style }) => Promise.resolve({ ...nothing, text: [style('green', 'fine')] });
  assert.equal((await ran('do', run)).stdout, 'fine\n');
  assert.equal((await ran('do', run, { isTTY: true })).stdout, '\x1b[32mfine\x1b[39m\n');
  assert.equal((await ran('do', run, { isTTY: true, variables: { NO_COLOR: '1' } })).stdout, 'fine\n');
  assert.equal((await ran('do', run, { isTTY: true, variables: { TERM: 'dumb' } })).stdout, 'fine\n');
});

/** A command that waits for its cancellation, then ends as told. */
function untilAborted(signals: EventEmitter, signal: string, end: (session: Session) => Promise<CommandResult>): Run {
  return async (session) => {
    const aborted = new Promise((resolve) => {
      session.context.signal.addEventListener('abort', resolve, { once: true });
    });
    signals.emit(signal);
    await aborted;
    return await end(session);
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} cancels, and the clean end is waited for`, async () => {
    const signals = new EventEmitter();
    let cleaned = false;
    const run = untilAborted(signals, signal, async ({ context }) => {
      await new Promise((resolve) => setImmediate(resolve));
      cleaned = true;
      context.signal.throwIfAborted();
      return nothing;
    });
    const { code, stdout, stderr, exits } = await ran('do', run, { signals });
    assert.deepEqual({ code, stdout, cleaned, exits }, { code: 1, stdout: '', cleaned: true, exits: [] });
    assert.match(stderr, /^Cancelling: .*\nerror: The operation was cancelled\.\n.*\n.*operation\.cancelled/);
  });
}

test('what fails because of a cancellation is a cancellation', async () => {
  const signals = new EventEmitter();
  const run = untilAborted(signals, 'SIGINT', () =>
    Promise.reject(new PointbackError('connection.lost', { message: 'The connection broke.' })),
  );
  const { code, stdout, stderr } = await ran('do --json', run, { signals });
  assert.equal(code, 1);
  assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'operation.cancelled');
  assert.match(stderr, /while cancelling: The connection broke\./);
});

test('what was done before the cancellation could stop it is done', async () => {
  const signals = new EventEmitter();
  const run = untilAborted(signals, 'SIGINT', () => Promise.resolve({ ...nothing, text: ['done'] }));
  const { code, stdout } = await ran('do', run, { signals });
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'done\n' });
});

test('a second Ctrl-C exits at once', async () => {
  const signals = new EventEmitter();
  const run = untilAborted(signals, 'SIGINT', () => {
    signals.emit('SIGINT');
    return Promise.resolve(nothing);
  });
  assert.deepEqual((await ran('do', run, { signals })).exits, [1]);
});

test('help and version need no configuration and no command', async () => {
  const variables = { POINTBACK_CONFIG: '/nowhere/absent.json' };
  const run: Run = () => assert.fail('it ran');
  assert.match((await ran('--help', run, { variables })).stdout, /^pointback \[OPTIONS\] COMMAND\n/);
  assert.match((await ran('help do', run, { variables })).stdout, /^pointback do\n/);
  assert.match((await ran('--version', run, { variables })).stdout, /^pointback \d+\.\d+\.\d+\n$/);
  assert.deepEqual(Object.keys(JSON.parse((await ran('--help --json', run, { variables })).stdout) as object), [
    'help',
  ]);
  assert.equal((await ran('', run, { variables })).code, 2);
  assert.match((await ran('do', run, { variables })).stderr, /configuration\.missing/);
});
