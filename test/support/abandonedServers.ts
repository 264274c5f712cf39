import { readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isRunning, signalIfAlive } from './processes.ts';
import { abandonedDirectories } from './temporaryDirectory.ts';
import { waitFor } from './waitFor.ts';

/** The postmaster that runs in a data directory, certain to be that one: a process id alone may be another's by now. */
async function postmasterOf(dataDirectory: string): Promise<number | undefined> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  // PostgreSQL's processes work in their data directory.
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return workingDirectory === dataDirectory ? pid : undefined;
}

/** Ends the servers of test processes that were killed before they could do so, and removes their directories. */
export async function removeAbandonedServers(): Promise<void> {
  for (const directory of await abandonedDirectories()) {
    const pid = await postmasterOf(join(directory, 'data'));
    if (pid !== undefined) {
      signalIfAlive(pid, 'SIGKILL');
      await waitFor('an abandoned server is gone', async () => !(await isRunning(pid)));
    }
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}
