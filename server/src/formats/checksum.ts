import { createHash } from 'node:crypto';
import { Crc32c } from './crc32c.ts';

/** The algorithms a backup manifest can name for its files (`MANIFEST_CHECKSUMS`), NONE aside. */
export type ChecksumAlgorithm = 'CRC32C' | 'SHA224' | 'SHA256' | 'SHA384' | 'SHA512';

/** A checksum while it is being computed. */
export interface Checksum {
  /** The next bytes; no reference to them is kept. */
  update(piece: Uint8Array): void;
  /** The checksum as a manifest spells it: lowercase hexadecimal. Ends the computation. */
  digest(): string;
}

/** Digits of each algorithm's checksum in a manifest. */
const DIGITS: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32C: 8,
  SHA224: 56,
  SHA256: 64,
  SHA384: 96,
  SHA512: 128,
};

/** Whether `text` is how a manifest names a checksum algorithm. */
export function isChecksumAlgorithm(text: string): text is ChecksumAlgorithm {
  return Object.hasOwn(DIGITS, text);
}

/** How many hexadecimal digits a checksum of this algorithm has. */
export function checksumDigits(algorithm: ChecksumAlgorithm): number {
  return DIGITS[algorithm];
}

/**
 * Starts a checksum as PostgreSQL computes it for a manifest (src/common/checksum_helper.c). CRC-32C comes out in the
 * byte order of the server's memory, which is little-endian on every machine Pointback supports.
 */
export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  if (algorithm === 'CRC32C') {
    const crc = new Crc32c();
    return {
      update: (piece) => {
        crc.update(piece);
      },
      digest: () => {
        const bytes = Buffer.alloc(4);
        bytes.writeUInt32LE(crc.value);
        return bytes.toString('hex');
      },
    };
  }
  const hash = createHash(algorithm.toLowerCase());
  return {
    update: (piece) => {
      hash.update(piece);
    },
    digest: () => hash.digest('hex'),
  };
}
