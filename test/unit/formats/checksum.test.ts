import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { checksumDigits, createChecksum, isChecksumAlgorithm } from '../../../server/src/formats/checksum.ts';
import { Crc32c, crc32c } from '../../../server/src/formats/crc32c.ts';

/** The definition, one bit at a time. */
function slowCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  }
  return ~remainder >>> 0;
}

test('CRC-32C has its known answers (RFC 3720, appendix B.4)', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd794e);
});

test('CRC-32C is the same for every length and alignment', () => {
  const memory = Buffer.from(new ArrayBuffer(400));
  randomBytes(400).copy(memory);
  for (let from = 0; from < 9; from++) {
    for (let length = 0; length <= 300; length++) {
      const bytes = memory.subarray(from, from + length);
      assert.equal(crc32c(bytes), slowCrc32c(bytes), `${length} bytes at ${from}`);
    }
  }
});

test('CRC-32C of pieces is that of the whole, for every cut', () => {
  const bytes = randomBytes(333);
  const whole = crc32c(bytes);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const crc = new Crc32c();
    crc.update(bytes.subarray(0, cut));
    crc.update(bytes.subarray(cut));
    assert.equal(crc.value, whole);
    assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), whole);
  }
});

test('checksums are spelled as in a manifest', () => {
  const of = (algorithm: Parameters<typeof createChecksum>[0], text: string): string => {
    const checksum = createChecksum(algorithm);
    checksum.update(Buffer.from(text));
    return checksum.digest();
  };
  assert.equal(of('CRC32C', ''), '00000000');
  // Little-endian: the known answer 0xE3069283 backwards.
  assert.equal(of('CRC32C', '123456789'), '839206e3');
  // PG_VERSION of a real server 18 and its manifest's line (test/vectors/manifests/18.gz).
  assert.equal(of('CRC32C', '18\n'), '994e7be2');
  for (const algorithm of ['SHA224', 'SHA256', 'SHA384', 'SHA512'] as const) {
    const expected = createHash(algorithm.toLowerCase()).update('123456789').digest('hex');
    assert.equal(of(algorithm, '123456789'), expected);
    assert.equal(expected.length, checksumDigits(algorithm));
  }
  assert.equal(of('SHA256', 'abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('only the names a manifest uses are algorithms', () => {
  for (const name of ['CRC32C', 'SHA224', 'SHA256', 'SHA384', 'SHA512']) assert.equal(isChecksumAlgorithm(name), true);
  for (const name of ['NONE', 'sha256', 'MD5', '', 'constructor']) assert.equal(isChecksumAlgorithm(name), false);
});
