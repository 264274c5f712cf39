import { execFile, spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endWithProcess } from './endWithProcess.ts';
import type { TestServer } from './testServer.ts';
import { spawnIdentity } from './unprivileged.ts';
import { waitFor } from './waitFor.ts';

const messages = '/usr/share/locale/de/LC_MESSAGES/postgres-15.mo';

/**
 * Ends a server and starts it again with German messages, in a locale made for it alone. Undefined, with the server
 * as it was, when the machine has no German catalogue or cannot make locales. `server` counts as down meanwhile: reload
 * with SQL.
 */
export async function germanServer(server: TestServer): Promise<AsyncDisposable | undefined> {
  const locales = await server.makeDirectory('locales');
  try {
    await access(messages);
    await promisify(execFile)('localedef', [
      '--no-archive',
      '-i',
      'de_DE',
      '-f',
      'UTF-8',
      join(locales, 'de_DE.UTF-8'),
    ]);
    await promisify(execFile)('chmod', ['-R', 'a+rX', locales]);
  } catch {
    return undefined;
  }
  await server.stop();
  await server.addSettings({ lc_messages: 'de_DE.UTF-8' });
  const child = spawn(join(server.bin, 'postgres'), ['-D', server.dataDirectory], {
    ...spawnIdentity(),
    cwd: server.directory,
    env: { PATH: process.env['PATH'], LOCPATH: locales },
    stdio: 'ignore',
  });
  const withdraw = endWithProcess(() => child.kill('SIGKILL'));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await waitFor('the German server takes connections', async () => {
    if (child.exitCode !== null) throw new Error('The German server did not start.');
    return server.sql('SELECT 1').then(
      () => true,
      () => false,
    );
  });
  return {
    async [Symbol.asyncDispose]() {
      withdraw();
      child.kill('SIGQUIT');
      await ended;
    },
  };
}
