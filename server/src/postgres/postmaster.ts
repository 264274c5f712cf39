import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PointbackError } from '../api/errors.ts';
import { isPostmasterOf, isProcessRunning, readPostmasterPid } from './postmasterPid.ts';
import { inspectServerBinaries } from './serverBinaries.ts';
import { openServerLog } from './serverLog.ts';
import { explainStartFailure, lastWords, wrongVersion } from './startFailure.ts';
import type { StartFailure } from './startFailure.ts';

/** How a data directory is started. */
export interface PostmasterStart {
  /** Directory of the server programs, of the data's major version. */
  readonly binaries: string;
  readonly dataDirectory: string;
  readonly port: number;
  /** Further arguments of `postgres`, such as `-c`, `hot_standby=on`; they win over every configuration file. */
  readonly options?: readonly string[];
  /** Where its socket goes; as configured when absent, none when empty. */
  readonly socketDirectory?: string;
  /** The account that runs it, for a process that may choose (root); the data directory must belong to it. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Gets what the server says; appended to. */
  readonly logFile: string;
  readonly signal: AbortSignal;
  /** Milliseconds until it must take connections: recovery counts. */
  readonly timeoutMs: number;
}

/** A server that takes connections: read-only ones while its recovery goes on. */
export interface RunningPostmaster {
  readonly pid: number;
}

/** How a server ends, as `pg_ctl stop --mode`. */
export type ShutdownMode = 'smart' | 'fast' | 'immediate';

/** Server Administration, "Shutting Down the Server". */
const shutdownSignals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

const pollMs = 50;

/** What the postmaster does at least, before it kills what does not end by itself, in an immediate shutdown. */
const immediateShutdownMs = 10_000;

/** What a log keeps for a failure's explanation. */
const logTailBytes = 64 * 1024;

/** Variables a server may want; no others: its environment can be read for as long as it runs, passwords in it too. */
const passedVariables = ['PATH', 'HOME', 'TZ', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP'];

async function pause(signal: AbortSignal): Promise<void> {
  // What the signal was fired with says why; delay's own AbortError does not.
  await delay(pollMs, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}

function serverEnvironment(): NodeJS.ProcessEnv {
  const passed = passedVariables.map((name) => [name, process.env[name]] as const);
  // What it says before it knows its settings must be understood here too.
  return { ...Object.fromEntries(passed.filter(([, value]) => value !== undefined)), LC_ALL: 'C' };
}

async function failed(start: PostmasterStart, log: string, otherwise: string): Promise<PointbackError> {
  const explained = (await explainVersions(start)) ?? explainStartFailure(log);
  const words = lastWords(log);
  const message = `The server in ${start.dataDirectory} did not start: ${explained?.message ?? otherwise}.`;
  const code = explained?.cause === 'target-not-reached' ? 'restored-server.short' : 'restored-server.failed';
  return new PointbackError(code, {
    message: words.length === 0 ? message : `${message} Its last words:\n${words.join('\n')}`,
    remedy: explained?.remedy ?? `Read ${start.logFile}, correct what it names, and start the server again.`,
    details: { cause: explained?.cause ?? 'unknown', logFile: start.logFile, port: start.port },
  });
}

/** Programs of another version complain about the first setting they do not know, not about the version. */
async function explainVersions({ dataDirectory, binaries }: PostmasterStart): Promise<StartFailure | undefined> {
  const dataVersion = (await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  const programs = await inspectServerBinaries(binaries);
  if (dataVersion === '' || programs === undefined || String(programs.major) === dataVersion) return undefined;
  return wrongVersion(dataVersion, programs.version);
}

function launch(start: PostmasterStart, log: FileHandle): ChildProcess {
  const { binaries, dataDirectory, port, options = [], socketDirectory, owner } = start;
  const program = join(binaries, process.platform === 'win32' ? 'postgres.exe' : 'postgres');
  const settings = [
    // The log must come here, in words that can be understood.
    ...['logging_collector=off', 'log_destination=stderr', 'lc_messages=C'],
    ...(socketDirectory === undefined ? [] : [`unix_socket_directories=${socketDirectory}`]),
  ];
  return spawn(
    program,
    ['-D', resolve(dataDirectory), '-p', String(port), ...settings.flatMap((setting) => ['-c', setting]), ...options],
    {
      // A process group of its own: neither Ctrl-C at this terminal nor the end of this process ends it.
      detached: true,
      // A directory that every account may be in; the server itself goes to its data directory.
      cwd: process.platform === 'win32' ? binaries : '/',
      env: serverEnvironment(),
      stdio: ['ignore', log.fd, log.fd],
      windowsHide: true,
      ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
    },
  );
}

/** The log from a position on, its last part when that is long. */
async function readLog(log: FileHandle, from: number): Promise<string> {
  const { size } = await log.stat();
  const position = Math.max(from, size - logTailBytes);
  const { buffer, bytesRead } = await log.read(Buffer.alloc(Math.max(0, size - position)), { position });
  return buffer.toString('utf8', 0, bytesRead);
}

/** Ends a server that has not become what was wanted. It loses nothing: the next start recovers. */
async function abandon(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) =>
    child.once('exit', () => {
      done();
    }),
  );
  child.kill('SIGQUIT');
  const timer = setTimeout(() => child.kill('SIGKILL'), immediateShutdownMs);
  await ended;
  clearTimeout(timer);
}

/** Waits for the postmaster's word in `postmaster.pid`; undefined when it ended instead, or took too long. */
async function untilItTakesConnections(
  child: ChildProcess,
  { dataDirectory, signal, timeoutMs }: PostmasterStart,
): Promise<RunningPostmaster | 'ended' | 'too late'> {
  const deadline = performance.now() + timeoutMs;
  while (child.exitCode === null && child.signalCode === null) {
    const file = await readPostmasterPid(dataDirectory);
    // The file may still be that of a server that was killed, or be another running server's. `standby` is no word for
    // a standby that takes connections: it means recovery without any (hot_standby = off).
    if (file?.pid === child.pid && file?.status === 'ready') return { pid: file.pid };
    if (performance.now() > deadline) return 'too late';
    await pause(signal);
  }
  return 'ended';
}

/**
 * Starts a server on a data directory and resolves when it takes connections. It goes on when this process ends; see
 * `stopPostmaster`.
 *
 * Throws `restored-server.failed` with the server's last words and, where the cause is known, its remedy (`details.cause`
 * names it); `restored-server.short` when the WAL ended before the configured target; the signal's reason when it fires.
 * No process is left in any of these cases.
 */
export async function startPostmaster(start: PostmasterStart): Promise<RunningPostmaster> {
  start.signal.throwIfAborted();
  const log = await openServerLog(start.logFile, start.owner);
  try {
    const { size: logStart } = await log.stat();
    const child = launch(start, log);
    const spawnError = new Promise<Error>((done) => child.once('error', done));
    let result: RunningPostmaster | 'ended' | 'too late' | Error;
    try {
      result = child.pid === undefined ? await spawnError : await untilItTakesConnections(child, start);
    } catch (error) {
      await abandon(child);
      throw error;
    }
    if (result instanceof Error)
      throw await failed(start, '', `${start.binaries} has no program that can run: ${result.message}`);
    if (result === 'too late') await abandon(child);
    if (typeof result === 'object') {
      child.unref();
      return result;
    }
    const otherwise = result === 'ended' ? 'its process ended' : `it took longer than ${start.timeoutMs / 1000} s`;
    throw await failed(start, await readLog(log, logStart), otherwise);
  } finally {
    await log.close();
  }
}

function askToStop(pid: number, dataDirectory: string, mode: ShutdownMode): void {
  try {
    process.kill(pid, shutdownSignals[mode]);
  } catch (error) {
    // It was quicker.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new PointbackError('restored-server.not-stopped', {
      message: `The server in ${dataDirectory} (process ${pid}) runs under another account, which this one may not stop.`,
      remedy: `Stop it with \`pg_ctl stop -D ${dataDirectory}\` as that account, or as root.`,
      cause: error,
    });
  }
}

/**
 * Stops the server of a data directory and resolves when it has ended: true, or false when none was running. Only a
 * process that is this directory's postmaster is ever signalled.
 *
 * Throws `restored-server.not-stopped` when it still runs after `timeoutMs` (smart waits for its sessions), and the
 * signal's reason when it fires; the server is then still stopping.
 */
export async function stopPostmaster(
  dataDirectory: string,
  mode: ShutdownMode,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<boolean> {
  signal.throwIfAborted();
  const file = await readPostmasterPid(dataDirectory);
  if (file === undefined || !(await isPostmasterOf(file.pid, dataDirectory))) return false;
  askToStop(file.pid, dataDirectory, mode);
  const deadline = performance.now() + timeoutMs;
  while (await isProcessRunning(file.pid)) {
    if (performance.now() > deadline) {
      throw new PointbackError('restored-server.not-stopped', {
        message: `The server in ${dataDirectory} (process ${file.pid}) still runs ${timeoutMs / 1000} s after it was asked to stop.`,
      });
    }
    await pause(signal);
  }
  return true;
}
