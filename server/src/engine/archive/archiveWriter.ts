import { availableParallelism } from 'node:os';
import type { IndexFrame } from '../../repository/backupIndex.ts';
import type { Compression } from '../../repository/backupRecord.ts';
import type { ObjectStore } from '../../repository/store/objectStore.ts';
import { compressFrame } from './frameCodec.ts';
import { HandOver } from './handOver.ts';

/** Uncompressed bytes of a frame: large enough to compress well, small enough to extract a single file cheaply. */
export const frameBytes = 4 * 1024 * 1024;

/** What an archive came to. */
export interface WrittenArchive {
  readonly tarBytes: number;
  readonly storedBytes: number;
  readonly frames: readonly IndexFrame[];
}

interface CompressedFrame {
  readonly buffers: readonly Buffer[];
  readonly storedBytes: number;
  readonly tarBytes: number;
}

/**
 * Writes one archive: cuts the tar stream into frames, compresses several at a time on the thread pool, and streams them
 * in order into the store. Memory is bounded by a few frames; `write` asks the caller to wait beyond that.
 */
export class ArchiveWriter {
  readonly #compression: Compression;
  readonly #frames: IndexFrame[] = [];
  readonly #queue: HandOver<CompressedFrame>;
  readonly #stored: Promise<void>;
  readonly #spareBuffers: Buffer[] = [];
  #failure: unknown;
  #failed = false;
  #buffer: Buffer | undefined;
  #pieces: Buffer[] = [];
  #filled = 0;
  #tarBytes = 0;
  #storedBytes = 0;

  constructor(store: ObjectStore, key: string, compression: Compression, signal: AbortSignal) {
    this.#compression = compression;
    this.#queue = new HandOver(availableParallelism() + 1);
    this.#stored = store.put(key, this.#output(), { signal });
    this.#stored.catch((error: unknown) => {
      this.#failed = true;
      this.#failure = error;
      // A store that failed before it took anything leaves a producer waiting.
      this.#queue.fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Takes tar bytes; the piece must not change afterwards. Returns a promise when the caller must wait. Throws what the store threw. */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.#failed) throw this.#failure;
    let rest = piece;
    let wait: Promise<void> | undefined;
    while (rest.length > 0) {
      const taken = Math.min(rest.length, frameBytes - this.#filled);
      this.#take(taken === rest.length ? rest : rest.subarray(0, taken));
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
    return { tarBytes: this.#tarBytes, storedBytes: this.#storedBytes, frames: this.#frames };
  }

  /** Gives the archive up; resolves once nothing of it is being written any more. */
  async abort(reason: Error): Promise<void> {
    this.#queue.fail(reason);
    await this.#stored.catch(() => undefined);
  }

  #take(piece: Buffer): void {
    if (this.#compression.method === 'none') {
      this.#pieces.push(piece);
    } else {
      this.#buffer ??= this.#spareBuffers.pop() ?? Buffer.allocUnsafeSlow(frameBytes);
      piece.copy(this.#buffer, this.#filled);
    }
    this.#filled += piece.length;
  }

  #submit(): Promise<void> | undefined {
    const tarBytes = this.#filled;
    this.#filled = 0;
    if (this.#compression.method === 'none') {
      const buffers = this.#pieces;
      this.#pieces = [];
      return this.#queue.push({ buffers, storedBytes: tarBytes, tarBytes });
    }
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (buffer === undefined) return undefined;
    return this.#queue.push(
      compressFrame(buffer.subarray(0, tarBytes), this.#compression).then((stored) => {
        this.#spareBuffers.push(buffer);
        return { buffers: [stored], storedBytes: stored.length, tarBytes };
      }),
    );
  }

  async *#output(): AsyncGenerator<readonly Buffer[]> {
    for await (const frame of this.#queue) {
      this.#frames.push([this.#storedBytes, frame.storedBytes, this.#tarBytes, frame.tarBytes]);
      this.#storedBytes += frame.storedBytes;
      this.#tarBytes += frame.tarBytes;
      yield frame.buffers;
    }
  }
}
