import { execFile } from 'node:child_process';
import { readFile, readlink, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** What a postmaster writes into `postmaster.pid` (src/include/utils/pidfile.h). */
export interface PostmasterPid {
  readonly pid: number;
  readonly dataDirectory: string;
  /** The status line: it comes late, and tells that connections are taken. */
  readonly status: 'starting' | 'stopping' | 'ready' | 'standby' | undefined;
}

const statuses = ['starting', 'stopping', 'ready', 'standby'] as const;

/** Parses `postmaster.pid`; undefined when it is empty or half-written. */
export function parsePostmasterPid(text: string): PostmasterPid | undefined {
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  const dataDirectory = lines[1];
  if (!Number.isInteger(pid) || pid <= 0 || dataDirectory === undefined || dataDirectory === '') return undefined;
  const status = lines[7]?.trim();
  return { pid, dataDirectory, status: statuses.find((known) => known === status) };
}

/** Reads `postmaster.pid` of a data directory; undefined when there is none, or none that can be used. */
export async function readPostmasterPid(dataDirectory: string): Promise<PostmasterPid | undefined> {
  try {
    return parsePostmasterPid(await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether a process runs. One that ended, and whose parent has not asked for it, does not. */
export async function isProcessRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // pid (name) state …, where the name may contain anything.
  return !/^.*\) [ZX] /s.test(status);
}

/** The command line of a process, words joined by spaces; empty when it cannot be told. */
async function commandLine(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({
      stdout: '',
    }));
    return stdout;
  }
}

/**
 * Whether the process is the postmaster of the data directory. The file alone does not tell: it outlives a power cut, and
 * its process id is another program's by then.
 */
export async function isPostmasterOf(pid: number, dataDirectory: string): Promise<boolean> {
  if (!(await isProcessRunning(pid))) return false;
  const directory = await realpath(dataDirectory);
  const command = await commandLine(pid);
  const program = basename(command.split(' ')[0] ?? '').replace(/\.exe$/, '');
  if (program !== 'postgres' && program !== 'postmaster') return false;
  // A postmaster works in its data directory; only its own account and root may look.
  const workingDirectory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (workingDirectory !== undefined) return workingDirectory === directory;
  return command.includes(dataDirectory) || command.includes(directory);
}
