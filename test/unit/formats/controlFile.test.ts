import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { parseControlFile } from '../../../server/src/formats/controlFile.ts';
import { crc32c } from '../../../server/src/formats/crc32c.ts';

/** The beginnings of control files of real servers by major version; the rest of the 8192 bytes is zero. */
const vectors = JSON.parse(readFileSync(new URL('../../vectors/controlFiles.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

function realControlFile(major: number): Buffer {
  const bytes = Buffer.alloc(8192);
  Buffer.from(vectors[major] ?? assert.fail(`no vector for ${major}`), 'base64').copy(bytes);
  return bytes;
}

const crcOffset = (major: number): number => (major >= 18 ? 292 : 288);

/** Changes a control file and makes its CRC fit. */
function resealed(major: number, change: (bytes: Buffer) => void): Buffer {
  const bytes = realControlFile(major);
  change(bytes);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, crcOffset(major))), crcOffset(major));
  return bytes;
}

const damaged = (error: unknown): boolean => isPointbackError(error, 'control-file.damaged');
const unsupported = (error: unknown): boolean => isPointbackError(error, 'control-file.unsupported');

test('the control files of real servers, as pg_controldata shows them', () => {
  assert.deepEqual(parseControlFile(realControlFile(18)), {
    systemIdentifier: 7710995556834883732n,
    controlVersion: 1800,
    catalogVersion: 202506291,
    major: 18,
    state: 'in production',
    time: 1795356063n,
    checkpoint: 0xa200080n,
    checkpointRedo: 0xa200028n,
    checkpointTimeline: 1,
    checkpointTime: 1795356063n,
    minRecoveryPoint: 0n,
    minRecoveryPointTimeline: 0,
    walLevel: 'logical',
    maxConnections: 37,
    maxWorkerProcesses: 11,
    maxWalSenders: 7,
    maxPreparedTransactions: 3,
    maxLocksPerTransaction: 77,
    blockSize: 8192,
    walBlockSize: 8192,
    walSegmentSize: 1048576,
    dataChecksumVersion: 1,
  });
  const systemIdentifiers = {
    13: 7710995364367134807n,
    15: 7710995471302833000n,
    16: 7710995503278994693n,
    17: 7710995531616831094n,
  };
  for (const [major, systemIdentifier] of Object.entries(systemIdentifiers)) {
    const control = parseControlFile(realControlFile(Number(major)));
    assert.equal(control.major, Number(major));
    assert.equal(control.systemIdentifier, systemIdentifier);
    assert.equal(control.maxConnections, 37);
    assert.equal(control.maxLocksPerTransaction, 77);
    assert.equal(control.dataChecksumVersion, 0);
  }
});

test('server 14 shares the layout of 13; a beta has no major', () => {
  const with14 = resealed(13, (bytes) => bytes.writeUInt32LE(202107181, 12));
  assert.equal(parseControlFile(with14).major, 14);
  const beta = resealed(18, (bytes) => bytes.writeUInt32LE(202505071, 12));
  assert.equal(parseControlFile(beta).major, undefined);
});

test('identifiers and positions keep all 64 bits', () => {
  const bytes = resealed(17, (file) => {
    file.writeBigUInt64LE(0xffff_ffff_ffff_fff1n, 0);
    file.writeBigUInt64LE(0xffff_ffff_ffff_fff2n, 40);
    file.writeBigUInt64LE(0xffff_ffff_ffff_fff3n, 136);
  });
  const control = parseControlFile(bytes);
  assert.equal(control.systemIdentifier, 0xffff_ffff_ffff_fff1n);
  assert.equal(control.checkpointRedo, 0xffff_ffff_ffff_fff2n);
  assert.equal(control.minRecoveryPoint, 0xffff_ffff_ffff_fff3n);
});

test('any flipped bit up to the end of the CRC is found', () => {
  for (const major of [13, 17, 18]) {
    for (let at = 0; at < crcOffset(major) + 4; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = realControlFile(major);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const found = (error: unknown): boolean => damaged(error) || (at >= 8 && at < 12 && unsupported(error));
        assert.throws(() => parseControlFile(changed), found, `${major}: bit ${bit} of byte ${at}`);
      }
    }
  }
});

test('a file of another length is damaged', () => {
  const bytes = realControlFile(18);
  for (const length of [0, 1, 295, 296, 8191]) {
    assert.throws(() => parseControlFile(bytes.subarray(0, length)), damaged, String(length));
  }
  assert.throws(() => parseControlFile(Buffer.concat([bytes, Buffer.alloc(1)])), damaged);
  assert.throws(() => parseControlFile(Buffer.alloc(8192)), damaged);
});

test('other versions and machines are unsupported, not damaged', () => {
  for (const version of [1201, 1900, 1901]) {
    assert.throws(() => parseControlFile(resealed(18, (bytes) => bytes.writeUInt32LE(version, 8))), unsupported);
  }
  assert.throws(() => parseControlFile(resealed(18, (bytes) => bytes.writeUInt32BE(1800, 8))), unsupported);
  assert.throws(() => parseControlFile(resealed(18, (bytes) => bytes.writeUInt32LE(4, 204))), unsupported);
});

test('every state, and none beyond them', () => {
  const states = Array.from({ length: 7 }, (_, state) => {
    return parseControlFile(resealed(16, (bytes) => bytes.writeInt32LE(state, 16))).state;
  });
  assert.deepEqual(states, [
    'starting up',
    'shut down',
    'shut down in recovery',
    'shutting down',
    'in crash recovery',
    'in archive recovery',
    'in production',
  ]);
  for (const state of [-1, 7]) {
    assert.throws(() => parseControlFile(resealed(16, (bytes) => bytes.writeInt32LE(state, 16))), damaged);
  }
});
