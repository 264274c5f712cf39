import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { commands } from '../../../server/src/cli/commandTable.ts';
import { commandHelp, generalHelp } from '../../../server/src/cli/help.ts';
import { globalOptions } from '../../../server/src/cli/option.ts';
import { matchesGolden } from './golden.ts';

test('the help text of the program', async () => {
  await matchesGolden('help', generalHelp(commands));
});

for (const command of commands) {
  test(`the help text of ${command.name}`, async () => {
    await matchesGolden(`help-${command.name}`, commandHelp(command));
  });

  test(`${command.name} shadows no global option, and its required words come first`, () => {
    assert.deepEqual(
      Object.keys(command.options).filter((name) => Object.hasOwn(globalOptions, name)),
      [],
    );
    const required = command.positionals.map((positional) => positional.required);
    assert.deepEqual(
      required,
      required.toSorted((a, b) => Number(b) - Number(a)),
    );
  });
}

test('no help line is wider than 100 columns, examples aside', () => {
  for (const lines of [generalHelp(commands), ...commands.map(commandHelp)]) {
    for (const line of lines) assert.ok(line.length <= 100 || line.startsWith('  pointback '), line);
  }
});

test('no golden help text is left over', async () => {
  const names = (await readdir(new URL('./golden/', import.meta.url))).filter((name) => name.startsWith('help'));
  assert.deepEqual(names.toSorted(), ['help.txt', ...commands.map(({ name }) => `help-${name}.txt`)].toSorted());
});
