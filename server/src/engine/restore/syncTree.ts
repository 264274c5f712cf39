import { execFile } from 'node:child_process';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const filesAtOnce = 16;

/**
 * Makes directories and all they hold durable. On Linux the whole file system is synced by one call (`sync -f`, as
 * PostgreSQL's `--sync-method=syncfs`); elsewhere, or where that program is missing, every file and directory.
 */
export async function syncTrees(directories: readonly string[], signal: AbortSignal): Promise<void> {
  if (process.platform === 'linux') {
    try {
      await run('sync', ['-f', ...directories], { signal });
      return;
    } catch {
      signal.throwIfAborted();
    }
  }
  for (const directory of directories) await syncTree(directory, signal);
}

async function syncTree(directory: string, signal: AbortSignal): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() || (entry.isDirectory() && process.platform !== 'win32'))
    .map((entry) => join(entry.parentPath, entry.name));
  if (process.platform !== 'win32') paths.push(directory);
  const next = paths[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const path of next) {
      signal.throwIfAborted();
      const file = await open(path, 'r');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  };
  await Promise.all(Array.from({ length: filesAtOnce }, worker));
}
