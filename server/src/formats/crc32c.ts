/* eslint-disable @typescript-eslint/no-non-null-assertion -- indexes are masked to the tables, and this is the hot path */

/** The reflected Castagnoli polynomial. */
const POLYNOMIAL = 0x82f6_3b78;

/**
 * Slicing by 16: TABLE[256 * k + b] is what byte `b` adds to the remainder when `k` more bytes follow it, so that 16
 * bytes are taken in one step without waiting for each other. A slicing WebAssembly module was no faster, one with SIMD
 * (16 streams, nibble tables) less than twice as fast: not enough for its hundred lines of assembly.
 */
const TABLE = makeTable(16);

function makeTable(slices: number): Int32Array {
  const table = new Int32Array(256 * slices);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
    table[byte] = remainder;
  }
  for (let index = 256; index < table.length; index++) {
    const shorter = table[index - 256]!;
    table[index] = (shorter >>> 8) ^ table[shorter & 0xff]!;
  }
  return table;
}

/** Below this length a view of words costs more than it saves. */
const WORDWISE_FROM = 64;

function advanceBytewise(remainder: number, bytes: Uint8Array, from: number, to: number): number {
  let r = remainder;
  for (let at = from; at < to; at++) r = (r >>> 8) ^ TABLE[(r ^ bytes[at]!) & 0xff]!;
  return r;
}

/** Whole groups of four words, in the machine's byte order, which must be little-endian. */
function advanceWordwise(remainder: number, words: Int32Array): number {
  let r = remainder;
  for (let at = 0; at < words.length; at += 4) {
    const w0 = words[at]! ^ r;
    const w1 = words[at + 1]!;
    const w2 = words[at + 2]!;
    const w3 = words[at + 3]!;
    r =
      TABLE[3840 + (w0 & 0xff)]! ^
      TABLE[3584 + ((w0 >>> 8) & 0xff)]! ^
      TABLE[3328 + ((w0 >>> 16) & 0xff)]! ^
      TABLE[3072 + (w0 >>> 24)]! ^
      TABLE[2816 + (w1 & 0xff)]! ^
      TABLE[2560 + ((w1 >>> 8) & 0xff)]! ^
      TABLE[2304 + ((w1 >>> 16) & 0xff)]! ^
      TABLE[2048 + (w1 >>> 24)]! ^
      TABLE[1792 + (w2 & 0xff)]! ^
      TABLE[1536 + ((w2 >>> 8) & 0xff)]! ^
      TABLE[1280 + ((w2 >>> 16) & 0xff)]! ^
      TABLE[1024 + (w2 >>> 24)]! ^
      TABLE[768 + (w3 & 0xff)]! ^
      TABLE[512 + ((w3 >>> 8) & 0xff)]! ^
      TABLE[256 + ((w3 >>> 16) & 0xff)]! ^
      TABLE[w3 >>> 24]!;
  }
  return r;
}

function advance(remainder: number, bytes: Uint8Array): number {
  const length = bytes.length;
  if (length < WORDWISE_FROM) return advanceBytewise(remainder, bytes, 0, length);
  // Words must be aligned in memory; what a socket delivers seldom is.
  const head = -bytes.byteOffset & 3;
  const groups = (length - head) >>> 4;
  const tail = head + 16 * groups;
  const atHead = advanceBytewise(remainder, bytes, 0, head);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, 4 * groups);
  return advanceBytewise(advanceWordwise(atHead, words), bytes, tail, length);
}

/** CRC-32C (Castagnoli) of bytes that come in pieces, as PostgreSQL's `pg_crc32c`. */
export class Crc32c {
  #remainder = -1;

  /** The next bytes; no reference to them is kept. */
  update(piece: Uint8Array): void {
    this.#remainder = advance(this.#remainder, piece);
  }

  /** The checksum of everything so far, unsigned. */
  get value(): number {
    return ~this.#remainder >>> 0;
  }
}

/** The CRC-32C of `bytes`, continued from the CRC `seed` of the bytes before them. Unsigned. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return ~advance(~seed, bytes) >>> 0;
}
