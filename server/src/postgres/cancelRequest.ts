import { connect } from 'node:net';

const cancelRequestCode = 80877102;

/** Where and whose command to cancel. */
export interface CancelTarget {
  readonly host: string;
  readonly port: number;
  readonly processId: number;
  readonly secretKey: number;
}

/**
 * Asks the server to cancel what a connection is doing, best effort, within `timeoutMs` (PostgreSQL documentation,
 * "Canceling Requests in Progress"; sent without TLS, as libpq up to 16 does). Without it a walsender that waits for a
 * spread checkpoint would notice only minutes later that its client is gone.
 */
export function sendCancelRequest(target: CancelTarget, timeoutMs = 2000): Promise<void> {
  return new Promise((resolve) => {
    const socket = target.host.startsWith('/')
      ? connect(`${target.host}/.s.PGSQL.${target.port}`)
      : connect(target.port, target.host);
    const message = Buffer.alloc(16);
    message.writeInt32BE(16, 0);
    message.writeInt32BE(cancelRequestCode, 4);
    message.writeInt32BE(target.processId, 8);
    message.writeInt32BE(target.secretKey, 12);
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('connect', () => socket.end(message));
    socket.on('error', () => socket.destroy());
    socket.on('data', () => undefined);
    socket.on('close', () => {
      resolve();
    });
  });
}
