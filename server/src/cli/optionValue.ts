import { PointbackError } from '../api/errors.ts';
import { nearestWord } from '../configuration/nearestWord.ts';
import { parseSize } from '../configuration/size.ts';
import type { Option } from './option.ts';

/** The value of an option that was given once. Throws `usage.invalid` when the text does not fit the option. */
export function optionValue(
  name: string,
  option: Exclude<Option, { type: 'flag' | 'repeated' }>,
  text: string,
): string | number {
  switch (option.type) {
    case 'text':
      return text;
    case 'size':
      return parseSize(text) ?? refuse(name, text, 'a size with its unit, such as 512k, 32M or 1G');
    case 'integer': {
      const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (number >= option.minimum && number <= option.maximum) return number;
      return refuse(name, text, `a whole number from ${option.minimum} to ${option.maximum}`);
    }
    case 'choice': {
      if (option.choices.includes(text)) return text;
      const nearest = nearestWord(text, option.choices);
      return refuse(name, text, `one of ${option.choices.join(', ')}`, nearest);
    }
  }
}

function refuse(name: string, text: string, expected: string, nearest?: string): never {
  throw new PointbackError('usage.invalid', {
    message: `"${text}" is no value for --${name}.`,
    remedy: `${nearest === undefined ? '' : `Did you mean "${nearest}"? `}It must be ${expected}.`,
  });
}
