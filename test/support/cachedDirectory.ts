import { chmod, lstat, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { testRoot } from './testRoot.ts';

/** Name of the list in a cached directory of what it consists of. */
const contentsFile = 'contents.json';

async function listFiles(directory: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    sizes.set(relative(directory, path), (await lstat(path)).size);
  }
  sizes.delete(contentsFile);
  return sizes;
}

/** Whether a cached directory is complete: a cleaner of old temporary files may have taken some of it. */
async function isIntact(directory: string): Promise<boolean> {
  try {
    const expected = JSON.parse(await readFile(join(directory, contentsFile), 'utf8')) as Record<string, number>;
    const found = await listFiles(directory);
    return Object.entries(expected).every(([path, size]) => found.get(path) === size);
  } catch {
    return false;
  }
}

/** What this process has found intact: once is enough, and looking takes some milliseconds. */
const foundIntact = new Set<string>();

/**
 * The directory `name` of the tests' cache, made by `fill` when it is missing or damaged, else as an earlier run left it.
 * Several processes may ask at the same time: each sees it complete or not at all.
 */
export async function cachedDirectory(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(await testRoot(), name);
  if (foundIntact.has(directory) || (await isIntact(directory))) {
    foundIntact.add(directory);
    return directory;
  }
  const working = await mkdtemp(`${directory}.new.`);
  try {
    await chmod(working, 0o755);
    await fill(working);
    await writeFile(join(working, contentsFile), JSON.stringify(Object.fromEntries(await listFiles(working))));
    await rename(working, directory).catch(async () => {
      // Either a process that was quicker has just put the same files there, or something damaged is in the way.
      if (await isIntact(directory)) return;
      await rename(directory, `${working}.old`);
      await rename(working, directory);
    });
  } finally {
    await rm(working, { recursive: true, force: true });
    await rm(`${working}.old`, { recursive: true, force: true });
  }
  foundIntact.add(directory);
  return directory;
}
