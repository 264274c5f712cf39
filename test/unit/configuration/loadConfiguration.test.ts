import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isPointbackError } from '../../../server/src/api/errors.ts';
import type { HostEnvironment } from '../../../server/src/configuration/environment.ts';
import { loadConfiguration } from '../../../server/src/configuration/loadConfiguration.ts';
import { userConfigurationDirectory, userDataDirectory } from '../../../server/src/configuration/userDirectories.ts';
import { testEnvironment } from './environment.ts';

let root = '';
let environment: HostEnvironment;

async function place(path: string, repository: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), JSON.stringify({ repository }));
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pointback-configuration-'));
  environment = testEnvironment({
    currentDirectory: join(root, 'here'),
    homeDirectory: join(root, 'home'),
    variables: { POINTBACK_CONFIG: join(root, 'variable.json'), XDG_CONFIG_HOME: join(root, 'xdg') },
  });
  await mkdir(join(root, 'here'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

test('the places a configuration is looked for, in their order', async () => {
  await place('here/option.json', '/option');
  await place('variable.json', '/variable');
  await place('here/pointback.json', '/here');
  await place('xdg/pointback/pointback.json', '/user');
  const unset = { ...environment, variables: { ...environment.variables, POINTBACK_CONFIG: '' } };
  assert.equal((await loadConfiguration({ file: 'option.json' }, environment)).repository, '/option');
  assert.equal((await loadConfiguration({}, environment)).repository, '/variable');
  assert.equal((await loadConfiguration({}, unset)).repository, '/here');
  await rm(join(root, 'here/pointback.json'));
  assert.equal((await loadConfiguration({}, unset)).repository, '/user');
  await rm(join(root, 'xdg/pointback/pointback.json'));
  const none = await loadConfiguration({}, unset);
  assert.equal(none.file, undefined);
  assert.equal(none.repository, join(root, 'home/.local/share/pointback/repository'));
});

test('--repository wins and counts from the current directory', async () => {
  await place('variable.json', '/variable');
  assert.equal((await loadConfiguration({ repository: 'r' }, environment)).repository, join(root, 'here/r'));
});

test('a file that was named must exist', async () => {
  for (const file of ['absent.json', undefined]) {
    await assert.rejects(loadConfiguration({ file }, environment), (error) => {
      assert.ok(isPointbackError(error, 'configuration.missing'));
      assert.match(error.remedy, file === undefined ? /POINTBACK_CONFIG/ : /--config/);
      return true;
    });
  }
});

test('a directory in its place is told apart from an absent file', async () => {
  await mkdir(join(root, 'variable.json'));
  await assert.rejects(loadConfiguration({}, environment), (error) =>
    isPointbackError(error, 'configuration.unreadable'),
  );
});

test("the user's directories of each platform", () => {
  const on = (platform: NodeJS.Platform, variables: Record<string, string>, homeDirectory = '/h') =>
    testEnvironment({ platform, variables, homeDirectory });
  assert.equal(userConfigurationDirectory(on('linux', {})), '/h/.config/pointback');
  assert.equal(userConfigurationDirectory(on('linux', { XDG_CONFIG_HOME: '/x' })), '/x/pointback');
  assert.equal(userConfigurationDirectory(on('linux', { XDG_CONFIG_HOME: 'relative' })), '/h/.config/pointback');
  assert.equal(userConfigurationDirectory(on('darwin', {})), '/h/Library/Application Support/pointback');
  assert.equal(userDataDirectory(on('linux', { XDG_DATA_HOME: '/d' })), '/d/pointback');
  assert.equal(userDataDirectory(on('darwin', {})), '/h/Library/Application Support/pointback');
  assert.equal(userConfigurationDirectory(on('win32', { APPDATA: 'C:\\A' })), 'C:\\A\\pointback');
  assert.equal(userConfigurationDirectory(on('win32', {}, 'C:\\U')), 'C:\\U\\AppData\\Roaming\\pointback');
  assert.equal(userDataDirectory(on('win32', { LOCALAPPDATA: 'C:\\L' })), 'C:\\L\\pointback');
});
