import { decodeTarHeader, tarDamaged, tarPadding, TAR_BLOCK, type TarEntry } from './tarHeader.ts';

export { encodeTarHeader, tarPadding, type TarEntry } from './tarHeader.ts';

/** What a TarReader tells of the archive, in the archive's order. */
export interface TarHandler {
  /** A member begins. */
  entry(entry: TarEntry): void;
  /** A piece of the current file's content, never empty: a view of the bytes pushed, so copy what must outlive the call. */
  content(piece: Buffer): void;
  /** The current file's content is complete. For files only, empty ones included. */
  entryEnd(): void;
}

const ZERO_BLOCK = Buffer.alloc(TAR_BLOCK);

/** What the next byte of the stream belongs to. */
type State = 'header' | 'content' | 'padding' | 'second-zero-block' | 'after-terminator';

/**
 * Reads a tar stream cut anywhere, as PostgreSQL sends it: ustar headers, files, directories and symlinks. Content is
 * handed on as views without looking at its bytes; everything else is checked: header checksums, that padding is zero,
 * that nothing but zero blocks follows the terminator. Servers 13 and 14 send no terminator, so `end` accepts a stream
 * that ends after a member; ask `terminated` where the terminator is due.
 *
 * After an error, its own or the handler's, the reader must not be used any more.
 */
export class TarReader {
  readonly #handler: TarHandler;
  /** Gathers a header that came in several pieces. */
  readonly #block = Buffer.alloc(TAR_BLOCK);
  #gathered = 0;
  #state: State = 'header';
  /** Bytes still to come of the present content or padding. */
  #remaining = 0;
  #padding = 0;
  #offset = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** Bytes pushed so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether the two zero blocks that end an archive were seen. */
  get terminated(): boolean {
    return this.#state === 'after-terminator';
  }

  /** The next bytes of the stream. The reader keeps no reference to `chunk`. Throws `tar.damaged`. */
  push(chunk: Buffer): void {
    const length = chunk.length;
    const start = this.#offset;
    let at = 0;
    while (at < length) {
      if (this.#state === 'content') {
        const end = Math.min(at + this.#remaining, length);
        this.#remaining -= end - at;
        // The whole chunk inside one file is the common case, and worth not making a view.
        this.#handler.content(at === 0 && end === length ? chunk : chunk.subarray(at, end));
        at = end;
        if (this.#remaining === 0) this.#endContent();
      } else if (this.#state === 'padding') {
        const end = Math.min(at + this.#remaining, length);
        if (!isZero(chunk, at, end)) throw tarDamaged('the padding after a file is not zero', start + at);
        this.#remaining -= end - at;
        at = end;
        if (this.#remaining === 0) this.#state = 'header';
      } else {
        at = this.#gatherBlock(chunk, at, start);
      }
    }
    this.#offset = start + length;
  }

  /** The stream ended. Throws `tar.damaged` when it ended inside a member or the terminator. */
  end(): void {
    if ((this.#state !== 'header' && this.#state !== 'after-terminator') || this.#gathered !== 0) {
      throw tarDamaged('it ends in the middle of a member', this.#offset);
    }
  }

  /** Takes up to a block from `chunk`, handles the block when it is whole, and returns where the rest begins. */
  #gatherBlock(chunk: Buffer, at: number, start: number): number {
    if (this.#gathered === 0 && chunk.length - at >= TAR_BLOCK) {
      const end = at + TAR_BLOCK;
      this.#takeBlock(chunk.subarray(at, end), start + at);
      return end;
    }
    const end = Math.min(at + TAR_BLOCK - this.#gathered, chunk.length);
    chunk.copy(this.#block, this.#gathered, at, end);
    this.#gathered += end - at;
    if (this.#gathered === TAR_BLOCK) {
      this.#gathered = 0;
      this.#takeBlock(this.#block, start + end - TAR_BLOCK);
    }
    return end;
  }

  #takeBlock(block: Buffer, offset: number): void {
    const zero = isZero(block, 0, TAR_BLOCK);
    if (this.#state === 'header') {
      if (zero) this.#state = 'second-zero-block';
      else this.#beginMember(decodeTarHeader(block, offset));
    } else if (zero) {
      this.#state = 'after-terminator';
    } else {
      throw tarDamaged('data follows the end of the archive', offset);
    }
  }

  #beginMember(entry: TarEntry): void {
    this.#handler.entry(entry);
    if (entry.type !== 'file') return;
    this.#remaining = entry.size;
    this.#padding = tarPadding(entry.size);
    this.#state = 'content';
    if (entry.size === 0) this.#endContent();
  }

  #endContent(): void {
    this.#handler.entryEnd();
    this.#remaining = this.#padding;
    this.#state = this.#padding === 0 ? 'header' : 'padding';
  }
}

function isZero(chunk: Buffer, from: number, to: number): boolean {
  return chunk.compare(ZERO_BLOCK, 0, to - from, from, to) === 0;
}
