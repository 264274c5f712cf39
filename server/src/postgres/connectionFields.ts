import { PointbackError } from '../api/errors.ts';

export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** Whether a connection is encrypted and the server's certificate verified: libpq's `sslmode`. */
export type SslMode = (typeof sslModes)[number];

/** Parses a port number. Throws `connection.invalid-profile`. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw invalidProfile(`"${text}" is no port number.`, 'A port is a number from 1 to 65535; 5432 is the usual one.');
}

/** Parses libpq's sslmode. Throws `connection.invalid-profile`. */
export function parseSslMode(text: string): SslMode {
  const mode = sslModes.find((candidate) => candidate === text);
  if (mode !== undefined) return mode;
  throw invalidProfile(`"${text}" is no sslmode.`, `It is one of ${sslModes.join(', ')}.`);
}

/** Parses libpq's connect_timeout, whole seconds where zero or less is no limit, to milliseconds. */
export function parseConnectTimeout(text: string): number {
  if (!/^-?\d{1,7}$/.test(text.trim())) {
    throw invalidProfile(`"${text}" is no number of seconds.`, 'Give connect_timeout in whole seconds.');
  }
  return Math.max(0, Number(text)) * 1000;
}

/** A `connection.invalid-profile` error. */
export function invalidProfile(message: string, remedy: string): PointbackError {
  return new PointbackError('connection.invalid-profile', { message, remedy });
}
