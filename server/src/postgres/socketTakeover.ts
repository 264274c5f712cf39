import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { PointbackError } from '../api/errors.ts';
import { encodeQuery, encodeTerminate } from './backendMessages.ts';
import { BulkSocket } from './bulkSocket.ts';
import { sendCancelRequest } from './cancelRequest.ts';
import { FrameReader, type FrameHandler } from './frameReader.ts';

/** The parts of the driver's client that its types leave out. */
interface ClientInternals {
  readonly connection: { readonly stream: Socket };
  readonly processID: number;
  readonly secretKey: number;
}

type DataListener = (chunk: Buffer) => void;

/** What became of an exchange: the server was ready for another command, or it closed the connection. */
export type ExchangeEnd = 'ready' | 'closed';

/**
 * Sends one command on an idle connection and hands everything the server answers to `handler`, bypassing the driver's
 * parser, whose CopyData chunks are views of a buffer it reuses and know no back-pressure. While a promise of the
 * handler is pending the socket is paused. Copy data is a view of a buffer that is read into again: use it up within the
 * call, or before the returned promise settles. The connection is spent afterwards: it is ended, or destroyed on failure.
 *
 * Rejects with what the handler threw, `connection.lost` for an error of the socket, or the signal's reason; the server is
 * then asked to cancel.
 */
export function exchangeRaw(
  client: Client,
  command: string,
  handler: FrameHandler,
  signal: AbortSignal,
): Promise<ExchangeEnd> {
  const { processID, secretKey } = client as unknown as ClientInternals;
  return new Promise((resolve, reject) => {
    let settled = false;
    let stream: Socket | undefined;

    const settle = (finish: () => void): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    const fail = (error: unknown): void => {
      settle(() => {
        stream?.destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    };
    const onClose = (): void => {
      // After an abort the cancel request is awaited first; `onAbort` rejects.
      if (signal.aborted) return;
      settle(() => {
        resolve('closed');
      });
    };
    const onAbort = (): void => {
      const ended = sendCancelRequest({ host: client.host, port: client.port, processId: processID, secretKey });
      void ended.then(() => {
        fail(signal.reason);
      });
      stream?.pause();
    };

    const reader = new FrameReader({
      // The rest of a chunk that was waited for in the middle may come after the end of everything.
      copyData: (piece, first, last) => (settled ? undefined : handler.copyData(piece, first, last)),
      message: (type, body) => {
        if (settled) return undefined;
        const wait = handler.message(type, body);
        if (type === 'Z') {
          settle(() => {
            stream?.end(encodeTerminate());
            resolve('ready');
          });
        }
        return wait;
      },
    });
    const onData: DataListener = (chunk) => {
      if (settled || signal.aborted) return;
      try {
        const wait = reader.push(chunk);
        if (wait === undefined) return;
        stream?.pause();
        wait.then(() => {
          if (!signal.aborted) stream?.resume();
        }, fail);
      } catch (error) {
        fail(error);
      }
    };

    if (signal.aborted) {
      fail(signal.reason);
      return;
    }
    signal.addEventListener('abort', onAbort);
    // The driver keeps this as its active query, so that nothing else can be queued onto the wire and its own notice of
    // the closed socket comes here.
    client.query({
      submit: () => {
        stream = (client as unknown as ClientInternals).connection.stream;
        stream.removeAllListeners('data');
        if (stream instanceof BulkSocket) stream.takeOver(onData);
        else stream.on('data', onData);
        stream.once('error', (error) => {
          fail(new PointbackError('connection.lost', { message: 'The connection to the server broke.', cause: error }));
        });
        stream.once('close', onClose);
        stream.write(encodeQuery(command));
      },
      // The driver's way to say that the connection had ended before the command was sent.
      handleError: onClose,
      handleReadyForQuery: () => undefined,
    } as never);
  });
}
