import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PointbackError } from '../api/errors.ts';

/** An account that a server runs under. */
interface Account {
  readonly uid: number;
  readonly gid: number;
}

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/**
 * Opens a server's log for appending and reading. Root opens it for the account that will run the server, and does not
 * trust that account with its own rights: no link is followed, and only a file of that account is taken.
 *
 * Throws `restored-server.failed` for anything else that lies there.
 */
export async function openServerLog(path: string, account: Account | undefined): Promise<FileHandle> {
  if (account === undefined || process.getuid?.() !== 0) return open(path, 'a+', 0o600);
  // A log in a directory of that account's own gives it nothing it could not make itself.
  const directory = await open(dirname(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
    throw strange(dirname(path), error);
  });
  try {
    const { uid } = await directory.stat();
    if (uid !== account.uid && uid !== 0) throw strange(dirname(path));
    const descriptor = process.platform === 'linux' ? `/proc/self/fd/${directory.fd}` : dirname(path);
    return await openIn(join(descriptor, basename(path)), path, account);
  } finally {
    await directory.close();
  }
}

async function openIn(place: string, path: string, account: Account): Promise<FileHandle> {
  const flags = O_RDWR | O_APPEND | O_NOFOLLOW;
  const created = await open(place, flags | O_CREAT | O_EXCL, 0o600).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  });
  // Without waiting for the other end, should it be a pipe.
  const log =
    created ??
    (await open(place, flags | O_NONBLOCK).catch((error: unknown) => {
      throw strange(path, error);
    }));
  try {
    if (created !== undefined) await created.chown(account.uid, account.gid);
    const status = await log.stat();
    if (!status.isFile() || status.uid !== account.uid) throw strange(path);
    return log;
  } catch (error) {
    await log.close();
    throw error;
  }
}

function strange(path: string, cause?: unknown): PointbackError {
  return new PointbackError('restored-server.failed', {
    message: `The server's log cannot be written: ${path} does not belong to the account that runs the server, or is a link.`,
    remedy: `Look at what it is, remove it, and start the server again.`,
    cause,
  });
}
