import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** What to do with the next bytes of a backup's stream: pass some on, and then perhaps end it. */
export interface Verdict {
  readonly pass: Buffer;
  /** `close` ends the connection in order, `reset` as a crashed machine does, `hold` passes nothing more on. */
  readonly then?: Ending;
}

export type Ending = 'close' | 'reset' | 'hold';

/** Sees every byte the server sends after the command BASE_BACKUP, in order. */
export type Tamper = (chunk: Buffer) => Verdict;

/** Passes everything on. */
export const untouched: Tamper = (chunk) => ({ pass: chunk });

/** Ends the stream after so many bytes. */
export function endAfter(bytes: number, ending: Ending): Tamper {
  let left = bytes;
  return (chunk) => {
    if (chunk.length < left) {
      left -= chunk.length;
      return { pass: chunk };
    }
    return { pass: chunk.subarray(0, left), then: ending };
  };
}

/** Ends the stream `offset` bytes after the beginning of the first occurrence of `pattern`. */
export function endAt(pattern: Buffer, offset: number, ending: Ending): Tamper {
  let rest: Tamper | undefined;
  return atFirst(pattern, (before, from) => {
    rest ??= endAfter(offset, ending);
    const { pass, then } = rest(from);
    return { pass: Buffer.concat([before, pass]), ...(then === undefined ? {} : { then }) };
  });
}

/** Inverts the byte `offset` bytes after the beginning of the first occurrence of `pattern`. */
export function flipAt(pattern: Buffer, offset: number): Tamper {
  let left = offset;
  return atFirst(pattern, (before, from) => {
    const changed = Buffer.from(from);
    if (left >= 0 && left < changed.length) changed[left] = ~(changed[left] ?? 0);
    left -= changed.length;
    return { pass: Buffer.concat([before, changed]) };
  });
}

/** Passes on until the pattern begins; from there on `then` decides. A pattern in pieces is held back until it is whole. */
function atFirst(pattern: Buffer, then: (before: Buffer, from: Buffer) => Verdict): Tamper {
  let withheld = Buffer.alloc(0);
  let found = false;
  return (chunk) => {
    if (found) return then(Buffer.alloc(0), chunk);
    const bytes = Buffer.concat([withheld, chunk]);
    const at = bytes.indexOf(pattern);
    if (at >= 0) {
      found = true;
      return then(bytes.subarray(0, at), bytes.subarray(at));
    }
    let length = Math.min(pattern.length - 1, bytes.length);
    while (length > 0 && !bytes.subarray(-length).equals(pattern.subarray(0, length))) length -= 1;
    withheld = Buffer.from(bytes.subarray(bytes.length - length));
    return { pass: bytes.subarray(0, bytes.length - length) };
  };
}

/** Where things are in the stream of a base backup. */
export const places = {
  manifest: Buffer.from('{ "PostgreSQL-Backup-Manifest-Version"'),
  /** CommandComplete of BASE_BACKUP: everything but the last word has been said. */
  end: Buffer.from('C\0\0\0\x10BASE_BACKUP\0', 'latin1'),
  text: (text: string): Buffer => Buffer.from(text, 'latin1'),
};

const backupCommand = Buffer.from('BASE_BACKUP');

/** A stretch of network between Pointback and a server that can be made to fail. Everything but base backups passes. */
export class StreamProxy implements AsyncDisposable {
  /** What happens to the next base backup; each needs a fresh one. */
  tamper: Tamper = untouched;
  /** Bytes of the last base backup's stream that came from the server. */
  streamedBytes = 0;
  /** Whether a stream is being held. */
  holding = false;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer((client) => {
      this.#connect(client);
    });
  }

  static async open(target: { readonly host: string; readonly port: number }): Promise<StreamProxy> {
    const proxy = new StreamProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
    return address.port;
  }

  #connect(client: Socket): void {
    const server = connect(this.#target.port, this.#target.host);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        // What the server sent before it went is still delivered.
        if (socket === client) server.destroy();
      });
    }
    let isBackup = false;
    client.on('data', (chunk) => {
      if (chunk[0] === 0x51 && chunk.includes(backupCommand)) {
        isBackup = true;
        this.streamedBytes = 0;
        this.holding = false;
      }
    });
    client.pipe(server);
    let ending: Ending | undefined;
    const stretch = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (!isBackup) {
          done(null, chunk);
          return;
        }
        this.streamedBytes += chunk.length;
        const { pass, then } = this.tamper(chunk);
        stretch.push(pass);
        if (then === undefined) {
          done();
          return;
        }
        // Without `done` nothing more comes.
        ending = then;
        if (then === 'hold') this.holding = true;
        else stretch.push(null);
      },
    });
    stretch.once('end', () => {
      client.write(Buffer.alloc(0), () => {
        if (ending === 'reset') client.resetAndDestroy();
        else client.end();
        if (ending !== undefined) server.destroy();
      });
    });
    server.pipe(stretch).pipe(client, { end: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
