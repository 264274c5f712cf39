import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type ConnectionOptions,
  type PeerCertificate,
} from 'node:tls';
import { PointbackError } from '../api/errors.ts';
import type { SslMode } from './connectionFields.ts';
import { userPostgresqlDirectory, type ConnectionProfile, type Environment } from './connectionProfile.ts';

/** How one attempt to connect is made. */
export type Encryption = 'tls' | 'plain';

/**
 * The attempts libpq makes for an sslmode, in order (PostgreSQL documentation, "SSL Mode Descriptions"). Unix-domain
 * sockets are never encrypted.
 */
export function encryptionAttempts(sslMode: SslMode, host: string): readonly Encryption[] {
  if (host.startsWith('/') || sslMode === 'disable') return ['plain'];
  if (sslMode === 'allow') return ['plain', 'tls'];
  if (sslMode === 'prefer') return ['tls', 'plain'];
  return ['tls'];
}

/**
 * The options of Node's TLS for a profile, with libpq's meaning of each sslmode and its default files (PostgreSQL
 * documentation, "Client Verification of Server Certificates", "Client Certificates"): a root certificate file, named
 * or `~/.postgresql/root.crt`, makes any mode verify the chain; only verify-full compares the name.
 *
 * Throws `tls.file` for a file that is missing though needed or named, is unreadable, broken, or a key others can read.
 */
export async function tlsOptions(profile: ConnectionProfile, environment: Environment): Promise<ConnectionOptions> {
  const { sslMode, sslRootCert } = profile;
  const directory = userPostgresqlDirectory(environment);
  const client = await clientCertificate(profile, directory);
  const ca = sslRootCert === 'system' ? platformCertificates() : await rootCertificates(profile, directory);
  const crl = ca === undefined ? undefined : await readIfThere(join(directory, 'root.crl'));
  try {
    return {
      secureContext: createSecureContext({
        ...(ca === undefined ? {} : { ca }),
        ...(crl === undefined ? {} : { crl }),
        ...client,
      }),
      rejectUnauthorized: ca !== undefined,
      checkServerIdentity: sslMode === 'verify-full' ? checkName : () => undefined,
    };
  } catch (error) {
    throw new PointbackError('tls.file', {
      message: 'The certificate or key files of the connection cannot be used.',
      remedy:
        'Check that sslrootcert, sslcert and sslkey (or the files in ~/.postgresql) are PEM files, that key and ' +
        'certificate belong together, and that sslpassword is right if the key is encrypted.',
      cause: error,
    });
  }
}

function platformCertificates(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('default');
}

async function rootCertificates(
  { sslMode, sslRootCert }: ConnectionProfile,
  directory: string,
): Promise<Buffer | undefined> {
  const path = sslRootCert ?? join(directory, 'root.crt');
  const content = await readIfThere(path);
  if (content === undefined && (sslRootCert !== undefined || sslMode === 'verify-ca' || sslMode === 'verify-full')) {
    throw new PointbackError('tls.file', {
      message: `The root certificate file ${path} does not exist, so the server's certificate cannot be verified.`,
      remedy:
        "Put the certificate of the authority that signed the server's one there, name its file as sslrootcert, or say " +
        'sslrootcert=system if a public authority signed it.',
    });
  }
  return content;
}

async function clientCertificate(
  { sslCert, sslKey, sslKeyPassword }: ConnectionProfile,
  directory: string,
): Promise<{ cert: Buffer; key: Buffer; passphrase?: string } | undefined> {
  const certPath = sslCert ?? join(directory, 'postgresql.crt');
  const cert = await readIfThere(certPath);
  if (cert === undefined) {
    if (sslCert === undefined) return undefined;
    throw new PointbackError('tls.file', { message: `The client certificate file ${certPath} does not exist.` });
  }
  const keyPath = sslKey ?? join(directory, 'postgresql.key');
  const key = await readIfThere(keyPath);
  if (key === undefined) {
    throw new PointbackError('tls.file', {
      message: `There is a client certificate, ${certPath}, but its private key file ${keyPath} does not exist.`,
    });
  }
  await refuseSharedKey(keyPath);
  return { cert, key, ...(sslKeyPassword === undefined ? {} : { passphrase: sslKeyPassword.reveal() }) };
}

/** libpq's rule: a key of ours is for us alone; one of root's may be readable by its group. */
async function refuseSharedKey(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode, uid } = await stat(path);
  if ((mode & (uid === 0 ? 0o037 : 0o077)) === 0) return;
  throw new PointbackError('tls.file', {
    message: `The private key file ${path} can be used by others than its owner.`,
    remedy: `chmod 0600 ${path}`,
  });
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new PointbackError('tls.file', {
      message: `The file ${path} cannot be read (${code ?? 'unknown'}).`,
      cause: error,
    });
  }
}

/** Node's check, but an address may stand in the common name of a certificate without alternative names, as in libpq. */
function checkName(host: string, certificate: PeerCertificate): Error | undefined {
  const problem = checkServerIdentity(host, certificate);
  const commonNameIsAddress = isIP(host) !== 0 && !certificate.subjectaltname && certificate.subject.CN === host;
  return commonNameIsAddress ? undefined : problem;
}
