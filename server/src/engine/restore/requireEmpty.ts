import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { shellWord } from '../../api/shellWord.ts';
import { unfinishedMarker } from './layoutOfCopy.ts';

/** Throws `restore.target-not-empty` unless the directory is empty or does not exist. */
export async function requireEmpty(directory: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !(await isLink(directory))) return;
    throw new PointbackError('restore.target-not-empty', {
      message: problemOf(directory, code),
      cause: error,
    });
  }
  if (names.length === 0) return;
  const unfinished = await stat(join(directory, unfinishedMarker)).then(
    () => true,
    () => false,
  );
  throw new PointbackError('restore.target-not-empty', {
    message: unfinished
      ? `${directory} holds what an interrupted restore left.`
      : `${directory} is not empty: it holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}.`,
    ...(unfinished ? { remedy: `Remove it (rm -r -- ${shellWord(directory)}) and restore again.` } : {}),
  });
}

function problemOf(directory: string, code: string | undefined): string {
  if (code === 'ENOENT') return `${directory} is a link to a place that does not exist.`;
  return code === 'ENOTDIR'
    ? `${directory} is a file, or lies below one.`
    : `${directory} cannot be looked into (${String(code)}).`;
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}
