import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import { parseConfiguration } from '../../../server/src/configuration/parseConfiguration.ts';
import { resolveInstance } from '../../../server/src/configuration/resolveInstance.ts';
import type { ResolvedInstance } from '../../../server/src/configuration/resolveInstance.ts';
import { testEnvironment } from './environment.ts';

const environment = testEnvironment();
const configuration = parseConfiguration(
  JSON.stringify({
    instances: {
      unusable: { url: 'postgresql://h1,h2/' },
      shop: {
        url: 'postgresql://backup@DB.example.com:5433/shop',
        sslMode: 'verify-full',
        passwordFile: '/secret',
        serverBinaries: '/bin18',
        backup: { label: 'nightly' },
      },
      shopAdmin: { url: 'postgresql://admin@db.example.com:5433' },
      parts: { host: 'localhost', user: 'me' },
    },
  }),
  '/c/pointback.json',
  environment,
);
const stored = new Map([
  ['old', 'old'],
  ['::1-5432', '::1-5432'],
  ['%3A%3A1-5432', '::1-5432'],
]);

const resolve = (word: string): Promise<ResolvedInstance> =>
  resolveInstance(configuration, word, environment, () => Promise.resolve(stored));

test('a name of the configuration, and the repository is not even asked', async () => {
  const found = await resolveInstance(configuration, 'shop', environment, () => assert.fail('asked'));
  assert.equal(found.name, 'shop');
  assert.equal(found.source, 'configuration');
  assert.equal(found.serverBinaries, '/bin18');
  assert.deepEqual(found.backup, { label: 'nightly' });
  const { host, port, user, database, sslMode, passwordFile, instance } = found.profile();
  assert.deepEqual(
    { host, port, user, database, sslMode, passwordFile, instance },
    {
      host: 'DB.example.com',
      port: 5433,
      user: 'backup',
      database: 'shop',
      sslMode: 'verify-full',
      passwordFile: '/secret',
      instance: 'shop',
    },
  );
});

test('parts, completed with the defaults', async () => {
  const profile = (await resolve('parts')).profile();
  assert.equal(profile.host, 'localhost');
  assert.equal(profile.port, 5432);
  assert.equal(profile.user, 'me');
});

test('a name of the repository, by name and by directory, has no profile', async () => {
  for (const word of ['::1-5432', '%3A%3A1-5432', 'old']) {
    const found = await resolve(word);
    assert.equal(found.name, stored.get(word));
    assert.equal(found.source, 'repository');
    assert.throws(
      () => found.profile(),
      (error) => isPointbackError(error, 'instance.not-configured') && error.remedy.includes('/c/pointback.json'),
    );
  }
});

test('a URL with the host and port of a configured instance is that instance', async () => {
  const found = await resolve('postgresql://db.example.com:5433/other?sslmode=require');
  assert.equal(found.name, 'shop');
  const profile = found.profile();
  assert.equal(profile.user, 'backup');
  assert.equal(profile.database, 'other');
  assert.equal(profile.sslMode, 'require');
  assert.equal(profile.passwordFile, '/secret');
});

test('of several with that host and port the one with that role', async () => {
  assert.equal((await resolve('postgresql://admin@db.example.com:5433')).name, 'shopAdmin');
});

test("another role does not get the configured role's password file", async () => {
  const profile = (await resolve('postgresql://eve@db.example.com:5433')).profile();
  assert.equal(profile.user, 'eve');
  assert.equal(profile.passwordFile, undefined);
});

test('a URL of an unknown server is named after host and port', async () => {
  for (const [url, name] of [
    ['postgresql://backup@10.0.0.9', '10.0.0.9-5432'],
    ['postgres://u@db.example.com:5444/x', 'db.example.com-5444'],
    ['postgresql://u@[::1]:5432', '::1-5432'],
  ] as const) {
    const found = await resolve(url);
    assert.equal(found.name, name);
    assert.equal(found.source, 'url');
    assert.equal(found.profile().instance, name);
  }
});

test('a password in an argument is refused and not shown', async () => {
  await assert.rejects(resolve('postgresql://u:hunter2@h'), (error) => {
    assert.ok(isPointbackError(error, 'usage.password-in-argument'));
    assert.ok(!JSON.stringify(error).includes('hunter2'));
    return true;
  });
});

test('an unusable configured instance fails only when it is used', async () => {
  const found = await resolve('unusable');
  assert.throws(
    () => found.profile(),
    (error) => isPointbackError(error, 'connection.invalid-profile'),
  );
});

test('an unknown name, with the nearest one', async () => {
  for (const [word, remedy] of [
    ['shpo', /Did you mean "shop"/],
    ['completely-else', /pointback list/],
    ['constructor', /pointback list/],
  ] as const) {
    await assert.rejects(
      resolve(word),
      (error) => isPointbackError(error, 'instance.unknown') && remedy.test(error.remedy),
    );
  }
});
