import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PointbackError } from '../../api/errors.ts';
import { shellWord } from '../../api/shellWord.ts';
import { readPostmasterPid } from '../../postgres/postmasterPid.ts';
import type { OperationContext } from '../context.ts';
import { copyFolder, quarantineHbaFile, quarantineIdentFile } from './layoutOfCopy.ts';
import type { RestorePlan, StartMethod, StartPlan } from './restorePlan.ts';
import { untilTrue } from './untilTrue.ts';

const run = promisify(execFile);
const portInContainer = 5432;
const firstMajorWithVersionedPath = 18;
/** How long a failed container's removal may take. */
const removalMs = 30_000;

/** Where the official image keeps its data directory: below a versioned path from 18 on. */
export function dataDirectoryInContainer(major: number): string {
  return major >= firstMajorWithVersionedPath ? `/var/lib/postgresql/${major}/docker` : '/var/lib/postgresql/data';
}

/** The arguments of the container program that run a restored copy, published on loopback only. */
export function containerArguments(
  plan: Pick<RestorePlan, 'targetDirectory' | 'tablespaces' | 'backup'>,
  port: number,
  image: string,
  name: string,
  owner: { readonly uid: number; readonly gid: number },
): string[] {
  const inside = dataDirectoryInContainer(Math.floor(plan.backup.serverVersionNumber / 10000));
  const mounts = [
    [plan.targetDirectory, inside],
    // Tablespaces are linked by their absolute paths, which must be the same inside.
    ...plan.tablespaces.map(({ to }) => [to, to]),
  ];
  const settings = {
    data_directory: inside,
    hba_file: `${inside}/${quarantineHbaFile}`,
    ident_file: `${inside}/${quarantineIdentFile}`,
    unix_socket_directories: `${inside}/${copyFolder}`,
    listen_addresses: '*',
    port: String(portInContainer),
  };
  return [
    ...['run', '--detach', '--name', name],
    ...['--user', `${owner.uid}:${owner.gid}`],
    ...['--publish', `127.0.0.1:${port}:${portInContainer}`],
    ...['--env', `PGDATA=${inside}`],
    ...mounts.flatMap(([from, to]) => ['--volume', `${from ?? ''}:${to ?? ''}`]),
    image,
    'postgres',
    ...Object.entries(settings).flatMap(([setting, value]) => ['-c', `${setting}=${value}`]),
  ];
}

/**
 * Runs a restored copy in a container of the official image and waits until it accepts connections, promoted where the
 * plan says so. Returns the command that removes the container, and whether recovery ended. Throws `restored-server.failed` with what the container
 * printed; a container that did not come to that is removed.
 */
export async function startContainer(
  plan: RestorePlan,
  { port, promote }: StartPlan,
  { command, image }: StartMethod & { readonly kind: 'container' },
  timeoutMs: number,
  { signal }: OperationContext,
): Promise<{ stopCommand: string; promoted: boolean }> {
  const [program = 'docker', ...first] = command;
  // A name that nothing else can have: what is removed after a failure is certainly ours.
  const name = `pointback-${port}-${randomBytes(3).toString('hex')}`;
  const { uid, gid } = await stat(plan.targetDirectory);
  const call = (what: string[], calling = signal) => run(program, [...first, ...what], { signal: calling });
  try {
    await call(containerArguments(plan, port, image, name, { uid, gid })).catch((error: unknown) => {
      signal.throwIfAborted();
      throw failed(error instanceof Error ? error.message : String(error), error);
    });
    await untilTrue(
      async () => {
        if (await hasCome(plan.targetDirectory, promote)) return true;
        const { stdout: running } = await call(['inspect', '--format', '{{.State.Running}}', name]);
        if (running.trim() === 'true') return false;
        // The server's log goes to the container's standard error, and comes back as such.
        const words = await call(['logs', '--tail', '20', name]).catch(() => undefined);
        throw failed(words === undefined ? 'It left no log.' : `${words.stdout}${words.stderr}`);
      },
      timeoutMs,
      signal,
    );
  } catch (error) {
    await call(['rm', '--force', name], AbortSignal.timeout(removalMs)).catch(() => undefined);
    throw error;
  }
  const stopCommand = [program, ...first, 'rm', '--force', name].map(shellWord).join(' ');
  return { stopCommand, promoted: !isInRecovery(plan.targetDirectory) };
}

/** Whether the server takes connections and, when it shall be promoted, is: then it removes the signal file. */
async function hasCome(dataDirectory: string, promote: boolean): Promise<boolean> {
  if ((await readPostmasterPid(dataDirectory))?.status !== 'ready') return false;
  return !promote || !isInRecovery(dataDirectory);
}

function failed(words: string, cause?: unknown): PointbackError {
  return new PointbackError('restored-server.failed', {
    message: `The container with the restored server did not start. It said: ${words.trim()}`,
    cause,
  });
}

/** The server removes these files when its recovery ends. */
function isInRecovery(dataDirectory: string): boolean {
  return ['recovery.signal', 'standby.signal'].some((name) => existsSync(join(dataDirectory, name)));
}
