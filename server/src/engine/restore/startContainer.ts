import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { PointbackError } from '../../api/errors.ts';
import { readPostmasterPid } from '../../postgres/postmasterPid.ts';
import type { OperationContext } from '../context.ts';
import { copyFolder, quarantineHbaFile, quarantineIdentFile } from './layoutOfCopy.ts';
import type { RestorePlan, StartMethod } from './restorePlan.ts';
import { untilTrue } from './untilTrue.ts';

const run = promisify(execFile);
const portInContainer = 5432;
const firstMajorWithVersionedPath = 18;

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
 * Runs a restored copy in a container of the official image and waits until it accepts connections. Returns the command
 * that removes the container. Throws `restored-server.failed` with what the container printed.
 */
export async function startContainer(
  plan: RestorePlan,
  port: number,
  { command, image }: StartMethod & { readonly kind: 'container' },
  timeoutMs: number,
  { signal }: OperationContext,
): Promise<string> {
  const [program = 'docker', ...first] = command;
  const name = `pointback-${port}`;
  const { uid, gid } = await stat(plan.targetDirectory);
  const call = async (what: string[]): Promise<string> => (await run(program, [...first, ...what], { signal })).stdout;
  try {
    await call(containerArguments(plan, port, image, name, { uid, gid }));
  } catch (error) {
    signal.throwIfAborted();
    throw failed(error instanceof Error ? error.message : String(error), error);
  }
  await untilTrue(
    async () => {
      if ((await readPostmasterPid(plan.targetDirectory))?.status === 'ready') return true;
      const running = await call(['inspect', '--format', '{{.State.Running}}', name]);
      if (running.trim() === 'true') return false;
      throw failed(await call(['logs', '--tail', '20', name]).catch(() => 'It left no log.'));
    },
    timeoutMs,
    signal,
  );
  return [program, ...first, 'rm', '--force', name].join(' ');
}

function failed(words: string, cause?: unknown): PointbackError {
  return new PointbackError('restored-server.failed', {
    message: `The container with the restored server did not start. It said: ${words.trim()}`,
    cause,
  });
}
