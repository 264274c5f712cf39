import { readFile, readdir } from 'node:fs/promises';

/** State letter and parent of a process, from /proc; undefined when it is gone, or where there is no /proc. */
async function processStatus(pid: number | string): Promise<{ state: string; parent: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // pid (name) state ppid …, where the name may contain anything.
  const match = /^.*\) (\S) (\d+)/s.exec(text);
  return match?.[1] === undefined ? undefined : { state: match[1], parent: Number(match[2]) };
}

/** Sends a signal; false when there is no such process. Signal 0 only asks. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    // Somebody else's process lives too.
    if (signal === 0) return true;
    throw error;
  }
}

/** Whether a process still runs: one that ended and that nobody has collected yet does not. */
export async function isRunning(pid: number): Promise<boolean> {
  if (!signalIfAlive(pid, 0)) return false;
  const state = (await processStatus(pid))?.state;
  return state !== 'Z' && state !== 'X';
}

/** Processes whose parent is `pid`: a server's children lead process groups of their own. Empty without /proc. */
export async function childProcesses(pid: number): Promise<number[]> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const statuses = await Promise.all(names.map(processStatus));
  return names.filter((_, index) => statuses[index]?.parent === pid).map(Number);
}
