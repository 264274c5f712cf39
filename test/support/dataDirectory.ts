import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stopPostmaster } from '../../server/src/postgres/postmaster.ts';
import { copyDataDirectoryTemplate } from './dataDirectoryTemplate.ts';
import { serverBinaries } from './postgresBinaries.ts';
import type { TestBinaries } from './postgresBinaries.ts';
import { temporaryDirectory } from './temporaryDirectory.ts';

/** A fresh data directory that nothing runs on. Whatever runs on it when the scope ends is stopped. */
export interface TestDataDirectory extends AsyncDisposable {
  readonly binaries: TestBinaries;
  readonly path: string;
  /** The directory around it, which the server can write to. */
  readonly home: string;
  /** Adds lines to postgresql.conf. */
  configure(lines: string): Promise<void>;
}

/** Makes a data directory of a major version, without sockets and syncing, owned by the server's account. */
export async function freshDataDirectory(major: number): Promise<TestDataDirectory> {
  const binaries = await serverBinaries(major);
  if (binaries === undefined) throw new Error(`This machine has no PostgreSQL ${major} for tests.`);
  const home = await temporaryDirectory(`data${major}`, { forServer: true });
  const path = join(home.path, 'data');
  await copyDataDirectoryTemplate(binaries, path, []);
  const configure = (lines: string): Promise<void> => appendFile(join(path, 'postgresql.conf'), `${lines}\n`);
  await configure("unix_socket_directories = ''\nlisten_addresses = '127.0.0.1'\nfsync = off\nshared_buffers = 16MB");
  return {
    binaries,
    path,
    home: home.path,
    configure,
    async [Symbol.asyncDispose]() {
      await stopPostmaster(path, 'immediate', { signal: new AbortController().signal, timeoutMs: 30_000 });
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
      await home[Symbol.asyncDispose]();
    },
  };
}
