import { readFile } from 'node:fs/promises';
import { PointbackError } from '../api/errors.ts';
import type { ConnectionProfile, Environment } from './connectionProfile.ts';
import { defaultPassFile, readPassFile, type PassFileAnswer } from './passFile.ts';
import { Secret, type PasswordSource } from './secret.ts';

/** Where a password came from, for the words of an error. */
export type PasswordOrigin = 'profile' | 'password-file' | 'environment' | 'passfile' | 'asked';

/** A password, or why there is none. */
export interface PasswordAnswer {
  readonly password?: Secret;
  readonly origin?: PasswordOrigin;
  /** A passfile that exists but was left alone, as libpq does. */
  readonly ignoredPassFile?: Extract<PassFileAnswer, { kind: 'ignored' }>;
}

/** What a lookup needs beside the profile. */
export interface PasswordLookup {
  /** The connection's database; `replication` for physical replication, which is what passfiles say then. */
  readonly database: string;
  readonly environment: Environment;
  readonly secrets: PasswordSource;
  readonly signal: AbortSignal;
}

/**
 * Finds the password of a connection: the profile's own, its password file, PGPASSWORD, the passfile, then whoever can be
 * asked. Meant to be called afresh for every connection, so that a changed password is seen.
 *
 * Throws `authentication.password-file` when the profile's password file cannot be read, and the signal's reason.
 */
export async function lookUpPassword(profile: ConnectionProfile, lookup: PasswordLookup): Promise<PasswordAnswer> {
  const { database, environment, secrets, signal } = lookup;
  signal.throwIfAborted();
  if (profile.password !== undefined) return { password: profile.password, origin: 'profile' };
  if (profile.passwordFile !== undefined) {
    return { password: await readPasswordFile(profile.passwordFile, signal), origin: 'password-file' };
  }
  const fromEnvironment = environment['PGPASSWORD'];
  if (fromEnvironment !== undefined && fromEnvironment !== '') {
    return { password: new Secret(fromEnvironment), origin: 'environment' };
  }
  const { host, port, user, instance } = profile;
  const passFile = await readPassFile(
    profile.passFile ?? defaultPassFile(environment),
    { host, port, database, user },
    signal,
  );
  if (passFile.kind === 'password') return { password: passFile.password, origin: 'passfile' };
  const request = { host, port, user, ...(instance === undefined ? {} : { instance }) };
  const asked = await secrets.password(request, signal);
  signal.throwIfAborted();
  return {
    ...(asked === undefined ? {} : { password: asked, origin: 'asked' }),
    ...(passFile.kind === 'ignored' ? { ignoredPassFile: passFile } : {}),
  };
}

/** The content of a file that holds a password and nothing else; a line break at its end is not part of it. */
async function readPasswordFile(path: string, signal: AbortSignal): Promise<Secret> {
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new PointbackError('authentication.password-file', {
      message: `The password file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      cause: error,
    });
  }
  const password = text.replace(/\r?\n$/, '');
  if (password !== '') return new Secret(password);
  throw new PointbackError('authentication.password-file', { message: `The password file ${path} is empty.` });
}
