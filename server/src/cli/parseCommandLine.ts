import { parseArgs } from 'node:util';
import { PointbackError } from '../api/errors.ts';
import { nearestWord } from '../configuration/nearestWord.ts';
import type { Command, ParsedInvocation } from './command.ts';
import { globalOptions } from './option.ts';
import type { GlobalValues, Option, OptionTable, OptionValue } from './option.ts';
import { optionValue } from './optionValue.ts';

/** A command line, understood. */
export interface CommandLine {
  readonly global: GlobalValues;
  /** Undefined when none was named: with `--help`, `--version` or nothing at all. */
  readonly command: Command | undefined;
  readonly invocation: ParsedInvocation;
}

type OptionToken = Extract<ReturnType<typeof tokenize>[number], { kind: 'option' }>;

/**
 * Understands the words after the program's name. Global options may stand before or after the command; `--` ends the options;
 * `help COMMAND` is `COMMAND --help`. With `--help` or `--version` nothing else need be complete. Throws `usage.invalid`.
 */
export function parseCommandLine(writtenWords: readonly string[], commands: readonly Command[]): CommandLine {
  const words = withoutHelpWord(writtenWords);
  const named = findCommand(words, commands);
  const table: OptionTable = { ...globalOptions, ...named?.command.options };
  const rest = named === undefined ? words : words.toSpliced(named.index, 1);
  const tokens = tokenize(rest, table);
  const given = Map.groupBy(
    tokens.filter((token) => token.kind === 'option'),
    (token) => knownName(token, table, named?.command, commands),
  );
  const positionals = tokens.filter((token) => token.kind === 'positional').map((token) => token.value);
  const asksForText = given.has('help') || given.has('version');
  const values = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      valueOf(name, option, given.get(name) ?? [], asksForText, named),
    ]),
  );
  if (named !== undefined && !asksForText) checkPositionals(positionals, named.command);
  // `table` contains the global options, so their values are there with their types.
  const global = values as unknown as GlobalValues;
  return { global, command: named?.command, invocation: { words: positionals, options: values } };
}

function withoutHelpWord(words: readonly string[]): readonly string[] {
  const word = tokenize(words, globalOptions).find((token) => token.kind === 'positional');
  return word?.value === 'help' ? words.toSpliced(word.index, 1, '--help') : words;
}

interface NamedCommand {
  readonly command: Command;
  readonly index: number;
}

function findCommand(words: readonly string[], commands: readonly Command[]): NamedCommand | undefined {
  const tokens = tokenize(words, globalOptions);
  const word = tokens.find((token) => token.kind === 'positional');
  const before = tokens.filter((token) => token.kind === 'option' && (word === undefined || token.index < word.index));
  for (const token of before) if (token.kind === 'option') knownName(token, globalOptions, undefined, commands);
  if (word === undefined) return undefined;
  const command = commands.find((candidate) => candidate.name === word.value);
  if (command !== undefined) return { command, index: word.index };
  const nearest = nearestWord(
    word.value,
    commands.map((candidate) => candidate.name),
  );
  throw new PointbackError('usage.invalid', {
    message: `There is no command "${word.value}".`,
    remedy:
      nearest === undefined
        ? `The commands are: ${commands.map((candidate) => candidate.name).join(', ')}. Run \`pointback --help\` for more.`
        : `Did you mean \`pointback ${nearest}\`? Run \`pointback --help\` for all commands.`,
  });
}

/** Splits words by a table of options; unknown ones come out as options too, for `knownName` to judge. */
function tokenize(words: readonly string[], table: OptionTable) {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      {
        type: option.type === 'flag' ? ('boolean' as const) : ('string' as const),
        ...(name === 'help' ? { short: 'h' } : {}),
      },
    ]),
  );
  return parseArgs({ args: [...words], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function knownName(
  token: OptionToken,
  table: OptionTable,
  command: Command | undefined,
  commands: readonly Command[],
): string {
  if (Object.hasOwn(table, token.name)) return token.name;
  const owners = commands.filter((candidate) => Object.hasOwn(candidate.options, token.name));
  const nearest = nearestWord(token.name, Object.keys(table));
  const where = command === undefined ? 'before the command' : `of \`pointback ${command.name}\``;
  throw new PointbackError('usage.invalid', {
    message:
      owners.length > 0 && command === undefined
        ? `The option ${token.rawName} stands before the command, but belongs to one.`
        : `There is no option ${token.rawName} ${where}.`,
    remedy:
      owners.length > 0 && command === undefined
        ? `Write it after the command: \`pointback ${owners[0]?.name ?? 'COMMAND'} … ${token.rawName}\`.`
        : `${nearest === undefined ? '' : `Did you mean --${nearest}? `}Run \`pointback ${command === undefined ? '' : `${command.name} `}--help\` for what there is.`,
  });
}

function valueOf(
  name: string,
  option: Option,
  tokens: readonly OptionToken[],
  asksForText: boolean,
  named: NamedCommand | undefined,
): OptionValue<Option> {
  const texts = tokens.map((token) => checkedText(token, option));
  if (option.type === 'flag') return texts.length > 0;
  if (option.type === 'repeated') return texts;
  if (texts.length > 1) {
    throw new PointbackError('usage.invalid', {
      message: `The option --${name} was given ${texts.length} times.`,
      remedy: 'Give it once.',
    });
  }
  const [text] = texts;
  if (text !== undefined) return optionValue(name, option, text);
  if (option.type === 'text' && option.required === true && !asksForText) {
    throw new PointbackError('usage.invalid', {
      message: `\`pointback ${named?.command.name ?? ''}\` needs the option --${name} ${option.placeholder}.`,
      remedy: `Add it. ${option.summary}`,
    });
  }
  return undefined;
}

/** The token's text; empty for a flag. A value that looks like an option is taken only when written with `=`. */
function checkedText(token: OptionToken, option: Option): string {
  if (option.type === 'flag') {
    if (token.value === undefined) return '';
    throw new PointbackError('usage.invalid', {
      message: `The option ${token.rawName} takes no value.`,
      remedy: `Write ${token.rawName} alone.`,
    });
  }
  const { value } = token;
  if (value !== undefined && value !== '' && (token.inlineValue || !value.startsWith('--'))) return value;
  throw new PointbackError('usage.invalid', {
    message: `The option ${token.rawName} needs a value.`,
    remedy: `Write ${token.rawName} ${option.type === 'choice' ? option.choices.join('|') : option.placeholder}.`,
  });
}

function checkPositionals(words: readonly string[], command: Command): void {
  const missing = command.positionals.filter((positional) => positional.required)[words.length];
  if (missing !== undefined) {
    throw new PointbackError('usage.invalid', {
      message: `\`pointback ${command.name}\` needs ${missing.name}.`,
      remedy: `${missing.summary} Run \`pointback ${command.name} --help\` for the whole command.`,
    });
  }
  const surplus = words[command.positionals.length];
  if (surplus !== undefined) {
    throw new PointbackError('usage.invalid', {
      message: `\`pointback ${command.name}\` does not know what to do with "${surplus}".`,
      remedy: `Put values with spaces in quotes. Run \`pointback ${command.name} --help\` for the whole command.`,
    });
  }
}
