import { link, lstat, mkdir, open, realpath, rename, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errorCode, outside, rootGone } from './storeErrors.ts';

/** `~` is in no key, so these names can never collide with an object. */
const unfinishedPrefix = '.pointback-unfinished~';
const claimPrefix = '.pointback-claim~';

/** A claim seen for longer belongs to a process that died between claiming and publishing: that takes milliseconds. */
const staleClaimMs = 30_000;

/** A name for a file being written, telling whose it is. */
export function unfinishedName(): string {
  return `${unfinishedPrefix}${process.pid}~${crypto.randomUUID()}`;
}

/** Whether a file is what an unfinished write left. */
export function isUnfinishedName(name: string): boolean {
  return name.startsWith(unfinishedPrefix) || name.startsWith(claimPrefix);
}

/**
 * Makes the entries of a directory survive a crash: new, renamed and removed files. Windows has no such call, and some
 * network file systems refuse it because they need none.
 */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

/** Throws `store.outside` when `directory` lies outside `root` once its symbolic links are followed. `root` has none. */
export async function assertInside(root: string, directory: string): Promise<void> {
  const real = await realpath(directory);
  if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) throw outside(directory, root);
}

/** Creates a directory and what is missing above it, for their owner alone, durably. */
export async function makeRoot(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(directory) === directory) throw error;
    await makeRoot(dirname(directory));
    await makeRoot(directory);
    return;
  }
  await syncDirectory(dirname(directory));
}

/**
 * Creates `directory` below `root` with all that is missing above it, for its owner alone, durably. Never creates the
 * root: when that is gone (an unmounted disk) it throws `store.unreachable`.
 */
export async function makeDirectory(root: string, directory: string): Promise<void> {
  try {
    await assertInside(root, directory);
    return;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    if (directory === root) throw rootGone(root, error);
  }
  const parent = dirname(directory);
  await makeDirectory(root, parent);
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  await syncDirectory(parent);
}

/** Removes `directory` and those above it, up to but without `root`, as far as they are empty. */
export async function removeEmptyDirectories(root: string, directory: string): Promise<void> {
  for (let current = directory; current !== root; current = dirname(current)) {
    try {
      await rmdir(current);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue;
      return;
    }
    await syncDirectory(dirname(current)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
    });
  }
}

/** Codes of `link` where the file system has no hard links (FAT, exFAT, some network and container mounts). */
const withoutHardLinks = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EINVAL']);

/**
 * Gives the complete file `temporary` the name `final` unless that exists; false then. Of several callers one gets true.
 * The temporary file is gone when it resolves to true.
 */
export async function publishExclusively(temporary: string, final: string, hardLinks = true): Promise<boolean> {
  if (hardLinks) {
    const linked = await linkUnlessExists(temporary, final);
    // From here on the object is there, whatever becomes of the other name: a sweep may have removed that already.
    if (linked === true) await unlink(temporary).catch(() => undefined);
    if (linked !== undefined) return linked;
  }
  return publishUnderClaim(temporary, final);
}

/** Undefined where there are no hard links. */
async function linkUnlessExists(temporary: string, final: string): Promise<boolean | undefined> {
  try {
    await link(temporary, final);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (withoutHardLinks.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * The same without hard links: whoever creates the claim file may look and rename, everyone else waits for the outcome.
 * A claim that stays is one of a killed process and is broken.
 */
async function publishUnderClaim(temporary: string, final: string): Promise<boolean> {
  const claim = join(dirname(final), claimPrefix + basename(final));
  const waitingSince = performance.now();
  while (!(await createExclusively(claim))) {
    if (await exists(final)) return false;
    if (performance.now() - waitingSince > staleClaimMs) await unlink(claim).catch(() => undefined);
    else await setTimeout(10);
  }
  try {
    if (await exists(final)) return false;
    await rename(temporary, final);
    return true;
  } finally {
    await unlink(claim).catch(() => undefined);
  }
}

async function createExclusively(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
