import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { PromptedPasswords } from '../../../server/src/cli/passwordPrompt.ts';
import { canPrompt, promptForLine } from '../../../server/src/cli/prompt.ts';
import type { TextInput } from '../../../server/src/cli/terminal.ts';
import { FakeOutput } from './fakes.ts';

class FakeTerminalInput extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(raw: boolean): this {
    this.isRaw = raw;
    return this;
  }
}

const never = new AbortController().signal;

async function typed(text: string | readonly Buffer[], hidden: boolean) {
  const input = new FakeTerminalInput();
  const output = new FakeOutput({ isTTY: true });
  let interrupts = 0;
  const devices = { input, output, interrupt: () => (interrupts += 1) };
  const answer = promptForLine(devices, 'Q: ', { hidden, signal: never });
  assert.equal(input.isRaw, true);
  for (const piece of typeof text === 'string' ? [Buffer.from(text)] : text) input.write(piece);
  const line = await answer;
  assert.equal(input.isRaw, false);
  assert.equal(input.listenerCount('data'), 0);
  return { line, shown: output.text, interrupts };
}

test('a hidden answer is read and never shown', async () => {
  assert.deepEqual(await typed('pa55 wörd\r', true), { line: 'pa55 wörd', shown: 'Q: \n', interrupts: 0 });
});

test('backspace, Ctrl-U, arrows and pieces of characters', async () => {
  assert.equal((await typed('abx\x7fc\r', true)).line, 'abc');
  assert.equal((await typed('wrong\x15right\n', true)).line, 'right');
  assert.equal((await typed('a\x1b[Db\x1bOAc\x1b[3~d\r', true)).line, 'abcd');
  assert.equal((await typed('\x7f\r', true)).line, '');
  const bytes = Buffer.from('ü👍\r');
  assert.equal(
    (
      await typed(
        [...bytes].map((byte) => Buffer.of(byte)),
        true,
      )
    ).line,
    'ü👍',
  );
});

test('a visible answer is echoed', async () => {
  assert.deepEqual(await typed('yex\bs\r', false), { line: 'yes', shown: 'Q: yex\b \bs\n', interrupts: 0 });
});

test('the end of input is no answer', async () => {
  assert.equal((await typed('\x04', true)).line, undefined);
});

test('Ctrl-C interrupts, and the abort that follows restores the terminal', async () => {
  const input = new FakeTerminalInput();
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const output = new FakeOutput({ isTTY: true });
  const devices = {
    input,
    output,
    interrupt: () => {
      controller.abort(reason);
      output.write('cancelling');
    },
  };
  const answer = promptForLine(devices, 'Q: ', { hidden: true, signal: controller.signal });
  input.write('half\x03');
  await assert.rejects(answer, reason);
  assert.equal(input.isRaw, false);
  assert.equal(output.text, 'Q: \ncancelling', 'the message has a line of its own');
  await assert.rejects(promptForLine(devices, 'Q: ', { hidden: true, signal: controller.signal }), reason);
});

test('there is someone to ask only when both ends are a terminal', () => {
  const terminal = new FakeTerminalInput();
  const pipe = new PassThrough() as TextInput;
  assert.equal(canPrompt({ input: terminal, output: new FakeOutput({ isTTY: true }) }), true);
  assert.equal(canPrompt({ input: terminal, output: new FakeOutput() }), false);
  assert.equal(canPrompt({ input: pipe, output: new FakeOutput({ isTTY: true }) }), false);
});

const request = { host: 'h', port: 5432, user: 'ada' };

test('a password is asked for once, one question at a time', async () => {
  const questions: string[] = [];
  const answers: (() => void)[] = [];
  const passwords = new PromptedPasswords((question) => {
    questions.push(question);
    return new Promise((resolve) => {
      answers.push(() => {
        resolve(`p${questions.length}`);
      });
    });
  });
  const first = passwords.password(request, never);
  const again = passwords.password(request, never);
  const other = passwords.password({ ...request, user: 'eve' }, never);
  await Promise.resolve();
  assert.deepEqual(questions, ['Password of ada at h:5432: ']);
  answers[0]?.();
  assert.equal((await first)?.reveal(), 'p1');
  assert.equal((await again)?.reveal(), 'p1');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(questions.length, 2);
  answers[1]?.();
  assert.equal((await other)?.reveal(), 'p2');
  assert.equal((await passwords.password(request, never))?.reveal(), 'p1');
  assert.equal(questions.length, 2);
});

test('a cancelled question is no answer, and without a terminal there is none', async () => {
  let asked = 0;
  const passwords = new PromptedPasswords(() => {
    asked += 1;
    return asked === 1 ? Promise.reject(new Error('cancelled')) : Promise.resolve('p');
  });
  await assert.rejects(passwords.password(request, never), /cancelled/);
  assert.equal((await passwords.password(request, never))?.reveal(), 'p');
  assert.equal(await new PromptedPasswords(undefined).password(request, never), undefined);
  assert.equal(await new PromptedPasswords(() => Promise.resolve('')).password(request, never), undefined);
});
