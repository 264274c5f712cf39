import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { PointbackError } from '../../api/errors.ts';
import type { FileOwner } from './restorePlan.ts';

const run = promisify(execFile);

/**
 * Who will own the restored files. Only root can give files away: for others it is themselves (undefined). For root it is
 * the named user, else the non-root owner of the target directory or of the nearest directory above it that exists.
 * PostgreSQL refuses to run as root, so a start without such a user is refused here.
 *
 * Throws `restore.owner-unknown` and `restore.owner-needed`.
 */
export async function resolveOwner(
  name: string | undefined,
  targetDirectory: string,
  willStart: boolean,
): Promise<FileOwner | undefined> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) {
    if (name === undefined) return undefined;
    throw new PointbackError('restore.owner-needed', {
      message: 'Only root can restore files for another user.',
      remedy: 'Leave --owner away, or run the restore as root.',
    });
  }
  if (name !== undefined) return ownerNamed(name);
  const { uid, gid } = await nearestStat(targetDirectory);
  if (uid !== 0) return { uid, gid, name: await userName(uid) };
  if (!willStart) return undefined;
  throw new PointbackError('restore.owner-needed', {
    message: 'PostgreSQL does not run as root, and the target directory belongs to root.',
  });
}

async function ownerNamed(name: string): Promise<FileOwner> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', '--', name]), run('id', ['-g', '--', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout), name };
  } catch (error) {
    // A number needs no account on this machine: it may be a container's.
    if (/^\d+$/.test(name)) return { uid: Number(name), gid: Number(name), name };
    throw new PointbackError('restore.owner-unknown', {
      message: `There is no user ${name} on this machine.`,
      cause: error,
    });
  }
}

async function nearestStat(directory: string): Promise<{ uid: number; gid: number }> {
  for (let at = directory; ; at = dirname(at)) {
    try {
      return await stat(at);
    } catch (error) {
      if (dirname(at) === at) throw error;
    }
  }
}

async function userName(uid: number): Promise<string> {
  try {
    return (await run('id', ['-un', '--', String(uid)])).stdout.trim();
  } catch {
    return String(uid);
  }
}
