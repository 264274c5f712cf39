import { lchownSync, mkdirSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { PointbackError } from '../../api/errors.ts';
import {
  displayPath,
  filePathBytes,
  filePathFromText,
  isSafeRelativePath,
  type FilePath,
} from '../../formats/filePath.ts';
import type { TarEntry } from '../../formats/tar.ts';
import type { ContentSink, MemberObserver } from '../archive/fileHasher.ts';
import { RestoredFile, writeFailed } from './restoredFile.ts';
import type { FileOwner, RestorePlan } from './restorePlan.ts';
import { Slots } from './slots.ts';

/** Bytes handed to the operating system and not yet taken by it; more makes the reader wait. */
const mostPendingBytes = 32 * 1024 * 1024;
/** Files being written at once. */
const mostOpenFiles = 64;

const controlFile = filePathFromText('global/pg_control');
/** The control file's name until everything else is there: no server starts on half a cluster. */
const controlFileUnfinished = filePathFromText('global/pg_control.unfinished');
const tablespacePath = /^pg_tblspc\/(\d+)\/(.*)$/s;

/** Where the members of the archives go, and with what permissions. */
export interface RestoreTarget {
  readonly plan: Pick<RestorePlan, 'targetDirectory' | 'tablespaces'>;
  readonly directoryMode: number;
  readonly fileMode: number;
  readonly owner?: FileOwner;
  /** Members that are written elsewhere. */
  readonly withheld: ReadonlySet<string>;
  /** A path as the user knows it, where the plan names descriptors. */
  readonly shown?: (path: Buffer) => string;
}

/** Writes the members of a backup's archives as files, several at a time, in new places only: it never overwrites. */
export class RestoredFiles implements MemberObserver {
  readonly #target: RestoreTarget;
  readonly #open = new Set<RestoredFile>();
  readonly #slots = new Slots(mostOpenFiles);
  #pendingBytes = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(target: RestoreTarget) {
    this.#target = target;
  }

  member(path: FilePath, entry: TarEntry): ContentSink | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (!isSafeRelativePath(path)) {
      throw new PointbackError('backup.damaged', {
        message: `The backup holds a file named ${displayPath(path)}, which would lie outside the data directory.`,
      });
    }
    if (entry.type === 'directory') this.#makeDirectory(this.#locate(path));
    // Links are left out: tablespaces are in the map, and the server sends no others.
    if (entry.type !== 'file' || this.#target.withheld.has(path)) return undefined;
    return this.#writeFile(this.#locate(path === controlFile ? controlFileUnfinished : path));
  }

  /** A promise while too much is on its way to the disk. Throws the first failure to write. */
  settle(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pendingBytes < mostPendingBytes && this.#open.size < mostOpenFiles) return undefined;
    return this.#change().then(() => this.settle());
  }

  /** Resolves once every file is written and closed. Throws the first failure. */
  async finish(): Promise<void> {
    while (this.#open.size > 0 && this.#failure === undefined) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Where the control file lies until `complete`. */
  get unfinishedControlFile(): Buffer {
    return this.#locate(controlFileUnfinished);
  }

  /** Gives the control file its name, which makes the directory a cluster. */
  async complete(): Promise<void> {
    await rename(this.#locate(controlFileUnfinished), this.#locate(controlFile));
  }

  /** Closes everything after a failure elsewhere. */
  async abandon(): Promise<void> {
    this.#slots.end(this.#failure ?? new Error('the restore was given up'));
    await Promise.all([...this.#open].map((file) => file.abandon()));
  }

  #locate(path: FilePath): Buffer {
    const [, oid, rest] = tablespacePath.exec(path) ?? [];
    const tablespace = this.#target.plan.tablespaces.find((candidate) => String(candidate.oid) === oid);
    return tablespace === undefined || rest === undefined
      ? placeUnder(this.#target.plan.targetDirectory, filePathBytes(path))
      : placeUnder(tablespace.to, Buffer.from(rest, 'latin1'));
  }

  #makeDirectory(path: Buffer): void {
    // At once, since the files that go into it follow in the stream.
    try {
      mkdirSync(path, { recursive: true, mode: this.#target.directoryMode });
      const { owner } = this.#target;
      if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
    } catch (error) {
      throw writeFailed(this.#target.shown?.(path) ?? path, error);
    }
  }

  #writeFile(place: Buffer): ContentSink {
    const { fileMode: mode, owner, shown } = this.#target;
    const file = new RestoredFile(place, {
      mode,
      slots: this.#slots,
      ...(owner === undefined ? {} : { owner }),
      ...(shown === undefined ? {} : { shown }),
    });
    this.#open.add(file);
    return {
      content: (piece) => {
        this.#pendingBytes += piece.length;
        file.write(piece).then(
          () => {
            this.#pendingBytes -= piece.length;
            this.#changed();
          },
          (error: unknown) => {
            this.#fail(error);
          },
        );
      },
      end: () => {
        file.close().then(
          () => {
            this.#open.delete(file);
            this.#changed();
          },
          (error: unknown) => {
            // It stays among the open ones: its end was never reached, so `abandon` has to close it.
            this.#fail(error);
          },
        );
      },
    };
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #changed(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function placeUnder(directory: string, relative: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), relative]);
}
