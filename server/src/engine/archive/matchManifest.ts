import { PointbackError } from '../../api/errors.ts';
import { displayPath, type FilePath } from '../../formats/filePath.ts';
import type { ManifestFile } from '../../formats/manifestLines.ts';
import type { VerificationProblem } from '../../repository/backupRecord.ts';

/** A file as it was received or read back. */
export interface SeenFile {
  readonly path: FilePath;
  readonly size: number;
  readonly checksum: string;
}

const unlistedByTheServer = /^pg_wal\/[0-9A-F]{24}$/;

/** Whether the server leaves a file out of its manifest: WAL segments, which carry checksums of their own. */
export function isOutsideManifest(path: FilePath): boolean {
  return unlistedByTheServer.test(path);
}

/**
 * Holds what was seen against the server's manifest, file by file: every file of one must be in the other, once, with the
 * same size and checksum. Both come in the order of the backup stream, so memory is constant; files out of order are
 * remembered until their counterpart comes.
 */
export async function* matchManifest(
  seenFiles: AsyncIterable<SeenFile>,
  manifestFiles: AsyncIterable<ManifestFile>,
): AsyncGenerator<VerificationProblem, void> {
  const seen = seenFiles[Symbol.asyncIterator]();
  const listed = manifestFiles[Symbol.asyncIterator]();
  const unmatchedSeen = new Map<FilePath, SeenFile>();
  const unmatchedListed = new Map<FilePath, ManifestFile>();
  let seenDone = false;
  let listedDone = false;
  try {
    while (!seenDone || !listedDone) {
      const [file, entry]: [SeenFile | undefined, ManifestFile | undefined] = await Promise.all([
        seenDone ? undefined : nextToMatch(seen),
        listedDone ? undefined : nextOf(listed),
      ]);
      seenDone = file === undefined;
      listedDone = entry === undefined;
      if (file !== undefined && file.path === entry?.path) {
        yield* compare(file, entry);
        continue;
      }
      if (file !== undefined) {
        const counterpart = unmatchedListed.get(file.path);
        if (counterpart === undefined) {
          if (unmatchedSeen.has(file.path)) yield problem('file-twice', file.path, 'is in the backup more than once');
          unmatchedSeen.set(file.path, file);
        } else {
          unmatchedListed.delete(file.path);
          yield* compare(file, counterpart);
        }
      }
      if (entry !== undefined) {
        const counterpart = unmatchedSeen.get(entry.path);
        if (counterpart === undefined) {
          if (unmatchedListed.has(entry.path))
            yield problem('file-twice', entry.path, 'is in the manifest more than once');
          unmatchedListed.set(entry.path, entry);
        } else {
          unmatchedSeen.delete(entry.path);
          yield* compare(counterpart, entry);
        }
      }
    }
    for (const path of unmatchedListed.keys())
      yield problem('file-missing', path, 'is in the manifest, but not in the backup');
    for (const path of unmatchedSeen.keys())
      yield problem('file-unlisted', path, 'is in the backup, but not in the manifest');
  } finally {
    // Left early, by damage or by whoever has seen enough: the files behind the sources must be closed.
    await Promise.allSettled([seen.return?.(), listed.return?.()]);
  }
}

async function nextOf<T>(source: AsyncIterator<T>): Promise<T | undefined> {
  const next = await source.next();
  return next.done === true ? undefined : next.value;
}

async function nextToMatch(seen: AsyncIterator<SeenFile>): Promise<SeenFile | undefined> {
  for (;;) {
    const file = await nextOf(seen);
    if (file === undefined || !isOutsideManifest(file.path)) return file;
  }
}

function* compare(file: SeenFile, entry: ManifestFile): Generator<VerificationProblem, void> {
  if (file.size !== entry.size) {
    yield problem('file-changed', file.path, `has ${file.size} bytes, the manifest says ${entry.size}`);
  } else if (entry.algorithm !== 'NONE' && file.checksum !== entry.checksum) {
    yield problem('file-changed', file.path, `has another ${entry.algorithm} checksum than the manifest says`);
  }
}

function problem(code: string, path: FilePath, what: string): VerificationProblem {
  const subject = displayPath(path);
  return { code, subject, message: `${subject} ${what}.` };
}

/** Throws the first problem as an error of code `code`. */
export async function requireNoProblem(
  problems: AsyncIterable<VerificationProblem>,
  code: 'backup.content-differs' | 'restore.content-differs',
): Promise<void> {
  for await (const { message, subject } of problems) throw new PointbackError(code, { message, details: { subject } });
}
