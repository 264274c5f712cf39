import { PointbackError } from '../api/errors.ts';

const headerBytes = 5;
/** Nothing but CopyData is larger than this; a longer length field means the stream is out of step. */
const largestCollectedMessage = 64 * 1024 * 1024;
const copyData = 'd'.charCodeAt(0);

/** Receives what the frame reader finds. */
export interface FrameHandler {
  /** A complete message other than CopyData; `body` may be kept. */
  message(type: string, body: Buffer): Promise<void> | undefined;
  /**
   * A piece of a CopyData message's payload, a view of the chunk pushed. A message has at least one piece, the last one
   * marked. A returned promise holds everything back until it settles.
   */
  copyData(piece: Buffer, first: boolean, last: boolean): Promise<void> | undefined;
}

/**
 * Splits the backend's byte stream into messages (PostgreSQL documentation, "Message Flow"). The payload of CopyData is
 * handed on as it arrives, never copied or joined; other messages are small and collected.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  /** Bytes of the current message's body still to come. */
  #remaining = 0;
  #inBody = false;
  #firstPiece = false;
  #collected: Buffer | undefined;
  #collectedFilled = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /**
   * Consumes a chunk of any cut. When the handler asks to wait, the returned promise resolves once the whole chunk is
   * consumed; push nothing before. Throws `protocol.broken` when the stream cannot be the backend's.
   */
  push(chunk: Buffer): Promise<void> | undefined {
    return this.#consume(chunk, 0);
  }

  #consume(chunk: Buffer, from: number): Promise<void> | undefined {
    let offset = from;
    while (offset < chunk.length || (this.#inBody && this.#remaining === 0)) {
      if (!this.#inBody) {
        offset = this.#readHeader(chunk, offset);
        continue;
      }
      const end = Math.min(chunk.length, offset + this.#remaining);
      const piece = chunk.subarray(offset, end);
      offset = end;
      this.#remaining -= piece.length;
      const wait = this.#collected === undefined ? this.#forward(piece) : this.#collect(this.#collected, piece);
      if (wait !== undefined) {
        const next = offset;
        return wait.then(() => this.#consume(chunk, next));
      }
    }
    return undefined;
  }

  #readHeader(chunk: Buffer, offset: number): number {
    const taken = Math.min(headerBytes - this.#headerFilled, chunk.length - offset);
    chunk.copy(this.#header, this.#headerFilled, offset, offset + taken);
    this.#headerFilled += taken;
    if (this.#headerFilled < headerBytes) return offset + taken;
    this.#headerFilled = 0;
    const length = this.#header.readInt32BE(1) - 4;
    const isCopyData = this.#header[0] === copyData;
    if (length < 0 || (!isCopyData && length > largestCollectedMessage)) {
      throw new PointbackError('protocol.broken', {
        message: `The server sent a message of ${length} bytes where none can be that long.`,
      });
    }
    this.#inBody = true;
    this.#remaining = length;
    this.#firstPiece = true;
    this.#collected = isCopyData ? undefined : Buffer.allocUnsafe(length);
    this.#collectedFilled = 0;
    return offset + taken;
  }

  #forward(piece: Buffer): Promise<void> | undefined {
    const first = this.#firstPiece;
    const last = this.#remaining === 0;
    this.#firstPiece = false;
    if (last) this.#inBody = false;
    return this.#handler.copyData(piece, first, last);
  }

  #collect(body: Buffer, piece: Buffer): Promise<void> | undefined {
    piece.copy(body, this.#collectedFilled);
    this.#collectedFilled += piece.length;
    if (this.#remaining > 0) return undefined;
    this.#inBody = false;
    this.#collected = undefined;
    return this.#handler.message(String.fromCharCode(this.#header[0] ?? 0), body);
  }
}
