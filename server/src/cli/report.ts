import { inspect } from 'node:util';
import type { PointbackError } from '../api/errors.ts';
import { printable } from '../api/format.ts';
import type { Style } from './terminal.ts';

/** One JSON text on one or more lines; big integers become decimal texts, as everywhere outside the program. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => (typeof entry === 'bigint' ? entry.toString() : entry), 2);
}

/** An error for a person: what happened, what to do next, where to read on. */
export function errorLines(error: PointbackError, style: Style): string[] {
  return [
    `${style('red', 'error:')} ${printableLines(error.message)}`,
    `  → ${printableLines(error.remedy)}`,
    style('dim', `  (${error.code}; docs/errors.md#${error.code})`),
  ];
}

/** The stacks of an error and of everything behind it, for POINTBACK_LOG=debug. */
export function causeLines(error: unknown): string[] {
  const lines: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current !== undefined && depth < 10; depth += 1) {
    const text = current instanceof Error ? (current.stack ?? current.message) : inspect(current);
    lines.push(...`${depth === 0 ? '' : 'caused by: '}${text}`.split('\n').map(printable));
    current = current instanceof Error ? current.cause : undefined;
  }
  return lines;
}

/** Printable, with the further lines of a message indented below the first. */
function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n    ');
}
