import { availableParallelism } from 'node:os';
import { PointbackError } from '../../api/errors.ts';
import type { IndexArchive } from '../../repository/backupIndex.ts';
import type { CompressionMethod } from '../../repository/backupRecord.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { decompressFrame } from './frameCodec.ts';
import { gzipEndBytes, gzipHeader, GzipSum } from './gzipStream.ts';

/**
 * The tar stream of an archive, in order, with several frames read and decompressed ahead on the thread pool.
 *
 * Throws `backup.damaged` naming the archive when a frame cannot be decompressed or has another length than the index
 * says, or a gzip stream another checksum than it says at its end, and the store's errors.
 */
export async function* readArchive(
  store: ObjectStore,
  key: string,
  archive: IndexArchive,
  method: CompressionMethod,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const readAhead = availableParallelism() + 1;
  const ahead: Promise<Buffer>[] = [];
  const read = async (frame: number): Promise<Buffer> => {
    signal.throwIfAborted();
    const [offset, length, , tarLength] = archive.frames.at(frame) ?? [0, 0, 0, 0];
    const stored = await store.read(key, { offset, length }, { signal });
    try {
      return await decompressFrame(method === 'gzip' ? withinMember(stored, frame) : stored, method, tarLength);
    } catch (error) {
      throw new PointbackError('backup.damaged', {
        message: `${archive.name} is damaged: its frame ${frame + 1} of ${archive.frames.length}, ${length} bytes from byte ${offset}, cannot be decompressed.`,
        cause: error,
        details: { archive: archive.name, frame, offset },
      });
    }
  };
  const sum = new GzipSum();
  let gzipEnd: Buffer | undefined;
  /** A frame's own bytes, without what begins and ends the gzip stream. */
  const withinMember = (stored: Buffer, frame: number): Buffer => {
    const isLast = frame === archive.frames.length - 1;
    if (frame === 0 && !stored.subarray(0, gzipHeader.length).equals(gzipHeader)) throw new Error('not a gzip header');
    if (isLast) gzipEnd = stored.subarray(-gzipEndBytes);
    return stored.subarray(frame === 0 ? gzipHeader.length : 0, isLast ? -gzipEndBytes : undefined);
  };
  let next = 0;
  try {
    while (next < archive.frames.length || ahead.length > 0) {
      while (next < archive.frames.length && ahead.length < readAhead) {
        const frame = read(next);
        // Awaited in its turn below; a failure ahead of its turn must not count as unhandled.
        frame.catch(() => undefined);
        ahead.push(frame);
        next += 1;
      }
      const frame = await ahead.shift();
      if (frame === undefined) continue;
      if (method === 'gzip') sum.add(frame);
      yield frame;
    }
    if (gzipEnd?.equals(sum.end()) === false) {
      throw new PointbackError('backup.damaged', {
        message: `${archive.name} is damaged: its content is not what the gzip checksum at its end says.`,
        details: { archive: archive.name },
      });
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}
