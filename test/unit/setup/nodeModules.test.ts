import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { installNodeModules } from '../../setup/nodeModules.mjs';

type Packages = Record<string, object>;

/** Which npm command the set-up runs in a checkout with this lock file and these installed packages. */
async function commandOf(lock: Packages | undefined, installed: Packages | undefined): Promise<string | undefined> {
  const root = await mkdtemp(join(tmpdir(), 'pointback-setup-'));
  try {
    if (lock !== undefined) await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages: lock }));
    if (installed !== undefined) {
      await mkdir(join(root, 'node_modules', 'node', 'bin'), { recursive: true });
      await writeFile(
        join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node'),
        '',
      );
      await writeFile(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
    }
    let command: string | undefined;
    installNodeModules(root, (_, [first]) => {
      command = first;
      return { status: 0 };
    });
    return command;
  } finally {
    await rm(root, { recursive: true });
  }
}

const lock = {
  '': { name: 'pointback', version: '0.1.0' },
  'node_modules/pg': { version: '8.23.1' },
  'node_modules/binaries': { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] },
  'node_modules/binaries-elsewhere': { version: '1.0.0', optional: true, os: ['plan9'], cpu: [process.arch] },
};
const complete = { 'node_modules/pg': { version: '8.23.1' }, 'node_modules/binaries': { version: '1.0.0' } };

test('a fresh clone is installed from the lock file', async () => {
  assert.equal(await commandOf(lock, undefined), 'ci');
});

test('without a lock file it is installed anyhow', async () => {
  assert.equal(await commandOf(undefined, undefined), 'install');
});

test('what is complete is left alone, packages for other platforms missing', async () => {
  assert.equal(await commandOf(lock, complete), undefined);
});

test('another version in the lock file brings it', async () => {
  assert.equal(await commandOf({ ...lock, 'node_modules/pg': { version: '8.24.0' } }, complete), 'ci');
});

test('a package that was added is brought, binaries for this platform too', async () => {
  assert.equal(await commandOf({ ...lock, 'node_modules/new': { version: '1.0.0' } }, complete), 'ci');
  assert.equal(await commandOf(lock, { 'node_modules/pg': { version: '8.23.1' } }), 'ci');
});
