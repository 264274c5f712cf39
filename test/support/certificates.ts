import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Paths of a small public key infrastructure, PEM files all. Keys have mode 0600. */
export interface TestCertificates {
  /** The authority that signed both others. */
  readonly caCertificate: string;
  /** For the host names given (and nothing else). */
  readonly serverCertificate: string;
  readonly serverKey: string;
  /** For the database role given. */
  readonly clientCertificate: string;
  readonly clientKey: string;
}

const openssl = async (...args: string[]): Promise<void> => {
  await promisify(execFile)('openssl', args);
};

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/**
 * Makes an authority, a server's and a client's certificate with the `openssl` program.
 *
 * @param names of the server: what a client checks with `verify-full`. Names that are addresses go in as such.
 * @param role common name of the client's certificate.
 */
export async function makeCertificates(
  directory: string,
  names: readonly string[] = ['localhost', '127.0.0.1'],
  role = 'postgres',
): Promise<TestCertificates> {
  await mkdir(directory, { recursive: true });
  const at = (name: string): string => join(directory, name);
  const sign = async (name: string, subject: string, extensions: string): Promise<void> => {
    await writeFile(at(`${name}.ext`), extensions);
    await openssl('req', '-new', ...newKey, '-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`));
    await openssl(
      ...['x509', '-req', '-days', '2', '-in', at(`${name}.csr`), '-out', at(`${name}.crt`)],
      ...['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at(`${name}.ext`)],
    );
    await chmod(at(`${name}.key`), 0o600);
  };
  await openssl(
    ...['req', '-x509', '-days', '2', ...newKey, '-subj', '/CN=Pointback test authority'],
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
  );
  await chmod(at('ca.key'), 0o600);
  const alternatives = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`));
  await sign('server', `/CN=${names[0] ?? 'server'}`, `subjectAltName=${alternatives.join(',')}\n`);
  await sign('client', `/CN=${role}`, 'extendedKeyUsage=clientAuth\n');
  return {
    caCertificate: at('ca.crt'),
    serverCertificate: at('server.crt'),
    serverKey: at('server.key'),
    clientCertificate: at('client.crt'),
    clientKey: at('client.key'),
  };
}
