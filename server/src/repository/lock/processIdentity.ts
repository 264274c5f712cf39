import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { errorCode } from '../store/storeErrors.ts';

/** Which process it is, so that others on the same machine can tell whether it still runs. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /** Processes of the same origin see each other's process ids: same boot of the same machine, same container. */
  readonly origin: string;
  /** When the process started, in the kernel's own unit; tells a reused process id from the original. Linux only. */
  readonly processStart?: string;
}

/** What locks know about processes; tests bring their own. */
export interface Processes {
  /** The identity of this process. */
  self(): Promise<ProcessIdentity>;
  /** Whether that process has certainly ended. False when it runs, and when that cannot be told from here. */
  isCertainlyDead(owner: ProcessIdentity): Promise<boolean>;
}

/** The machine's processes. */
export const systemProcesses: Processes = { self: thisProcess, isCertainlyDead };

async function thisProcess(): Promise<ProcessIdentity> {
  const host = hostname();
  const { start } = await processStatus(process.pid);
  return {
    host,
    pid: process.pid,
    origin: await originOf(host),
    ...(start === undefined ? {} : { processStart: start }),
  };
}

async function isCertainlyDead(owner: ProcessIdentity): Promise<boolean> {
  if (owner.origin !== (await originOf(hostname()))) return false;
  if (!isRunning(owner.pid)) return true;
  const { state, start } = await processStatus(owner.pid);
  // A killed process stays a zombie until its parent asks for it: for ever in a container without an init process.
  if (state === 'Z' || state === 'X') return true;
  return start !== undefined && owner.processStart !== undefined && start !== owner.processStart;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

/** A random id of this boot and the number of this pid namespace on Linux; elsewhere the host's name has to do. */
async function originOf(host: string): Promise<string> {
  try {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${host} ${boot.trim()} ${await readlink('/proc/self/ns/pid')}`;
  } catch {
    return host;
  }
}

/** Fields 3 (state) and 22 (starttime) of proc_pid_stat(5); the second field, the name, may itself contain `)` and spaces. */
async function processStatus(pid: number): Promise<{ state?: string; start?: string }> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const [state, start] = [fields[0], fields[19]];
    return { ...(state === undefined ? {} : { state }), ...(start === undefined ? {} : { start }) };
  } catch {
    return {};
  }
}
