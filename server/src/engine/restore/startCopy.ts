import { lchown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PointbackError } from '../../api/errors.ts';
import { shellWord } from '../../api/shellWord.ts';
import { parseLsn } from '../../formats/lsn.ts';
import { connectionProfile } from '../../postgres/connectionProfile.ts';
import { openSqlConnection } from '../../postgres/connect.ts';
import { startPostmaster, stopPostmaster } from '../../postgres/postmaster.ts';
import type { OperationContext } from '../context.ts';
import { copyLogFile, socketDirectoryIn } from './layoutOfCopy.ts';
import type { FileOwner, RestorePlan, StartPlan } from './restorePlan.ts';
import { startContainer } from './startContainer.ts';
import { untilTrue } from './untilTrue.ts';

/** A restored copy that runs. */
export interface StartedCopy {
  readonly port: number;
  /** How to connect; the password is the original's. */
  readonly url: string;
  /** Whether recovery ended and the copy takes writes. */
  readonly promoted: boolean;
  /** The position its recovery reached, where it could be asked. */
  readonly reachedLsn?: string;
  readonly durationMs: number;
  /** The command that stops it. */
  readonly stopCommand: string;
}

/** How long a copy that is not what was wanted may take to end. */
const stopTimeoutMs = 30_000;

/** Crash recovery of the backup's own WAL can take this long on a slow disk. */
const startTimeoutMs = 15 * 60 * 1000;

/**
 * Starts a restored copy and makes sure it got where it should: consistent, at or past the end of the backup, paused there
 * or promoted as planned. A server that cannot pause there promotes itself, which is told.
 *
 * Throws `restored-server.failed` with the server's own words and `restored-server.short` when recovery ended too early;
 * no server runs then.
 */
export async function startCopy(plan: RestorePlan, start: StartPlan, context: OperationContext): Promise<StartedCopy> {
  const startedAt = Date.now();
  context.progress({ phase: 'starting server' });
  const { targetDirectory, backup } = plan;
  const { loginRole } = backup;
  const common = {
    port: start.port,
    url: `postgresql://${encodeURIComponent(loginRole)}@127.0.0.1:${start.port}/postgres`,
  };
  if (start.method.kind === 'container') {
    const { stopCommand, promoted } = await startContainer(plan, start, start.method, startTimeoutMs, context);
    tellPromotion(promoted, start, context);
    return { ...common, stopCommand, promoted, durationMs: Date.now() - startedAt };
  }
  const configured = socketDirectoryIn(targetDirectory, start.port);
  const socketDirectory = configured ?? (await makeShortDirectory(plan.owner));
  let recovery: { reachedLsn: string; promoted: boolean };
  let runs = false;
  try {
    await startPostmaster({
      binaries: start.method.directory,
      dataDirectory: targetDirectory,
      port: start.port,
      ...(configured === undefined ? { socketDirectory } : {}),
      // A data_directory in the restored configuration would lead to the original's files.
      options: ['-c', `data_directory=${targetDirectory}`],
      logFile: join(targetDirectory, copyLogFile),
      signal: context.signal,
      timeoutMs: startTimeoutMs,
      ...(plan.owner === undefined ? {} : { owner: plan.owner }),
    });
    runs = true;
    recovery = await confirmRecovery(plan, start, socketDirectory, context);
  } catch (error) {
    if (runs) await endFailed(targetDirectory, context);
    if (configured === undefined) await rm(socketDirectory, { recursive: true, force: true });
    throw error;
  }
  // pg_ctl refuses to run as root.
  const asOwner = plan.owner === undefined ? [] : ['runuser', '-u', plan.owner.name, '--'];
  const stop = [...asOwner, join(start.method.directory, 'pg_ctl'), 'stop', '-D', targetDirectory];
  const { reachedLsn, promoted } = recovery;
  tellPromotion(promoted, start, context);
  return {
    ...common,
    reachedLsn,
    promoted,
    stopCommand: stop.map(shellWord).join(' '),
    durationMs: Date.now() - startedAt,
  };
}

/** Ends a server that did not get where it should. It loses nothing: the next start recovers. */
async function endFailed(dataDirectory: string, { log }: OperationContext): Promise<void> {
  // What was asked for may have been cancelled; this is not.
  const patience = { signal: new AbortController().signal, timeoutMs: stopTimeoutMs };
  await stopPostmaster(dataDirectory, 'immediate', patience).catch((error: unknown) => {
    log('warning', `the restored server in ${dataDirectory} may still run: ${String(error)}`);
  });
}

/** With subtransactions that overflowed nobody could connect to a paused copy, so PostgreSQL does not pause. */
function tellPromotion(promoted: boolean, start: StartPlan, { log }: OperationContext): void {
  if (!promoted || start.promote) return;
  log('warning', 'PostgreSQL could not pause at the end of the backup and promoted the copy; it stays quarantined');
}

/** A private directory for a socket whose path would be too long inside the copy; for this run of the server only. */
async function makeShortDirectory(owner: FileOwner | undefined): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pointback-'));
  if (owner !== undefined) await lchown(directory, owner.uid, owner.gid);
  return directory;
}

/** Asks the copy over its private socket where it is. */
async function confirmRecovery(
  plan: RestorePlan,
  start: StartPlan,
  socketDirectory: string,
  context: OperationContext,
): Promise<{ reachedLsn: string; promoted: boolean }> {
  const profile = connectionProfile(
    {
      host: socketDirectory,
      port: start.port,
      user: plan.backup.loginRole,
      database: 'template1',
      sslMode: 'disable',
    },
    {},
  );
  const connection = await openSqlConnection(profile, context);
  try {
    let reached = '0/0';
    let promoted = false;
    await untilTrue(
      async () => {
        const [row] = await connection.query<{ recovering: boolean; lsn: string }>(
          `SELECT pg_is_in_recovery() AS recovering,
                  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS lsn`,
        );
        reached = row?.lsn ?? reached;
        promoted = row?.recovering === false;
        // Nothing but the end of recovery can follow a promotion that nobody wanted: no use waiting.
        return row !== undefined && (promoted || !start.promote);
      },
      startTimeoutMs,
      context.signal,
    );
    if (parseLsn(reached) < parseLsn(plan.backup.endLsn)) {
      throw new PointbackError('restored-server.short', {
        message: `The restored server stopped at ${reached}, before the end of the backup at ${plan.backup.endLsn}.`,
        details: { reached, wanted: plan.backup.endLsn },
      });
    }
    return { reachedLsn: reached, promoted };
  } finally {
    await connection.close();
  }
}
