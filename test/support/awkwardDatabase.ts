import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Row, TestServer } from './testServer.ts';
import { unprivilegedUser } from './unprivileged.ts';

/** Names below the data directory that tools trip over, as bytes. */
export const awkwardNames: readonly Buffer[] = [
  'with space',
  ' begins and ends with space ',
  'single\' and double" quotes',
  'new\nline',
  'carriage\rreturn and tab\t',
  'back\\slash',
  '-rf',
  '%41 $HOME `id` *?[x]',
  'grüße 数据',
  // As long as the server's tar headers can say: 99 bytes with the folder.
  'x'.repeat(99 - 'awkward/'.length),
  Buffer.from([0x62, 0xff, 0xfe, 0x80]),
  // A surrogate in UTF-8 clothing: no valid UTF-8 either.
  Buffer.from([0x63, 0xed, 0xa0, 0x80]),
  Buffer.from([0x01, 0x1f, 0x7f]),
].map((name) => (typeof name === 'string' ? Buffer.from(name) : name));

const folder = 'awkward';

function placeOf(dataDirectory: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${dataDirectory}/${folder}/`), name]);
}

/** Puts files with awkward names into a data directory; each holds its name. */
export async function writeAwkwardFiles(dataDirectory: string): Promise<void> {
  await mkdir(`${dataDirectory}/${folder}`, { mode: 0o700 });
  const user = unprivilegedUser();
  const own = async (path: string | Buffer): Promise<void> => {
    if (user !== undefined) await chown(path, user.uid, user.gid);
  };
  await own(`${dataDirectory}/${folder}`);
  for (const name of awkwardNames) {
    await writeFile(placeOf(dataDirectory, name), name, { mode: 0o600 });
    await own(placeOf(dataDirectory, name));
  }
}

/** The names among `awkwardNames` whose file a data directory lacks, or holds with another content. */
export async function missingAwkwardFiles(dataDirectory: string): Promise<string[]> {
  const missing: string[] = [];
  for (const name of awkwardNames) {
    const content = await readFile(placeOf(dataDirectory, name)).catch(() => undefined);
    if (content?.equals(name) !== true) missing.push(name.toString('latin1'));
  }
  return missing;
}

/** Where the tablespaces of `fillAwkwardly` lie. */
export interface AwkwardPlaces {
  readonly side: string;
  readonly plain: string;
}

/** Databases by name; in SQL they are quoted. */
export const emptyDatabase = 'an "empty" database';

/**
 * Fills a server with what a backup may stumble over: two tablespaces, one with an odd path, an empty database, an
 * unlogged table, large values, files with awkward names.
 */
export async function fillAwkwardly(server: TestServer): Promise<AwkwardPlaces> {
  const side = await server.makeDirectory('side \\ "space" é');
  const plain = await server.makeDirectory('plain');
  // CREATE TABLESPACE and CREATE DATABASE want to be alone in their transaction.
  await server.sql(`CREATE TABLESPACE side LOCATION '${side}'`);
  await server.sql(`CREATE TABLESPACE plain LOCATION '${plain}'`);
  await server.sql(`CREATE DATABASE "${emptyDatabase.replaceAll('"', '""')}" TEMPLATE template0`);
  await server.sql('CREATE DATABASE beside TABLESPACE plain');
  await server.sql(`
    CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS word, n * 1.5 AS amount FROM generate_series(1, 20000) AS n;
    CREATE INDEX ON orders (word);
    CREATE TABLE aside TABLESPACE side AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 5000) AS n;
    CREATE TABLE large AS SELECT n AS id,
        (SELECT string_agg(md5((n * 1000 + m)::text), '') FROM generate_series(1, 400) AS m) AS word
      FROM generate_series(1, 50) AS n;
    CREATE UNLOGGED TABLE fleeting AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 1000) AS n;
    CREATE SEQUENCE numbers;
    SELECT nextval('numbers') FROM generate_series(1, 42);
  `);
  await server.sql(
    'CREATE TABLE elsewhere AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 300) AS n',
    'beside',
  );
  await writeAwkwardFiles(server.dataDirectory);
  return { side, plain };
}

/** Count and checksum of every table that `fillAwkwardly` made and nobody writes to, by name. */
export async function contentsOf(database: {
  sql(text: string, database?: string): Promise<Row[]>;
}): Promise<Record<string, unknown>> {
  const contents: Record<string, unknown> = {};
  for (const [table, name] of [
    ['orders', 'postgres'],
    ['aside', 'postgres'],
    ['large', 'postgres'],
    ['elsewhere', 'beside'],
  ] as const) {
    const digest = `SELECT count(*)::int AS rows, md5(string_agg(t::text, ',' ORDER BY id)) AS digest FROM ${table} AS t`;
    contents[table] = (await database.sql(digest, name))[0];
  }
  // By the index: it must be as good as the table.
  contents['byIndex'] = await database.sql(
    `SELECT id FROM orders WHERE word = ANY (ARRAY[md5('7'), md5('19999')]) ORDER BY word`,
  );
  contents['databases'] = await database.sql('SELECT datname FROM pg_database ORDER BY datname');
  return contents;
}
