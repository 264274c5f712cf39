import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { connectionProfile, endpointOf, parseConnectionUrl } from '../../../server/src/postgres/connectionProfile.ts';
import type { ConnectionProfile, Environment } from '../../../server/src/postgres/connectionProfile.ts';

const base: ConnectionProfile = {
  host: 'localhost',
  port: 5432,
  user: userInfo().username,
  database: 'postgres',
  sslMode: 'prefer',
  applicationName: 'pointback',
  connectTimeoutMs: 15_000,
};

describe('connection URLs', () => {
  const good: [url: string, expected: Partial<ConnectionProfile>][] = [
    ['postgresql://', {}],
    ['postgres://db', { host: 'db' }],
    [
      'postgresql://backup@db.example.com:5433/shop',
      { host: 'db.example.com', port: 5433, user: 'backup', database: 'shop' },
    ],
    ['postgresql://db:/', { host: 'db' }],
    ['postgresql://[2001:db8::1]:6000', { host: '2001:db8::1', port: 6000 }],
    ['postgresql://[::1]', { host: '::1' }],
    ['postgresql://%2Fvar%2Frun%2Fpostgresql/x', { host: '/var/run/postgresql', database: 'x' }],
    ['postgresql:///x?host=/tmp&port=7', { host: '/tmp', port: 7, database: 'x' }],
    ['postgresql://us%40er@h', { user: 'us@er', host: 'h' }],
    [
      'postgresql://h?sslmode=verify-full&sslrootcert=%2Fa%2Fb.crt',
      { host: 'h', sslMode: 'verify-full', sslRootCert: '/a/b.crt' },
    ],
    ['postgresql://h?ssl=true', { host: 'h', sslMode: 'require' }],
    ['postgresql://h?sslrootcert=system', { host: 'h', sslRootCert: 'system', sslMode: 'verify-full' }],
    [
      'postgresql://h?connect_timeout=3&application_name=x',
      { host: 'h', connectTimeoutMs: 3000, applicationName: 'x' },
    ],
    ['postgresql://h?connect_timeout=0', { host: 'h', connectTimeoutMs: 0 }],
    ['postgresql://h?keepalives=0&target_session_attrs=any', { host: 'h' }],
    ['postgresql://h?user=a&dbname=b', { host: 'h', user: 'a', database: 'b' }],
    ['postgresql://h/a%2Fb', { host: 'h', database: 'a/b' }],
  ];
  for (const [url, expected] of good) {
    it(url, () => {
      assert.deepEqual(parseConnectionUrl(url, {}), { ...base, ...expected });
    });
  }

  it('keeps a password secret, with a colon and encoded characters in it', () => {
    const profile = parseConnectionUrl('postgresql://u:p:w%40%2F@h', {});
    assert.equal(profile.password?.reveal(), 'p:w@/');
    assert.ok(!inspect(profile).includes('p:w'));
    assert.ok(!JSON.stringify(profile).includes('p:w'));
  });

  const bad = [
    'http://h',
    'h',
    'postgresql://one,two/x',
    'postgresql://h?host=one,two',
    'postgresql://h:0',
    'postgresql://h:65536',
    'postgresql://h:5432x',
    'postgresql://::1',
    'postgresql://h?sslmode=no-verify',
    'postgresql://h?service=x',
    'postgresql://h?target_session_attrs=primary',
    'postgresql://h?channel_binding=require',
    'postgresql://h?sslcrl=/x',
    'postgresql://h?nonsense=1',
    'postgresql://h?toString=1',
    'postgresql://h?sslmode',
    'postgresql://h?connect_timeout=soon',
    'postgresql://u:%zz@h',
    'postgresql://u:%00@h',
    'postgresql://h?sslrootcert=system&sslmode=require',
  ];
  for (const url of bad) {
    it(`refuses ${url}`, () => {
      assert.throws(
        () => parseConnectionUrl(url, {}),
        (error) => isPointbackError(error, 'connection.invalid-profile') && error.remedy !== '',
      );
    });
  }

  it('never shows a password in the error of a URL that cannot be read', () => {
    for (const url of [
      'postgresql://u:hunter2@one,two',
      'postgresql://u:hunter2@h:x',
      'ftp://u:hunter2@h',
      'postgresql://u:hunter2%@h',
    ]) {
      assert.throws(
        () => parseConnectionUrl(url, {}),
        (error) => isPointbackError(error) && !inspect(error).includes('hunter2'),
      );
    }
  });

  it('takes overrides over the URL, and leaves out the undefined ones', () => {
    const profile = parseConnectionUrl('postgresql://u@h/x', {}, { user: undefined, port: 7, instance: 'shop' });
    assert.deepEqual(profile, { ...base, user: 'u', host: 'h', database: 'x', port: 7, instance: 'shop' });
  });
});

describe('defaults', () => {
  it("come from libpq's variables", () => {
    const environment: Environment = {
      PGHOST: 'h',
      PGPORT: '6',
      PGUSER: 'u',
      PGDATABASE: 'd',
      PGSSLMODE: 'verify-ca',
      PGSSLROOTCERT: '/r',
      PGSSLCERT: '/c',
      PGSSLKEY: '/k',
      PGPASSFILE: '/p',
      PGAPPNAME: 'a',
      PGCONNECT_TIMEOUT: '9',
    };
    assert.deepEqual(connectionProfile({}, environment), {
      host: 'h',
      port: 6,
      user: 'u',
      database: 'd',
      sslMode: 'verify-ca',
      sslRootCert: '/r',
      sslCert: '/c',
      sslKey: '/k',
      passFile: '/p',
      applicationName: 'a',
      connectTimeoutMs: 9000,
    });
  });

  it('yield to what was said, and an empty variable is unset', () => {
    const profile = connectionProfile(
      { host: 'mine', sslMode: 'disable' },
      { PGHOST: 'other', PGSSLMODE: 'require', PGUSER: '' },
    );
    assert.deepEqual(profile, { ...base, host: 'mine', sslMode: 'disable' });
  });

  for (const environment of [{ PGPORT: 'x' }, { PGSSLMODE: 'x' }, { PGHOST: 'a,b' }, { PGSERVICE: 's' }]) {
    it(`refuse ${JSON.stringify(environment)}`, () => {
      assert.throws(
        () => connectionProfile({}, environment),
        (error) => isPointbackError(error, 'connection.invalid-profile'),
      );
    });
  }
});

it('names endpoints as people do', () => {
  assert.equal(endpointOf({ host: 'db', port: 1 }), 'db:1');
  assert.equal(endpointOf({ host: '::1', port: 1 }), '[::1]:1');
  assert.equal(endpointOf({ host: '/run/x', port: 1 }), '/run/x/.s.PGSQL.1');
});
