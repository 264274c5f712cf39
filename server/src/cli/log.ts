import type { Log, LogLevel } from '../engine/context.ts';
import { printable } from '../api/format.ts';
import type { MessageArea } from './progress/messageArea.ts';
import type { Style } from './terminal.ts';

const levels: readonly LogLevel[] = ['debug', 'info', 'warning', 'error'];

/** The least urgent level that is shown: POINTBACK_LOG, `info` when it is unset or unknown. */
export function logThreshold(variables: Readonly<Record<string, string | undefined>>): LogLevel {
  return levels.find((level) => level === variables['POINTBACK_LOG']) ?? 'info';
}

/** An operation's log on standard error, a line each. */
export function logTo(
  messages: Pick<MessageArea, 'line'>,
  variables: Readonly<Record<string, string | undefined>>,
  style: Style,
): Log {
  const threshold = levels.indexOf(logThreshold(variables));
  return (level, message) => {
    if (levels.indexOf(level) < threshold) return;
    const text = printable(message);
    messages.line(level === 'info' ? text : `${marked(level, style)} ${text}`);
  };
}

function marked(level: Exclude<LogLevel, 'info'>, style: Style): string {
  const color = { debug: 'dim', warning: 'yellow', error: 'red' } as const;
  return style(color[level], `${level}:`);
}
