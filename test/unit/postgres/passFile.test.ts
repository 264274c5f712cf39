import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { connectionProfile } from '../../../server/src/postgres/connectionProfile.ts';
import type { ConnectionParts, Environment } from '../../../server/src/postgres/connectionProfile.ts';
import { passwordInPassFile, readPassFile } from '../../../server/src/postgres/passFile.ts';
import { lookUpPassword } from '../../../server/src/postgres/passwordLookup.ts';
import { Secret } from '../../../server/src/postgres/secret.ts';

const key = { host: 'h', port: 5432, database: 'replication', user: 'u' };
const { signal } = new AbortController();

describe('lines of a passfile', () => {
  const cases: [name: string, text: string, expected: string | undefined, other?: Partial<typeof key>][] = [
    ['a plain line', 'h:5432:replication:u:secret', 'secret'],
    ['asterisks', '*:*:*:*:secret', 'secret'],
    ['the first match wins', '*:*:*:other:no\nh:5432:replication:u:first\n*:*:*:*:second', 'first'],
    ['comments and short lines', '# h:5432:replication:u:no\nh:5432\n\nh:5432:replication:u:yes', 'yes'],
    ['CRLF', 'h:5432:replication:u:secret\r\n', 'secret'],
    ['an escaped colon and backslash in the password', 'h:5432:replication:u:a\\:b\\\\c', 'a:b\\c'],
    ['a colon ends the password', 'h:5432:replication:u:a:b', 'a'],
    ['escaped names', 'h:5432:replication:a\\:b:secret', 'secret', { user: 'a:b' }],
    ['an escaped IPv6 address', '\\:\\:1:5432:*:u:secret', 'secret', { host: '::1' }],
    ['an escaped asterisk is a name', '\\*:5432:replication:u:secret', undefined],
    ['an asterisk within a name is none', 'h*:5432:replication:u:secret', undefined],
    ['another port', 'h:5433:replication:u:secret', undefined],
    ['another database', 'h:5432:postgres:u:secret', undefined],
    ['case matters', 'H:5432:replication:u:secret', undefined],
    ['spaces matter', 'h:5432:replication:u: secret ', ' secret '],
    ['a lone backslash at the end', 'h:5432:replication:u:secret\\', 'secret\\'],
  ];
  for (const [name, text, expected, other] of cases) {
    it(name, () => {
      assert.equal(passwordInPassFile(text, { ...key, ...other }), expected);
    });
  }
});

describe('files with passwords', () => {
  let directory = '';
  const at = (name: string): string => join(directory, name);
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pointback-passfile-'));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });

  const write = async (name: string, content: string, mode = 0o600): Promise<string> => {
    await writeFile(at(name), content);
    await chmod(at(name), mode);
    return at(name);
  };

  it('a passfile is ignored when group or others can use it', { skip: process.platform === 'win32' }, async () => {
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      const path = await write(`mode${mode}`, '*:*:*:*:secret', mode);
      assert.deepEqual(await readPassFile(path, key, signal), { kind: 'ignored', path, reason: 'readable-by-others' });
    }
    for (const mode of [0o600, 0o400, 0o700]) {
      const answer = await readPassFile(await write(`mode${mode}`, '*:*:*:*:secret', mode), key, signal);
      assert.equal(answer.kind === 'password' ? answer.password.reveal() : answer.kind, 'secret');
    }
  });

  it('a passfile that is missing has none, one that is a directory is ignored', async () => {
    assert.deepEqual(await readPassFile(at('missing'), key, signal), { kind: 'none' });
    assert.deepEqual(await readPassFile(at('missing/below'), key, signal), { kind: 'none' });
    await mkdir(at('folder'), { mode: 0o700 });
    assert.deepEqual(await readPassFile(at('folder'), key, signal), {
      kind: 'ignored',
      path: at('folder'),
      reason: 'not-a-file',
    });
  });

  const lookUp = (parts: ConnectionParts, environment: Environment, asked?: string, database = 'replication') =>
    lookUpPassword(connectionProfile({ host: 'h', user: 'u', ...parts }, environment), {
      database,
      environment,
      signal,
      secrets: { password: () => Promise.resolve(asked === undefined ? undefined : new Secret(asked)) },
    });

  it('are asked in order: profile, password file, PGPASSWORD, passfile, somebody', async () => {
    const passFile = await write('pgpass', 'h:5432:replication:u:fromPassFile');
    const passwordFile = await write('password', 'fromFile\n', 0o644);
    const environment = { PGPASSWORD: 'fromEnvironment', PGPASSFILE: passFile };
    const answers = [
      await lookUp({ password: new Secret('fromProfile'), passwordFile }, environment, 'asked'),
      await lookUp({ passwordFile }, environment, 'asked'),
      await lookUp({}, environment, 'asked'),
      await lookUp({}, { PGPASSFILE: passFile }, 'asked'),
      await lookUp({}, { PGPASSFILE: passFile }, 'asked', 'postgres'),
      await lookUp({}, { PGPASSFILE: passFile }, undefined, 'postgres'),
    ];
    assert.deepEqual(
      answers.map(({ password, origin }) => [password?.reveal(), origin]),
      [
        ['fromProfile', 'profile'],
        ['fromFile', 'password-file'],
        ['fromEnvironment', 'environment'],
        ['fromPassFile', 'passfile'],
        ['asked', 'asked'],
        [undefined, undefined],
      ],
    );
  });

  it('the default passfile is ~/.pgpass', { skip: process.platform === 'win32' }, async () => {
    await write('.pgpass', '*:*:*:*:fromHome');
    assert.equal((await lookUp({}, { HOME: directory })).password?.reveal(), 'fromHome');
  });

  it('a password file keeps everything but the last line break', async () => {
    const passwordFile = await write('spaces', ' a b \r\n');
    assert.equal((await lookUp({ passwordFile }, {})).password?.reveal(), ' a b ');
  });

  it('a password file that is missing or empty is an error, not a prompt', async () => {
    for (const passwordFile of [at('missing'), await write('empty', '\n')]) {
      await assert.rejects(
        lookUp({ passwordFile }, {}, 'asked'),
        (error) => isPointbackError(error, 'authentication.password-file') && error.message.includes(passwordFile),
      );
    }
  });
});
