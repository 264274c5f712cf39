import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates } from './certificates.ts';
import type { TestCertificates } from './certificates.ts';
import { copyDataDirectoryTemplate, initializeDataDirectory } from './dataDirectoryTemplate.ts';
import { freePort } from './freePort.ts';
import { serverBinaries } from './postgresBinaries.ts';
import type { TestBinaries } from './postgresBinaries.ts';
import { temporaryDirectory } from './temporaryDirectory.ts';
import { TestServer } from './testServer.ts';
import type { Settings } from './testServer.ts';
import { unprivilegedUser } from './unprivileged.ts';

/** What a test server shall be. */
export interface ServerOptions {
  readonly major: number;
  /** Takes binaries of that source only; see `serverBinaries`. */
  readonly source?: TestBinaries['source'];
  /** Lines of postgresql.conf. Without `fsync` the server does not sync. */
  readonly settings?: Settings;
  /** The whole pg_hba.conf; `scramEverywhere` unless told. */
  readonly hba?: string;
  /** Further arguments of initdb, such as `--wal-segsize=1`. Each set of arguments costs one initdb, once. */
  readonly initdbArguments?: readonly string[];
  /** Whether it is a cluster of its own: servers of one major otherwise share one system identifier. */
  readonly ownSystemIdentifier?: boolean;
  /** Whether it takes TLS connections, with certificates made for localhost and 127.0.0.1. */
  readonly tls?: boolean;
  /** Begins the name of its directory. */
  readonly name?: string;
}

/** pg_hba.conf of a test server: a password for everything, replication included, from this machine only. */
export const scramEverywhere = `
local all all scram-sha-256
local replication all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
host replication all ::1/128 scram-sha-256
`;

/** Makes certificates, with the key in the server's hands, as PostgreSQL demands. */
async function makeServerCertificates(directory: string): Promise<TestCertificates> {
  const certificates = await makeCertificates(join(directory, 'tls'));
  const user = unprivilegedUser();
  if (user !== undefined) await chown(certificates.serverKey, user.uid, user.gid);
  return certificates;
}

function tlsSettings(certificates: TestCertificates): Record<string, string | boolean> {
  return {
    ssl: true,
    ssl_ca_file: certificates.caCertificate,
    ssl_cert_file: certificates.serverCertificate,
    ssl_key_file: certificates.serverKey,
  };
}

/** Starts on a free port; again on another one when some process took it meanwhile. */
async function startOnFreePort(makeServer: (port: number) => TestServer, settings: Settings): Promise<TestServer> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = makeServer(port);
    await server.addSettings({ port, ...settings });
    try {
      await server.start();
      return server;
    } catch (error) {
      await server.kill();
      if (attempt === 5 || !(await server.log()).includes('Address already in use')) throw error;
    }
  }
}

/**
 * Makes and starts a server on a free port of 127.0.0.1, ready for connections when this resolves. Throws when the
 * machine has no binaries of that major.
 */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const binaries = await serverBinaries(options.major, options.source);
  if (binaries === undefined) throw new Error(`This machine has no PostgreSQL ${options.major} for tests.`);
  const home = await temporaryDirectory(options.name ?? `pg${options.major}`, { forServer: true });
  try {
    const certificates = options.tls === true ? await makeServerCertificates(home.path) : undefined;
    const dataDirectory = join(home.path, 'data');
    const make = options.ownSystemIdentifier === true ? initializeDataDirectory : copyDataDirectoryTemplate;
    await make(binaries, dataDirectory, options.initdbArguments ?? []);
    await writeFile(join(dataDirectory, 'pg_hba.conf'), options.hba ?? scramEverywhere);
    return await startOnFreePort((port) => new TestServer(binaries, port, home, certificates), {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: false,
      shared_buffers: '16MB',
      ...(certificates === undefined ? {} : tlsSettings(certificates)),
      ...options.settings,
    });
  } catch (error) {
    await home[Symbol.asyncDispose]();
    throw error;
  }
}
