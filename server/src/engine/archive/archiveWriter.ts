import { availableParallelism } from 'node:os';
import type { Compression } from '../../repository/backupRecord.ts';
import { FrameTable, type FrameList } from '../../repository/frameTable.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { compressFrame } from './frameCodec.ts';
import { gzipHeader, GzipSum } from './gzipStream.ts';
import { HandOver } from './handOver.ts';

/** Uncompressed bytes of a frame: large enough to compress well, small enough to extract a single file cheaply. */
export const frameBytes = 4 * 1024 * 1024;

/** What an archive came to. */
export interface WrittenArchive {
  readonly tarBytes: number;
  readonly storedBytes: number;
  readonly frames: FrameList;
}

interface CompressedFrame {
  /** Held its content uncompressed, and can be filled again once the frame is stored. */
  readonly buffer: Buffer;
  readonly stored: Buffer;
  readonly tarBytes: number;
}

/**
 * Writes one archive: cuts the tar stream into frames, compresses several at a time on the thread pool, and streams them
 * in order into the store. Memory is bounded by a few frames; `write` asks the caller to wait beyond that.
 */
export class ArchiveWriter {
  readonly #compression: Compression;
  readonly #frames = new FrameTable();
  readonly #queue: HandOver<CompressedFrame>;
  readonly #stored: Promise<void>;
  readonly #spareBuffers: Buffer[] = [];
  readonly #gzipSum: GzipSum | undefined;
  #failure: unknown;
  #failed = false;
  #buffer: Buffer | undefined;
  #filled = 0;

  constructor(store: ObjectStore, key: string, compression: Compression, signal: AbortSignal) {
    this.#compression = compression;
    this.#gzipSum = compression.method === 'gzip' ? new GzipSum() : undefined;
    this.#queue = new HandOver(availableParallelism() + 1);
    this.#stored = store.put(key, this.#output(), { signal });
    this.#stored.catch((error: unknown) => {
      this.#failed = true;
      this.#failure = error;
      // A store that failed before it took anything leaves a producer waiting.
      this.#queue.fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Takes tar bytes; the piece is used up within the call. Returns a promise when the caller must wait. Throws what the store threw. */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.#failed) throw this.#failure;
    let rest = piece;
    let wait: Promise<void> | undefined;
    while (rest.length > 0) {
      const taken = Math.min(rest.length, frameBytes - this.#filled);
      this.#buffer ??= this.#spareBuffers.pop() ?? Buffer.allocUnsafeSlow(frameBytes);
      rest.copy(this.#buffer, this.#filled, 0, taken);
      this.#filled += taken;
      rest = rest.subarray(taken);
      if (this.#filled === frameBytes) wait = this.#submit();
    }
    return wait;
  }

  /** Completes the archive: resolves once it is durable in the store. */
  async finish(): Promise<WrittenArchive> {
    if (this.#filled > 0) await this.#submit();
    this.#queue.end();
    await this.#stored;
    const frames = this.#frames;
    return { tarBytes: frames.tarBytes, storedBytes: frames.storedBytes, frames };
  }

  /** Gives the archive up; resolves once nothing of it is being written any more. */
  async abort(reason: Error): Promise<void> {
    this.#queue.fail(reason);
    await this.#stored.catch(() => undefined);
  }

  #submit(): Promise<void> | undefined {
    const tarBytes = this.#filled;
    const buffer = this.#buffer;
    this.#filled = 0;
    this.#buffer = undefined;
    if (buffer === undefined) return undefined;
    const content = buffer.subarray(0, tarBytes);
    this.#gzipSum?.add(content);
    return this.#queue.push(compressFrame(content, this.#compression).then((stored) => ({ buffer, stored, tarBytes })));
  }

  async *#output(): AsyncGenerator<readonly Buffer[]> {
    for await (const { buffer, stored, tarBytes } of this.#queue) {
      const opening = this.#gzipSum !== undefined && this.#frames.length === 0 ? [gzipHeader] : [];
      const length = stored.length + (opening.length > 0 ? gzipHeader.length : 0);
      this.#frames.append(length, tarBytes);
      yield [...opening, stored];
      this.#spareBuffers.push(buffer);
    }
    if (this.#frames.length === 0 || this.#gzipSum === undefined) return;
    // What ends a gzip stream belongs to its last frame: the index covers the stored file without gaps.
    const ending = this.#gzipSum.end();
    this.#frames.extendLast(ending.length);
    yield [ending];
  }
}
