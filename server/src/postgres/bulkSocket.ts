import { Socket } from 'node:net';

/** Large enough that a bulk stream costs few calls, small enough to stay in a processor's cache. */
const readBufferBytes = 256 * 1024;

/** Takes what a socket has read; the bytes are overwritten by the next read. */
export type ReadListener = (chunk: Buffer) => void;

/**
 * A socket that reads into one buffer of its own, again and again. The usual one makes a new buffer a read, and a stream of
 * gigabytes then keeps the garbage collector busier than anything else. Until `takeOver`, data comes as ordinary `data`
 * events. `pause` and `resume` work as ever, and while it is paused the last chunk stays as it is.
 */
export class BulkSocket extends Socket {
  readonly #reading: { listener: ReadListener };

  constructor() {
    const reading: { listener: ReadListener } = { listener: () => undefined };
    super({
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBufferBytes),
        callback: (length, buffer) => {
          reading.listener(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#reading = reading;
    reading.listener = (chunk) => {
      // Whoever listens to events may keep what it gets.
      this.emit('data', Buffer.from(chunk));
    };
  }

  /** From now on everything read goes to `listener`, and no `data` events come. */
  takeOver(listener: ReadListener): void {
    this.#reading.listener = listener;
  }
}
