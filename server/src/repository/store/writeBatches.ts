/**
 * Bytes of one write call. For larger ones Linux takes page cache in larger folios, and on virtual machines whole blocks of
 * memory are often not at hand (measured on ext4: 1 MiB a call cost one to four times the system time of 256 KiB).
 */
export const writeCallBytes = 256 * 1024;

/** Cuts a list of buffers into lists of at most `writeCallBytes`, without copying. */
export function* writeBatches(buffers: readonly Uint8Array[]): Generator<readonly Uint8Array[], void> {
  let batch: Uint8Array[] = [];
  let room = writeCallBytes;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length;) {
      const end = Math.min(buffer.length, at + room);
      batch.push(at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end));
      room -= end - at;
      at = end;
      if (room === 0) {
        yield batch;
        batch = [];
        room = writeCallBytes;
      }
    }
  }
  if (batch.length > 0) yield batch;
}
