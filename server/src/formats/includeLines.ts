import { posix } from 'node:path';

/** A line of a configuration file that includes others. */
export interface IncludeLine {
  readonly directive: 'include' | 'include_if_exists' | 'include_dir';
  /** As written, in text. */
  readonly path: string;
}

const includeLine =
  /^[ \t]*(include|include_if_exists|include_dir)\b[ \t]*=?[ \t]*(?:'((?:[^'\\]|''|\\.)*)'|([^\s#'=]+))/i;

/**
 * What a line of postgresql.conf includes, if it does; the line is latin1, as bytes come (PostgreSQL documentation,
 * "Configuration File Includes").
 */
export function includeOf(line: string): IncludeLine | undefined {
  const [, directive = '', quoted, bare] = includeLine.exec(line) ?? [];
  const written = quoted?.replace(/''|\\(.)/g, (pair, escaped: string | undefined) => escaped ?? pair.slice(1)) ?? bare;
  if (written === undefined || written === '') return undefined;
  return {
    directive: directive.toLowerCase() as IncludeLine['directive'],
    path: Buffer.from(written, 'latin1').toString('utf8'),
  };
}

/** Everything a configuration file includes, in order; latin1. */
export function includesOf(text: string): IncludeLine[] {
  return text.split('\n').flatMap((line) => includeOf(line) ?? []);
}

/** Whether an included path is absolute or climbs. */
export function leadsOut(path: string): boolean {
  return /^([/\\]|[a-z]:)|(^|[/\\])\.\.([/\\]|$)/i.test(path);
}

/** An included path as the server resolves it: from the directory of the file that includes it (conffiles.c). */
export function resolveInclude(includingFile: string, path: string): string {
  const absolute = /^([/\\]|[a-z]:)/i.test(path);
  return posix.normalize(absolute ? path : posix.join(posix.dirname(includingFile), path)).replace(/(.)\/$/, '$1');
}

/** Whether include_dir takes a file of that name (conffiles.c, GetConfFilesInDir). */
export function isTakenFromDirectory(name: string): boolean {
  return name.endsWith('.conf') && !name.startsWith('.');
}

/** Names in the order in which include_dir reads them: that of their bytes. */
export function inReadingOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
