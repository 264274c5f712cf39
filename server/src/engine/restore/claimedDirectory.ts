import { constants, type Stats } from 'node:fs';
import {
  chmod,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  rm,
  rmdir,
  stat,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { copyFolder, unfinishedMarker } from './layoutOfCopy.ts';
import { isSystemError, writeFailed } from './restoredFile.ts';
import type { FileOwner } from './restorePlan.ts';

/** Nobody else gets into a directory before it is complete. */
const closedMode = 0o700;

/** Who gets a claimed directory in the end, and with what mode. */
export interface ClaimTerms {
  readonly mode: number;
  /** Set when root restores for somebody else. */
  readonly owner?: FileOwner;
}

/** A directory that is reached at `place`, whatever its path leads to meanwhile. */
interface Held {
  readonly place: string;
  readonly handle?: FileHandle;
}

/**
 * A directory that one restore alone fills: new, or empty. Of several restores that claim it at the same time one gets
 * it, by making Pointback's folder in it.
 *
 * When root restores for another user, that user is not trusted: he may own the directory above and replace this one by a
 * link to anywhere. So it belongs to root with mode 0700 until `handOver`, and what is written goes through a descriptor
 * of it (on Linux, by /proc; elsewhere by its path).
 */
export class ClaimedDirectory {
  /** What the user named. */
  readonly path: string;
  readonly #terms: ClaimTerms;
  #held: Held;
  /** Directories this restore made, from the topmost to this one. */
  readonly #made: { readonly path: string; readonly status: Stats }[] = [];
  /** What it was, when it was there. */
  #before: Stats | undefined;
  #claim: 'none' | 'folder' | 'whole' = 'none';

  private constructor(path: string, terms: ClaimTerms) {
    this.path = path;
    this.#terms = terms;
    this.#held = { place: path };
  }

  /**
   * Makes the directory where it is missing, and those above, and claims it: Pointback's folder is in it, with the mark
   * of an unfinished restore. Throws `restore.target-not-empty`; then it is as it was.
   */
  static async claim(path: string, terms: ClaimTerms): Promise<ClaimedDirectory> {
    const directory = new ClaimedDirectory(path, terms);
    try {
      await directory.#make();
      await directory.#take();
      return directory;
    } catch (error) {
      await directory.abandon().catch(() => undefined);
      throw isSystemError(error) ? writeFailed(path, error) : error;
    }
  }

  /** Where to write: leads here, even when `path` no longer does. */
  get place(): string {
    return this.#held.place;
  }

  /** Removes Pointback's folder from a directory that shall hold nothing but what the archives held. */
  async removeFolder(): Promise<void> {
    await rm(join(this.place, copyFolder), { recursive: true, force: true });
  }

  /** Gives the complete directory to its owner. Nothing may be written into it afterwards. Throws `restore.write-failed`. */
  async handOver(): Promise<void> {
    const { handle } = this.#held;
    if (handle !== undefined && !sameFile(await handle.stat(), await stat(this.path).catch(() => undefined))) {
      throw new PointbackError('restore.write-failed', {
        message: `${this.path} was moved or replaced while it was written.`,
      });
    }
    await chmod(this.place, this.#terms.mode);
    const { owner } = this.#terms;
    if (owner === undefined || handle === undefined) return;
    await handle.chown(owner.uid, owner.gid);
    await handle.sync();
  }

  /** Lets go of the directory without changing it. */
  async close(): Promise<void> {
    await this.#held.handle?.close();
    this.#held = { place: this.path };
  }

  /**
   * Undoes everything: empties the directory if it was claimed, and removes it and those above if this restore made them
   * and nobody else has put something there.
   */
  async abandon(): Promise<void> {
    const { handle } = this.#held;
    try {
      if (this.#claim === 'whole') {
        // He may have it already, when what came after its handing over failed.
        if (handle !== undefined) await handle.chown(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
        await emptyDirectory(this.place, copyFolder);
        await emptyDirectory(join(this.place, copyFolder));
      }
      if (this.#before !== undefined) {
        const { uid, gid, mode } = this.#before;
        await chmod(this.place, mode & 0o7777);
        await handle?.chown(uid, gid);
      }
      // The last step: from then on it may be the next restore's.
      if (this.#claim !== 'none') await rmdir(join(this.place, copyFolder)).catch(() => undefined);
    } finally {
      await this.close();
    }
    for (const { path, status } of this.#made.reverse()) {
      if (!sameFile(status, await lstat(path).catch(() => undefined))) return;
      // Another restore may be at work below it.
      const removed = await rmdir(path).then(
        () => true,
        () => false,
      );
      if (!removed) return;
    }
  }

  async #make(): Promise<void> {
    const missing: string[] = [];
    let at = this.path;
    for (; !(await exists(at)); at = dirname(at)) missing.unshift(basename(at));
    this.#held = await this.#hold(at, at);
    for (const [index, name] of missing.entries()) {
      const above = this.#held;
      at = join(at, name);
      const isLast = index === missing.length - 1;
      const made = await makeDirectory(join(above.place, name), isLast ? closedMode : this.#terms.mode);
      this.#held = await this.#hold(join(above.place, name), at, constants.O_NOFOLLOW);
      await above.handle?.close();
      if (!made) continue;
      this.#made.push({ path: at, status: await stat(this.place) });
      if (!isLast) await this.#giveAway();
    }
  }

  /** A directory above, made on the way: its owner must be able to pass. */
  async #giveAway(): Promise<void> {
    const { owner } = this.#terms;
    // What is not empty is not what was made here.
    if (owner === undefined || (await readdir(this.place)).length > 0) return;
    await this.#held.handle?.chown(owner.uid, owner.gid);
  }

  async #take(): Promise<void> {
    const folder = join(this.place, copyFolder);
    if (!(await makeDirectory(folder, closedMode))) throw this.#notEmpty('Another restore to it has begun meanwhile');
    this.#claim = 'folder';
    const { handle } = this.#held;
    const wasMadeHere = this.#made.at(-1)?.path === this.path;
    if (!wasMadeHere) this.#before = await stat(this.place);
    const { mode, owner } = this.#terms;
    await handle?.chown(process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    await chmod(this.place, closedMode);
    // From here on nobody else can change it; what its owner did before that shows.
    const strange = (await readdir(this.place)).filter((name) => name !== copyFolder);
    if (strange.length > 0) throw this.#notEmpty(`It holds ${strange.slice(0, 3).join(', ')}`);
    const status = await lstat(folder);
    const isOurs = status.isDirectory() && (owner === undefined || status.uid === process.getuid?.());
    if (!isOurs || (await readdir(folder)).length > 0) throw this.#notEmpty(`It holds a strange ${copyFolder}`);
    this.#claim = 'whole';
    await chmod(folder, mode);
    if (owner !== undefined) await lchown(folder, owner.uid, owner.gid);
    await writeFile(join(this.place, unfinishedMarker), '', { flag: 'wx', mode: 0o600 });
  }

  #notEmpty(why: string): PointbackError {
    return new PointbackError('restore.target-not-empty', { message: `${this.path} cannot be used. ${why}.` });
  }

  /** Opens a directory when it is to be given away; `flags` for a name that no link may have. */
  async #hold(place: string, path: string, flags = 0): Promise<Held> {
    if (this.#terms.owner === undefined) return { place: path };
    const handle = await open(place, constants.O_RDONLY | constants.O_DIRECTORY | flags);
    const descriptor = `/proc/${process.pid}/fd/${handle.fd}`;
    const reachable = sameFile(await handle.stat(), await stat(descriptor).catch(() => undefined));
    return { place: reachable ? descriptor : path, handle };
  }
}

/** `path` as the user knows it, for one that may begin with the place of a claimed directory. */
export function shownPath(path: Buffer | string, directories: readonly ClaimedDirectory[]): string {
  const text = path.toString();
  const directory = directories.find(({ place }) => text === place || text.startsWith(`${place}/`));
  return directory === undefined ? text : directory.path + text.slice(directory.place.length);
}

/** Removes what a directory holds; it may be gone itself. */
async function emptyDirectory(directory: string, except?: string): Promise<void> {
  const names = await readdir(directory, { encoding: 'buffer' }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [];
  });
  for (const name of names.filter((each) => except === undefined || !each.equals(Buffer.from(except)))) {
    await rm(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
  }
}

/** Whether it was missing. */
async function makeDirectory(path: string, mode: number): Promise<boolean> {
  return mkdir(path, { mode }).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    },
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
      return false;
    },
  );
}

function sameFile(one: Stats, other: Stats | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino;
}
