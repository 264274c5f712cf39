import type { Command } from './command.ts';
import { globalOptions } from './option.ts';
import type { Option, OptionTable } from './option.ts';

const lineWidth = 100;

/** The help text of the whole program: lines. */
export function generalHelp(commands: readonly Command[]): string[] {
  return [
    'pointback [OPTIONS] COMMAND',
    '',
    ...wrapped(
      'Backs up PostgreSQL over nothing but a TCP connection, checks every byte, and restores it beside the original.',
      '',
    ),
    '',
    'Commands:',
    ...definitions(commands.map((command) => [commandLine(command), command.summary])),
    '',
    ...wrapped(
      'INSTANCE is a name of the configuration or of the repository, or a URL such as postgresql://backup@db.example.com:5432.',
      '',
    ),
    '',
    'Options, before or after the command:',
    ...optionLines(globalOptions),
    '',
    'Exit code: 0 done, 1 failed, 2 wrong usage, 3 done but problems were found.',
    'Run `pointback COMMAND --help` for the options of a command.',
  ];
}

/** The help text of one command: lines. */
export function commandHelp(command: Command): string[] {
  const options = Object.keys(command.options).length === 0 ? [] : ['', 'Options:', ...optionLines(command.options)];
  return [
    `pointback ${usageLine(command)}`,
    ...command.description.flatMap((paragraph) => ['', ...wrapped(paragraph, '')]),
    '',
    ...definitions(command.positionals.map((positional) => [positional.name, positional.summary])),
    ...options,
    '',
    'Options of every command:',
    ...optionLines(globalOptions),
    '',
    'Examples:',
    ...command.examples.map((example) => `  pointback ${example}`),
  ];
}

function commandLine(command: Command): string {
  return [
    command.name,
    ...command.positionals.map((positional) => (positional.required ? positional.name : `[${positional.name}]`)),
  ].join(' ');
}

function usageLine(command: Command): string {
  const required = Object.entries(command.options)
    .filter(([, option]) => option.type === 'text' && option.required === true)
    .map(([name, option]) => optionText(name, option));
  const others = Object.keys(command.options).length > required.length ? ['[OPTIONS]'] : [];
  return [commandLine(command), ...required, ...others].join(' ');
}

function optionLines(options: OptionTable): string[] {
  return definitions(Object.entries(options).map(([name, option]) => [optionText(name, option), option.summary]));
}

function optionText(name: string, option: Option): string {
  const short = name === 'help' ? '-h, ' : '';
  switch (option.type) {
    case 'flag':
      return `${short}--${name}`;
    case 'choice':
      return `--${name} ${option.choices.join('|')}`;
    case 'repeated':
      return `--${name} ${option.placeholder} …`;
    case 'text':
    case 'size':
    case 'integer':
      return `--${name} ${option.placeholder}`;
  }
}

/** Terms at the left, explanations wrapped at the right of the widest term. */
function definitions(entries: readonly (readonly [term: string, explanation: string])[]): string[] {
  const width = Math.max(...entries.map(([term]) => term.length));
  return entries.flatMap(([term, explanation]) => {
    const [first = '', ...rest] = wrapped(explanation, ' '.repeat(width + 4));
    return [`  ${term.padEnd(width)}  ${first.trimStart()}`.trimEnd(), ...rest];
  });
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > lineWidth) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line];
}
