import { crc32 } from 'node:zlib';

/*
 * One gzip member made of frames (RFC 1952): its header before the first, the end after the last. A member a frame would
 * be as good for gzip and tar, but PostgreSQL's own tools stop after the first member, and pg_verifybackup 18 never ends.
 */

/** Deflate, no name, no time, unknown system: the same for every archive. */
export const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** An empty final block: frames end at a byte and say that more follows (RFC 1951, section 3.2.3). */
const finalBlock = Buffer.from([0x03, 0x00]);
const checksAt = finalBlock.length;
const moduloBytes = 2 ** 32;

/** Length of what `GzipSum.end` gives, bytes. */
export const gzipEndBytes = checksAt + 8;

/** Follows the content of a gzip stream for the checksum and length at its end. */
export class GzipSum {
  #crc = 0;
  #length = 0;

  /** The next piece of content, in order. */
  add(content: Buffer): void {
    this.#crc = crc32(content, this.#crc);
    this.#length = (this.#length + content.length) % moduloBytes;
  }

  /** The bytes that end a stream of this content. */
  end(): Buffer {
    const bytes = Buffer.alloc(gzipEndBytes);
    finalBlock.copy(bytes);
    bytes.writeUInt32LE(this.#crc, checksAt);
    bytes.writeUInt32LE(this.#length, checksAt + 4);
    return bytes;
  }
}
