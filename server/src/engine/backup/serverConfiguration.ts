import { posix } from 'node:path';
import { filePathFromText } from '../../formats/filePath.ts';
import {
  includesOf,
  inReadingOrder,
  isTakenFromDirectory,
  leadsOut,
  resolveInclude,
} from '../../formats/includeLines.ts';
import type { SqlConnection } from '../../postgres/sqlConnection.ts';
import type { ConfigurationFileName } from '../../repository/backupRecord.ts';

/** A configuration file the server reads, with its content where SQL may read it. */
export interface ServerConfigurationFile {
  readonly name: ConfigurationFileName;
  /** Absent when the role may not see where it lies. */
  readonly serverPath?: string;
  readonly content?: Buffer;
  /** Whether a restored data directory that has it at the same place would read it from there. */
  readonly inner: boolean;
}

/** The configuration files of a server: postgresql.conf, pg_hba.conf, pg_ident.conf, then what the first one includes. */
export interface ServerConfiguration {
  readonly dataDirectory?: string;
  readonly files: readonly ServerConfigurationFile[];
}

const mainFiles = [
  ['config_file', 'postgresql.conf'],
  ['hba_file', 'pg_hba.conf'],
  ['ident_file', 'pg_ident.conf'],
] as const;

/** The configuration of a server nothing is known of over SQL. */
export const unknownConfiguration: ServerConfiguration = {
  files: mainFiles.map(([, name]) => ({ name, inner: true })),
};

/** As the server: files included more deeply are refused (conffiles.h, CONF_FILE_MAX_DEPTH). */
const deepestInclude = 10;
/** Larger than any configuration file. */
const largestFile = 16 * 1024 * 1024;

/** Reads the configuration files with their includes. What the role may not see is absent; other errors are thrown. */
export async function readServerConfiguration(
  connection: SqlConnection,
  signal: AbortSignal,
): Promise<ServerConfiguration> {
  // Rows the role may not see are simply absent from pg_settings.
  const rows = await connection.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_catalog.pg_settings
      WHERE name IN ('data_directory', 'config_file', 'hba_file', 'ident_file')`,
  );
  const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const dataDirectory = settings.get('data_directory');
  if (dataDirectory === undefined) return unknownConfiguration;
  const files: ServerConfigurationFile[] = [];
  for (const [setting, name] of mainFiles) {
    const serverPath = settings.get(setting);
    if (serverPath === undefined) continue;
    const content = await readServerFile(connection, serverPath, signal);
    const inner = serverPath === `${dataDirectory}/${name}`;
    files.push({ name, serverPath, inner, ...(Buffer.isBuffer(content) ? { content } : {}) });
  }
  const main = files.find(({ name }) => name === 'postgresql.conf');
  const included = main === undefined ? [] : await includedFiles(connection, main, signal);
  return { dataDirectory, files: [...files, ...included] };
}

async function includedFiles(
  connection: SqlConnection,
  main: ServerConfigurationFile,
  signal: AbortSignal,
): Promise<ServerConfigurationFile[]> {
  const found = new Map<string, { content?: Buffer; inner: boolean }>();
  const visit = async (serverPath: string, content: Buffer, inner: boolean, depth: number): Promise<void> => {
    for (const { directive, path } of includesOf(content.toString('latin1'))) {
      const place = resolveInclude(serverPath, path);
      const innerToo = inner && !leadsOut(path);
      const files = directive === 'include_dir' ? await filesOfDirectory(connection, place, signal) : [place];
      for (const file of files) {
        const known = found.get(file);
        if (known !== undefined) known.inner &&= innerToo;
        if (known !== undefined || depth >= deepestInclude) continue;
        const read = await readServerFile(connection, file, signal);
        if (read === 'missing') continue;
        found.set(file, { inner: innerToo, ...(Buffer.isBuffer(read) ? { content: read } : {}) });
        if (Buffer.isBuffer(read)) await visit(file, read, innerToo, depth + 1);
      }
    }
  };
  if (main.serverPath !== undefined && main.content !== undefined) {
    await visit(main.serverPath, main.content, main.inner, 0);
  }
  return [...found].map(([serverPath, file], index) => ({ name: includedName(index), serverPath, ...file }));
}

const includedName = (index: number): ConfigurationFileName => `included-${index + 1}.conf`;

/** The directory itself when it cannot be listed, so that it is named among what was not captured. */
async function filesOfDirectory(connection: SqlConnection, path: string, signal: AbortSignal): Promise<string[]> {
  try {
    const rows = await connection.query<{ name: string }>('SELECT pg_catalog.pg_ls_dir($1, true, false) AS name', [
      path,
    ]);
    return inReadingOrder(rows.map(({ name }) => name).filter(isTakenFromDirectory)).map((name) =>
      posix.join(path, name),
    );
  } catch {
    signal.throwIfAborted();
    return [path];
  }
}

/** `unreadable` when the role may not read it (superusers and members of pg_read_server_files may). */
async function readServerFile(
  connection: SqlConnection,
  path: string,
  signal: AbortSignal,
): Promise<Buffer | 'missing' | 'unreadable'> {
  try {
    const [row] = await connection.query<{ content: Buffer | null }>(
      'SELECT pg_catalog.pg_read_binary_file($1, 0, $2, true) AS content',
      [path, largestFile],
    );
    return row?.content ?? 'missing';
  } catch {
    signal.throwIfAborted();
    return 'unreadable';
  }
}

/** Where in a data directory the files of the configuration may lie, as the archives name them. */
export function placesInArchive(configuration: ServerConfiguration): string[] {
  return configuration.files.flatMap((file) => placeInArchive(configuration, file) ?? []);
}

function placeInArchive(
  { dataDirectory }: ServerConfiguration,
  { name, serverPath, inner }: ServerConfigurationFile,
): string | undefined {
  if (!inner) return undefined;
  if (serverPath === undefined || dataDirectory === undefined) return name;
  return filePathFromText(serverPath.slice(dataDirectory.length + 1));
}

/**
 * What must be stored beside the archives: pg_hba.conf and pg_ident.conf where the archives lack them (they lie outside the
 * data directory, or are links), and postgresql.conf with everything it includes unless all of that is in the archives.
 * Files whose content is unknown are named, too.
 */
export function filesToStore(
  configuration: ServerConfiguration,
  archived: (path: string) => Buffer | undefined,
): ServerConfigurationFile[] {
  const isArchived = (file: ServerConfigurationFile): boolean => {
    const place = placeInArchive(configuration, file);
    return place !== undefined && archived(place) !== undefined;
  };
  const isSettings = ({ name }: ServerConfigurationFile): boolean => name !== 'pg_hba.conf' && name !== 'pg_ident.conf';
  const settings = configuration.files.filter(isSettings);
  const complete = settings.every(isArchived);
  const files = configuration.files.filter((file) => (isSettings(file) ? !complete : !isArchived(file)));
  // Of a file nobody may read over SQL the archives still tell what it includes from elsewhere.
  const unread = complete && settings.every(({ content }) => content === undefined);
  const outside = unread ? includesOf(archived('postgresql.conf')?.toString('latin1') ?? '') : [];
  const unseen = outside
    .filter(({ path }) => leadsOut(path))
    .map(({ path }, index) => ({ name: includedName(index), serverPath: path, inner: false }));
  return [...files, ...unseen];
}
