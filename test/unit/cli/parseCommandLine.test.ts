import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { defineCommand } from '../../../server/src/cli/command.ts';
import { parseCommandLine } from '../../../server/src/cli/parseCommandLine.ts';

const done = () => Promise.resolve({ json: null, text: [], exitCode: 0 as const });
const commands = [
  defineCommand({
    name: 'cook',
    summary: '',
    description: [],
    positionals: [
      { name: 'MEAL', summary: 'What to cook.', required: true },
      { name: 'GUEST', summary: 'For whom.', required: false },
    ],
    options: {
      hot: { type: 'flag', summary: '' },
      title: { type: 'text', placeholder: 'TEXT', summary: '' },
      pot: { type: 'text', placeholder: 'POT', summary: 'In what.', required: true },
      volume: { type: 'size', placeholder: 'SIZE', summary: '' },
      minutes: { type: 'integer', placeholder: 'N', minimum: 1, maximum: 90, summary: '' },
      heat: { type: 'choice', choices: ['low', 'high'], summary: '' },
      spice: { type: 'repeated', placeholder: 'NAME', summary: '' },
    },
    examples: [],
    run: done,
  }),
  defineCommand({ name: 'eat', summary: '', description: [], positionals: [], options: {}, examples: [], run: done }),
];
const parse = (...words: string[]) => parseCommandLine(words, commands);

test('every type of option, in any order with the words', () => {
  const { command, invocation, global } = parse(
    ...['--json', 'cook', '--spice', 'a=b', 'soup', '--volume=2M', '--minutes', '30', '--heat', 'high', '--hot'],
    ...['--config', 'c.json', 'ada', '--spice=salt', '--pot', 'big one', '--title=--odd'],
  );
  assert.equal(command?.name, 'cook');
  assert.deepEqual(invocation.words, ['soup', 'ada']);
  const { hot, title, pot, volume, minutes, heat, spice } = invocation.options;
  assert.deepEqual(
    { hot, title, pot, volume, minutes, heat, spice },
    { hot: true, title: '--odd', pot: 'big one', volume: 2097152, minutes: 30, heat: 'high', spice: ['a=b', 'salt'] },
  );
  assert.deepEqual(global, { ...global, json: true, config: 'c.json', repository: undefined, help: false });
});

test('what is not given', () => {
  const { invocation } = parse('cook', 'soup', '--pot', 'x');
  const { hot, title, volume, minutes, heat, spice } = invocation.options;
  assert.deepEqual(
    { hot, title, volume, minutes, heat, spice },
    { hot: false, title: undefined, volume: undefined, minutes: undefined, heat: undefined, spice: [] },
  );
});

test('a word equal to the command, a command after an option value, and -- before words', () => {
  assert.deepEqual(parse('cook', 'cook', '--pot', 'x').invocation.words, ['cook']);
  assert.equal(parse('--config', 'eat', 'cook', 'a', '--pot', 'x').command?.name, 'cook');
  assert.deepEqual(parse('cook', '--pot', 'x', '--', '--hot', '-b').invocation.words, ['--hot', '-b']);
});

test('help needs nothing else to be complete', () => {
  for (const words of [
    ['cook', '--help'],
    ['--help', 'cook'],
    ['cook', '-h'],
    ['help', 'cook'],
  ]) {
    const { command, global } = parse(...words);
    assert.equal(command?.name, 'cook');
    assert.equal(global.help, true);
  }
  assert.equal(parse('help').command, undefined);
  assert.equal(parse('--version').global.version, true);
  assert.equal(parse().command, undefined);
});

const refused: readonly (readonly [words: string[], message: RegExp, remedy: RegExp])[] = [
  [['coook'], /no command "coook"/, /Did you mean `pointback cook`/],
  [['zzzzzz'], /no command "zzzzzz"/, /cook, eat/],
  [['--jsn', 'eat'], /no option --jsn before/, /Did you mean --json/],
  [['--hot', 'cook', 'a'], /--hot stands before the command/, /pointback cook … --hot/],
  [['cook', 'a', '--pto', 'x'], /no option --pto of `pointback cook`/, /Did you mean --pot\?/],
  [['cook', 'a', '-x', '--pot', 'b'], /no option -x/, /cook --help/],
  [['cook', 'a', '--no-hot', '--pot', 'b'], /no option --no-hot/, /cook --help/],
  [['cook', 'a', '--__proto__', '--pot', 'b'], /no option --__proto__/, /cook --help/],
  [['cook'], /needs the option --pot POT/, /In what/],
  [['cook', '--pot', 'x'], /needs MEAL/, /What to cook/],
  [['cook', 'a', 'b', 'c', '--pot', 'x'], /what to do with "c"/, /quotes/],
  [['cook', 'a', '--pot'], /--pot needs a value/, /--pot POT/],
  [['cook', 'a', '--pot='], /--pot needs a value/, /--pot POT/],
  [['cook', 'a', '--pot', '--hot'], /--pot needs a value/, /--pot POT/],
  [['cook', 'a', '--pot', 'x', '--heat', '--hot'], /--heat needs a value/, /low\|high/],
  [['cook', 'a', '--pot', 'x', '--pot', 'y'], /--pot was given 2 times/, /once/],
  [['cook', 'a', '--pot', 'x', '--hot=yes'], /--hot takes no value/, /alone/],
  [['cook', 'a', '--pot', 'x', '--volume', '2'], /"2" is no value for --volume/, /unit/],
  [['cook', 'a', '--pot', 'x', '--minutes', '0'], /"0" is no value/, /from 1 to 90/],
  [['cook', 'a', '--pot', 'x', '--minutes', '-5'], /"-5" is no value/, /from 1 to 90/],
  [['cook', 'a', '--pot', 'x', '--minutes', '1e1'], /"1e1" is no value/, /whole number/],
  [['cook', 'a', '--pot', 'x', '--heat', 'hihg'], /"hihg" is no value/, /Did you mean "high"\? .*low, high/],
  [['eat', 'x'], /what to do with "x"/, /eat --help/],
];

for (const [words, message, remedy] of refused) {
  test(`refused: ${words.join(' ')}`, () => {
    assert.throws(
      () => parse(...words),
      (error) => {
        assert.ok(isPointbackError(error, 'usage.invalid'), String(error));
        assert.match(error.message, message);
        assert.match(error.remedy, remedy);
        assert.equal(error.exitCode, 2);
        return true;
      },
    );
  });
}
