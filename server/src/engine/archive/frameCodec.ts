import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Compression, CompressionMethod } from '../../repository/backupRecord.ts';

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);
const compressDeflate = promisify(deflateRaw);
const decompressDeflate = promisify(inflateRaw);

/** What an archive's file name ends with, by compression. */
export const archiveSuffix: Readonly<Record<CompressionMethod, string>> = {
  zstd: '.tar.zst',
  gzip: '.tar.gz',
  none: '.tar',
};

/** The level used when the user names none. */
export const defaultLevel: Readonly<Record<Exclude<CompressionMethod, 'none'>, number>> = { zstd: 3, gzip: 6 };

/**
 * Compresses one frame on the thread pool: a complete zstd frame with content size and checksum, or deflate blocks that
 * refer to nothing before them, so that frames laid end to end are one stream for any tool (for gzip between the ends that
 * `GzipSum` gives). `none` hands the bytes back.
 */
export async function compressFrame(input: Buffer, { method, level }: Compression): Promise<Buffer> {
  switch (method) {
    case 'zstd':
      return compressZstd(input, {
        chunkSize: outputGuess(input.length),
        pledgedSrcSize: input.length,
        params: {
          [constants.ZSTD_c_compressionLevel]: level ?? defaultLevel.zstd,
          [constants.ZSTD_c_checksumFlag]: 1,
        },
      });
    case 'gzip':
      return compressDeflate(input, {
        chunkSize: outputGuess(input.length),
        level: level ?? defaultLevel.gzip,
        finishFlush: constants.Z_FULL_FLUSH,
      });
    case 'none':
      return input;
  }
}

/** The library grows its output chunk by chunk, a thread pool visit each: one chunk mostly holds a whole frame. */
const outputGuess = (inputBytes: number): number => Math.max(64 * 1024, Math.ceil(inputBytes / 2));

/**
 * Undoes `compressFrame`. `tarLength` is the frame's uncompressed length from the index. Rejects with the library's error,
 * or a RangeError when the length is another one.
 */
export async function decompressFrame(stored: Buffer, method: CompressionMethod, tarLength: number): Promise<Buffer> {
  // A little more than the content, else the library asks for a second chunk to find out that there is no more.
  const options = { chunkSize: Math.max(64, tarLength + 64), maxOutputLength: tarLength + 1 };
  const content =
    method === 'none'
      ? stored
      : await (method === 'zstd'
          ? decompressZstd(stored, options)
          : decompressDeflate(stored, { ...options, finishFlush: constants.Z_SYNC_FLUSH }));
  if (content.length !== tarLength) {
    throw new RangeError(`a frame holds ${content.length} bytes where the index says ${tarLength}`);
  }
  return content;
}
