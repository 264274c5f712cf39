import { posix } from 'node:path';
import {
  includeOf,
  inReadingOrder,
  isTakenFromDirectory,
  leadsOut,
  resolveInclude,
  type IncludeLine,
} from '../../formats/includeLines.ts';
import type { CopyFiles } from './copyFiles.ts';

const deepestInclude = 10;

/** The files of a copy that a line includes, relative to the data directory; whether they are there is not looked at. */
export async function includedPlaces(
  copy: Pick<CopyFiles, 'names'>,
  includingFile: string,
  { directive, path }: IncludeLine,
): Promise<string[]> {
  const place = resolveInclude(includingFile, path);
  if (directive !== 'include_dir') return [place];
  return inReadingOrder((await copy.names(place)).filter(isTakenFromDirectory)).map((name) => posix.join(place, name));
}

/** The text of a copy's configuration with everything it includes in its place, latin1. */
export async function expandedSettings(
  copy: Pick<CopyFiles, 'names' | 'text'>,
  file = 'postgresql.conf',
  depth = 0,
): Promise<string> {
  const lines: string[] = [];
  for (const line of (await copy.text(file)).split('\n')) {
    const include = includeOf(line);
    if (include === undefined || leadsOut(include.path) || depth >= deepestInclude) {
      lines.push(line);
      continue;
    }
    for (const place of await includedPlaces(copy, file, include)) {
      lines.push(await expandedSettings(copy, place, depth + 1));
    }
  }
  return lines.join('\n');
}
