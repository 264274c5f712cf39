import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usualDirectories } from '../../../server/src/postgres/serverBinaries.ts';

const places = {
  linux: [
    '/usr/lib/postgresql/17/bin',
    '/usr/pgsql-17/bin',
    '/usr/libexec/postgresql17',
    '/usr/lib/postgresql17/bin',
    '/home/linuxbrew/.linuxbrew/opt/postgresql@17/bin',
  ],
  darwin: [
    '/opt/homebrew/opt/postgresql@17/bin',
    '/usr/local/opt/postgresql@17/bin',
    '/Applications/Postgres.app/Contents/Versions/17/bin',
    '/Library/PostgreSQL/17/bin',
    '/opt/local/lib/postgresql17/bin',
  ],
  win32: ['C:\\Program Files\\PostgreSQL\\17\\bin'],
} as const;

for (const [platform, directories] of Object.entries(places)) {
  test(`where packages of ${platform} put PostgreSQL`, () => {
    assert.deepEqual(usualDirectories(17, platform as keyof typeof places), directories);
  });
}
