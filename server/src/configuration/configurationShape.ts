import { sslModes } from '../postgres/connectionFields.ts';
import { compressionSyntax, parseCompression } from './compressionSetting.ts';
import { jsonSchemaOf } from './shape.ts';
import type { Key, Shape } from './shape.ts';
import { maxRateSyntax, parseMaxRate } from './size.ts';

const text: Shape = { kind: 'text' };
const path: Shape = { kind: 'text', path: true };

const backupKeys = {
  compression: {
    shape: {
      kind: 'text',
      accepts: (value) => parseCompression(value) !== undefined,
      expected: compressionSyntax,
      pattern: '^(none|zstd(:([1-9]|1[0-9]|2[0-2]))?|gzip(:[1-9])?)$',
    },
    description: 'How archives are compressed: zstd, zstd:LEVEL, gzip, gzip:LEVEL or none. Default: zstd:3.',
  },
  manifestChecksums: {
    shape: { kind: 'choice', choices: ['CRC32C', 'SHA224', 'SHA256', 'SHA384', 'SHA512'] },
    description: 'The checksum the server computes for every file of a backup. Default: SHA256.',
  },
  maxRate: {
    shape: {
      kind: 'text',
      accepts: (value) => parseMaxRate(value) !== undefined,
      expected: maxRateSyntax,
      pattern: '^[0-9]+(\\.[0-9]+)?\\s?([kKmMgGtT]([iI]?[bB])?|[bB])$',
    },
    description: 'The most the server may send per second, such as 32M. Default: as fast as it can.',
  },
  checkpoint: {
    shape: { kind: 'choice', choices: ['fast', 'spread'] },
    description:
      'How the server makes the checkpoint a backup begins with: fast starts at once, spread goes easy on its disks and ' +
      'can take minutes. Default: fast.',
  },
  label: {
    shape: {
      kind: 'text',
      accepts: (value) => /^[^\r\n]{1,1000}$/.test(value),
      expected: 'one line of text',
      pattern: '^[^\\r\\n]{1,1000}$',
    },
    description: 'The label of backups that were given no other.',
  },
} satisfies Record<string, Key>;

const instanceKeys = {
  url: {
    shape: {
      kind: 'text',
      accepts: (value) => /^postgres(?:ql)?:\/\//.test(value),
      expected: 'a URL such as "postgresql://backup@db.example.com:5432"',
      pattern: '^postgres(ql)?://',
    },
    description:
      'Where the server is: postgresql://USER@HOST:PORT. Without a password. Instead of host, port, user, database.',
  },
  host: { shape: text, description: 'The host name or address of the server. Instead of url.' },
  port: {
    shape: { kind: 'integer', minimum: 1, maximum: 65535 },
    description: 'The port of the server. Default: 5432.',
  },
  user: { shape: text, description: 'The role that connects. It needs LOGIN and REPLICATION.' },
  database: { shape: text, description: 'The database for what is asked over SQL. Default: postgres.' },
  sslMode: {
    shape: { kind: 'choice', choices: sslModes },
    description:
      "Whether the connection is encrypted and the server's certificate verified, as in libpq. Default: prefer.",
  },
  sslRootCert: {
    shape: path,
    description:
      "The certificates the server's one is verified against, or system for those the platform trusts. Default: " +
      '~/.postgresql/root.crt.',
  },
  sslCert: { shape: path, description: "The client's certificate. Default: ~/.postgresql/postgresql.crt." },
  sslKey: { shape: path, description: "The key of the client's certificate. Default: ~/.postgresql/postgresql.key." },
  passwordFile: {
    shape: path,
    description:
      'A file that holds the password and nothing else, readable by you alone. Without it: PGPASSWORD, ~/.pgpass, then a prompt.',
  },
  backup: { shape: { kind: 'object', keys: backupKeys }, description: 'How backups of this instance are taken.' },
  serverBinaries: {
    shape: path,
    description:
      "The directory of the server programs (postgres, pg_ctl) of this instance's version, to start restored copies.",
  },
} satisfies Record<string, Key>;

/** An instance says where its server is, once. */
function checkAddress(keys: ReadonlySet<string>): { problem: string; remedy: string } | undefined {
  const parts = ['host', 'port', 'user', 'database'].filter((key) => keys.has(key));
  if (keys.has('url')) {
    if (parts.length === 0) return undefined;
    return {
      problem: `says where its server is twice: "url" and "${parts.join('", "')}".`,
      remedy: 'Keep the url, or the parts.',
    };
  }
  if (keys.has('host')) return undefined;
  return {
    problem: 'does not say where its server is.',
    remedy: 'Give it a "url" such as "postgresql://backup@db.example.com:5432", or a "host".',
  };
}

const configurationKeys = {
  $schema: { shape: text, description: 'The JSON schema of this file, for editors.' },
  repository: {
    shape: path,
    description: "The directory the backups are kept in. Default: pointback/repository in the user's data directory.",
  },
  instances: {
    shape: {
      kind: 'map',
      values: { kind: 'object', keys: instanceKeys, check: checkAddress },
      namePattern: '^[^\\s./\\\\:-][^/\\\\:\\r\\n\\t]*$',
      nameRule: 'a name without / \\ or : that does not begin with a dot, a dash or a space',
    },
    description: 'The PostgreSQL servers to back up, each under a name of your choice.',
  },
  serverBinaries: {
    shape: { kind: 'list', items: path },
    description: 'Directories to look for server programs (postgres, pg_ctl) in, before the usual places.',
  },
  container: {
    shape: {
      kind: 'object',
      keys: {
        command: {
          shape: { kind: 'list', items: text, atLeastOne: true },
          description: 'The program that runs containers and its first arguments. Default: ["docker"].',
        },
      },
    },
    description: 'How containers are run.',
  },
} satisfies Record<string, Key>;

/** The names a key's value reaches the program under: what the parser hands over is typed by these. */
export type InstanceKey = keyof typeof instanceKeys;
export type BackupKey = keyof typeof backupKeys;
export type ConfigurationKey = keyof typeof configurationKeys;

/** The whole configuration file. */
export const configurationShape: Shape = { kind: 'object', keys: configurationKeys };

/** The JSON schema of `pointback.json` as the extension ships it in `media/pointback.schema.json`. */
export function configurationJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Pointback configuration',
    description: 'Where backups are kept and which PostgreSQL servers are backed up.',
    allowComments: true,
    allowTrailingCommas: true,
    ...jsonSchemaOf(configurationShape),
  };
}
